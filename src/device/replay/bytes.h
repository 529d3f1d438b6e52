// The small parts of a recording: varints, signed numbers, texts.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "device/replay/format.h"

namespace gpuscope::device::replay {

// Appends to a string, which outlives it.
class ByteWriter {
 public:
  explicit ByteWriter(std::string& out) : out_(out) {}

  void byte(std::uint8_t value) { out_ += static_cast<char>(value); }
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) byte(static_cast<std::uint8_t>(value | 0x80));
    byte(static_cast<std::uint8_t>(value));
  }
  // to - from, which may wrap round.
  void difference(std::int64_t to, std::int64_t from) {
    const auto wrapped = static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(from);
    varint((wrapped << 1) ^ (std::uint64_t{0} - (wrapped >> 63)));
  }
  // Cut to kMaxText.
  void text(std::string_view value) {
    value = value.substr(0, kMaxText);
    varint(value.size());
    out_ += value;
  }

 private:
  std::string& out_;
};

// Reads what stands in `bytes`. What is not there, or over its limit, reads as 0, and from then on
// everything does, with ok() false.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes = {}) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  bool empty() const { return bytes_.empty(); }
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
  // What difference() wrote, added to `from`.
  std::int64_t difference(std::int64_t from) {
    const std::uint64_t folded = varint();
    const std::uint64_t wrapped = (folded >> 1) ^ (std::uint64_t{0} - (folded & 1));
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(from) + wrapped);
  }
  std::size_t count(std::size_t limit) {
    const std::uint64_t value = varint();
    if (value <= limit) return static_cast<std::size_t>(value);
    fail();
    return 0;
  }
  std::string_view text() {
    const std::size_t size = count(kMaxText);
    if (size > bytes_.size()) fail();
    const std::string_view value = bytes_.substr(0, size);
    bytes_.remove_prefix(std::min(size, bytes_.size()));
    return value;
  }

 private:
  std::string_view bytes_;
  bool ok_ = true;
};

}  // namespace gpuscope::device::replay
