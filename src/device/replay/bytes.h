// The small parts of a recording: numbers, differences, texts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "device/replay/format.h"

namespace gpuscope::device::replay {

// Appends to a string, which outlives it.
class ByteWriter {
 public:
  explicit ByteWriter(std::string& out) : out_(out) {}

  void byte(std::uint8_t value) { base::put_byte(out_, value); }
  void varint(std::uint64_t value) { base::put_varint(out_, value); }
  // to - from, which may wrap round.
  void difference(std::int64_t to, std::int64_t from) {
    base::put_signed(out_, base::wrapping_sub(to, from));
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

class ByteReader : public base::ByteReader {
 public:
  using base::ByteReader::ByteReader;

  // What difference() wrote, added to `from`.
  std::int64_t difference(std::int64_t from) { return base::wrapping_add(from, signed_number()); }
  std::string_view text() { return base::ByteReader::text(kMaxText); }
};

}  // namespace gpuscope::device::replay
