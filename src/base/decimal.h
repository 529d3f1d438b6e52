// Scaled integers to text and back to units: the one place where a reading gets its decimal point.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

namespace gpuscope::base {

// The longest text append_decimal() writes: sign, 19 digits, point, and leading "0."-zeros.
inline constexpr int kMaxDecimalChars = 40;

namespace detail {

// Up to seven characters, first one lowest, and in the upper byte how many of them count.
using Characters = std::uint64_t;
inline constexpr int kCountShift = 56;
inline constexpr std::size_t kGroupEntries = 1000;

struct DecimalTables {
  // A group of three digits by its number: a number's first ("0", "7"), one after it ("007").
  std::array<Characters, kGroupEntries> first;
  std::array<Characters, kGroupEntries> following;
  // By digits behind the point and their number: the point and the digits, without zeros at the
  // end; nothing for 0.
  std::array<std::array<Characters, kGroupEntries>, 4> tail;
};
extern const DecimalTables decimal_tables;

// write_decimal() for every value there is.
char* write_any_decimal(char* out, std::int64_t value, int decimals);

// Whether write_short() can write it. Nearly every reading can be: up to six digits before the
// point and three behind it.
inline bool is_short(std::int64_t value, int decimals) {
  constexpr std::array<std::uint64_t, 4> kLimits{1'000'000, 10'000'000, 100'000'000, 1'000'000'000};
  return std::endian::native == std::endian::little && static_cast<unsigned>(decimals) <= 3 &&
         static_cast<std::uint64_t>(value) < kLimits[static_cast<std::size_t>(decimals)];
}

// Appends all eight bytes; returns where those that count end.
inline char* put(char* out, Characters characters) {
  std::memcpy(out, &characters, sizeof characters);
  return out + (characters >> kCountShift);
}

// write_decimal() of what is_short(): two or three look-ups and one branch.
inline char* write_short(char* out, std::int64_t value, int decimals) {
  constexpr std::array<std::uint32_t, 4> kPowers{1, 10, 100, 1000};
  const auto number = static_cast<std::uint32_t>(value);
  const auto places = static_cast<std::size_t>(decimals);
  std::uint32_t group = number / kPowers[places];
  const std::uint32_t fraction = number - kPowers[places] * group;
  const DecimalTables& tables = decimal_tables;
  if (group < 1000) {
    out = put(out, tables.first[group]);
  } else {
    out = put(out, tables.first[group / 1000]);
    out = put(out, tables.following[group % 1000]);
  }
  return put(out, tables.tail[places][fraction]);
}

}  // namespace detail

// Writes value / 10^decimals at `out`, shortest exact form: 46100 with 3 decimals is "46.1",
// 3000 with 2 is "30", -5 with 1 is "-0.5". `decimals` is 0 to 18. Needs kMaxDecimalChars bytes
// (and may scribble over all of them), writes no terminator, returns the end. Independent of any
// locale.
inline char* write_decimal(char* out, std::int64_t value, int decimals) {
  if (!detail::is_short(value, decimals)) [[unlikely]] {
    return detail::write_any_decimal(out, value, decimals);
  }
  return detail::write_short(out, value, decimals);
}

// The same, appended to a string.
void append_decimal(std::string& out, std::int64_t value, int decimals);

}  // namespace gpuscope::base
