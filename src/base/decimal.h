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

inline char* put(char* out, Digits digits) {
  std::memcpy(out, &digits, sizeof digits);
  return out + (digits >> 24);
}

}  // namespace detail

// Writes value / 10^decimals at `out`, shortest exact form: 46100 with 3 decimals is "46.1",
// 3000 with 2 is "30", -5 with 1 is "-0.5". `decimals` is 0 to 18. Needs kMaxDecimalChars bytes
// (and may scribble over all of them), writes no terminator, returns the end. Independent of any
// locale.
inline char* write_decimal(char* out, std::int64_t value, int decimals) {
  constexpr std::array<std::uint64_t, 4> kPowers{1, 10, 100, 1000};
  // Nearly every reading has up to six digits before the point and three behind it: three look-ups,
  // and no branch that depends on its digits.
  if (std::endian::native != std::endian::little || static_cast<unsigned>(decimals) > 3 ||
      static_cast<std::uint64_t>(value) >= 1'000'000 * kPowers[static_cast<std::size_t>(decimals)])
      [[unlikely]] {
    return detail::write_any_decimal(out, value, decimals);
  }
  const auto places = static_cast<std::size_t>(decimals);
  const std::uint64_t whole = static_cast<std::uint64_t>(value) / kPowers[places];
  const std::uint64_t thousands = whole / 1000;
  const std::uint64_t rest = whole - 1000 * thousands;
  const detail::DecimalTables& tables = detail::decimal_tables;
  out = detail::put(out, tables.leading[thousands]);
  out = detail::put(out, (thousands == 0 ? tables.lone : tables.following).data()[rest]);
  if (decimals == 0) return out;
  const std::uint64_t fraction = static_cast<std::uint64_t>(value) - kPowers[places] * whole;
  const detail::Digits digits = tables.fraction[places][fraction];
  *out = '.';
  detail::put(out + 1, digits);
  return out + (digits >> 24);
}

// The same, appended to a string.
void append_decimal(std::string& out, std::int64_t value, int decimals);

}  // namespace gpuscope::base
