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

// Three digits at once: their characters in the lower three bytes, first one lowest, and in the
// upper byte how many of them count.
using Digits = std::uint32_t;
inline constexpr std::size_t kDigitsEntries = 1000;

struct DecimalTables {
  // By number, in front of the point: a first group ("" for 0, "7"), one with nothing before it
  // ("0", "7"), one that follows another ("007").
  std::array<Digits, kDigitsEntries> leading;
  std::array<Digits, kDigitsEntries> lone;
  std::array<Digits, kDigitsEntries> following;
  // By digits behind the point and their number, without zeros at the end ("" for 0). The count
  // includes the point.
  std::array<std::array<Digits, kDigitsEntries>, 4> fraction;
};
extern const DecimalTables decimal_tables;

// write_decimal() for every value there is.
char* write_any_decimal(char* out, std::int64_t value, int decimals);

// Up to 16 characters in two registers, first one lowest.
struct ShortText {
  std::uint64_t low;
  std::uint64_t high;
  std::uint32_t length;
};

// Whether short_decimal() can write it. Nearly every reading can be: up to six digits before the
// point and three behind it.
inline bool is_short(std::int64_t value, int decimals) {
  constexpr std::array<std::uint64_t, 4> kLimits{1'000'000, 10'000'000, 100'000'000, 1'000'000'000};
  return std::endian::native == std::endian::little && static_cast<unsigned>(decimals) <= 3 &&
         static_cast<std::uint64_t>(value) < kLimits[static_cast<std::size_t>(decimals)];
}

// write_decimal() of what is_short(), with `end` (one character, or NUL for none) behind it: three
// look-ups, no branch that depends on the digits, and no memory to wait for.
inline ShortText short_decimal(std::int64_t value, int decimals, char end) {
  constexpr std::array<std::uint64_t, 4> kPowers{1, 10, 100, 1000};
  constexpr std::uint64_t kThreeCharacters = 0xff'ffff;
  const auto places = static_cast<std::size_t>(decimals);
  const std::uint64_t whole = static_cast<std::uint64_t>(value) / kPowers[places];
  const std::uint64_t thousands = whole / 1000;
  const std::uint64_t rest = whole - 1000 * thousands;
  const DecimalTables& tables = decimal_tables;
  const Digits leading = tables.leading[thousands];
  const Digits last = (thousands == 0 ? tables.lone : tables.following).data()[rest];
  const unsigned leading_count = leading >> 24;
  const unsigned whole_count = leading_count + (last >> 24);  // 1 to 6
  const std::uint64_t before = (leading & kThreeCharacters) | (last & kThreeCharacters)
                                                                  << (8 * leading_count);
  std::uint64_t behind = 0;
  unsigned behind_count = 0;
  if (decimals > 0) {
    const std::uint64_t fraction = static_cast<std::uint64_t>(value) - kPowers[places] * whole;
    const Digits digits = tables.fraction[places][fraction];
    behind_count = digits >> 24;
    // The table keeps the zeros at the end, past the count.
    behind = ('.' | std::uint64_t{digits & kThreeCharacters} << 8) &
             ((std::uint64_t{1} << (8 * behind_count)) - 1);
  }
  behind |= static_cast<std::uint64_t>(static_cast<unsigned char>(end)) << (8 * behind_count);
  return {before | behind << (8 * whole_count), behind >> (64 - 8 * whole_count),
          whole_count + behind_count + (end != '\0' ? 1U : 0U)};
}

inline char* put(char* out, const ShortText& text) {
  std::memcpy(out, &text.low, sizeof text.low);
  std::memcpy(out + sizeof text.low, &text.high, sizeof text.high);
  return out + text.length;
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
  return detail::put(out, detail::short_decimal(value, decimals, '\0'));
}

// The same, appended to a string.
void append_decimal(std::string& out, std::int64_t value, int decimals);

}  // namespace gpuscope::base
