// CRC-32C (Castagnoli, RFC 3720), which tells damaged bytes: docs/formats/history.md, "Checksums".
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace gpuscope::history {

inline constexpr std::size_t kChecksumBytes = 4;

namespace detail {

// tables[k][b]: what the byte b does with k zero bytes behind it. Eight at a time are looked up.
using ChecksumTables = std::array<std::array<std::uint32_t, 256>, 8>;
constexpr ChecksumTables make_checksum_tables() {
  constexpr std::uint32_t kPolynomial = 0x82F63B78;  // reflected
  ChecksumTables tables{};
  for (std::uint32_t b = 0; b < 256; ++b) {
    std::uint32_t crc = b;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
    tables[0][b] = crc;
  }
  for (std::uint32_t b = 0; b < 256; ++b) {
    for (std::size_t k = 1; k < 8; ++k) {
      const std::uint32_t before = tables[k - 1][b];
      tables[k][b] = (before >> 8) ^ tables[0][before & 0xFF];
    }
  }
  return tables;
}
inline constexpr ChecksumTables kChecksumTables = make_checksum_tables();

}  // namespace detail

// Of `bytes`, or of what has `before` with `bytes` behind it.
inline std::uint32_t checksum(std::string_view bytes, std::uint32_t before = 0) {
  const auto& tables = detail::kChecksumTables;
  std::uint32_t crc = ~before;
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof word);
    if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
    word ^= crc;
    crc = 0;
    for (std::size_t i = 0; i < 8; ++i) crc ^= tables[7 - i][(word >> (8 * i)) & 0xFF];
  }
  for (const char c : bytes)
    crc = (crc >> 8) ^ tables[0][(crc ^ static_cast<std::uint8_t>(c)) & 0xFF];
  return ~crc;
}

// Four bytes, the lowest first.
inline void put_checksum(std::string& out, std::uint32_t value) {
  for (unsigned shift = 0; shift < 32; shift += 8) out += static_cast<char>(value >> shift);
}
inline std::uint32_t get_checksum(std::string_view bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < kChecksumBytes; ++i) {
    value |= std::uint32_t{static_cast<std::uint8_t>(bytes[i])} << (8 * i);
  }
  return value;
}

// Takes the checksum off the end of `bytes`. False when it is not that of what stands before it.
inline bool take_checksum(std::string_view& bytes) {
  if (bytes.size() < kChecksumBytes) return false;
  const std::uint32_t value = get_checksum(bytes.substr(bytes.size() - kChecksumBytes));
  bytes.remove_suffix(kChecksumBytes);
  return checksum(bytes) == value;
}

}  // namespace gpuscope::history
