// Whole numbers as bytes: varints, signed numbers, and reading them back from bytes of any origin.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace gpuscope::base {

// Differences wrap round: any two numbers have one, and adding it gives the second back.
constexpr std::int64_t wrapping_add(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
constexpr std::int64_t wrapping_sub(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}
// 0, -1, 1, -2, … as 0, 1, 2, 3, …
constexpr std::uint64_t fold(std::int64_t value) {
  const auto wide = static_cast<std::uint64_t>(value);
  return (wide << 1) ^ (std::uint64_t{0} - (wide >> 63));
}
constexpr std::int64_t unfold(std::uint64_t value) {
  return static_cast<std::int64_t>((value >> 1) ^ (std::uint64_t{0} - (value & 1)));
}

inline void put_byte(std::string& out, std::uint8_t value) { out += static_cast<char>(value); }
inline void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) put_byte(out, static_cast<std::uint8_t>(value | 0x80));
  put_byte(out, static_cast<std::uint8_t>(value));
}
inline void put_signed(std::string& out, std::int64_t value) { put_varint(out, fold(value)); }

// Reads what stands in `bytes`. What is not there, or over its limit, reads as 0, and from then on
// everything does, with ok() false.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes = {}) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  bool empty() const { return bytes_.empty(); }
  // Bytes that were not read yet.
  std::size_t left() const { return bytes_.size(); }
  void fail() {
    ok_ = false;
    bytes_ = {};
  }
  std::uint8_t byte() {
    if (bytes_.empty()) {
      fail();
      return 0;
    }
    const auto value = static_cast<std::uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return value;
  }
  // A byte of 0 to `last`.
  std::uint8_t byte_to(std::uint8_t last) {
    const std::uint8_t value = byte();
    if (value <= last) return value;
    fail();
    return 0;
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::uint64_t group = byte();
      if (shift == 63 && group > 1) break;
      value |= (group & 0x7F) << shift;
      if (group < 0x80) return value;
    }
    fail();
    return 0;
  }
  std::int64_t signed_number() { return unfold(varint()); }
  std::size_t count(std::size_t limit) {
    const std::uint64_t value = varint();
    if (value <= limit) return static_cast<std::size_t>(value);
    fail();
    return 0;
  }
  // Four bytes, the lowest first.
  std::uint32_t fixed32() {
    std::uint32_t value = 0;
    for (unsigned shift = 0; shift < 32; shift += 8) value |= std::uint32_t{byte()} << shift;
    return value;
  }
  // A count of up to `limit`, and as many bytes.
  std::string_view text(std::size_t limit) {
    const std::size_t size = count(limit);
    if (size > bytes_.size()) fail();
    const std::string_view value = bytes_.substr(0, size);
    bytes_.remove_prefix(std::min(size, bytes_.size()));
    return value;
  }

 private:
  std::string_view bytes_;
  bool ok_ = true;
};

}  // namespace gpuscope::base
