// Scaled integers to text and back to units: the one place where a reading gets its decimal point.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>

namespace gpuscope::base {

// The longest text append_decimal() writes: sign, 19 digits, point, and leading "0."-zeros.
inline constexpr int kMaxDecimalChars = 40;

namespace detail {

// write_decimal() for every value there is.
char* write_any_decimal(char* out, std::int64_t value, int decimals);

// The eight decimal digits of a number below 10^8, one a byte, the first in the lowest byte:
// halves, then quarters, then single digits, all at once in one word.
constexpr std::uint64_t spread_digits(std::uint64_t value) {
  const std::uint64_t fours = value / 10'000 | value % 10'000 << 32;
  const std::uint64_t upper_twos = fours * 10'486 >> 20 & 0x0000'007f'0000'007f;
  const std::uint64_t twos = upper_twos | (fours - 100 * upper_twos) << 16;
  const std::uint64_t upper_ones = twos * 103 >> 10 & 0x000f'000f'000f'000f;
  return upper_ones | (twos - 10 * upper_ones) << 8;
}

inline void store_word(char* out, std::uint64_t word) { std::memcpy(out, &word, sizeof word); }

}  // namespace detail

// Writes value / 10^decimals at `out`, shortest exact form: 46100 with 3 decimals is "46.1",
// 3000 with 2 is "30", -5 with 1 is "-0.5". `decimals` is 0 to 18. Needs kMaxDecimalChars bytes
// (and may scribble over all of them), writes no terminator, returns the end. Independent of any
// locale.
inline char* write_decimal(char* out, std::int64_t value, int decimals) {
  // Nearly every reading is below 10^8: no loop, and no branch that depends on its digits.
  if (std::endian::native != std::endian::little ||
      static_cast<std::uint64_t>(value) >= 100'000'000 || decimals > 7) [[unlikely]] {
    return detail::write_any_decimal(out, value, decimals);
  }
  const std::uint64_t digits = detail::spread_digits(static_cast<std::uint64_t>(value));
  const std::uint64_t text = digits | 0x3030'3030'3030'3030;
  const int wholes = 8 - decimals;  // digits in front of the point, leading zeros included
  // The last digit in front of the point counts even when it is zero.
  const std::uint64_t counting = digits | std::uint64_t{1} << (8 * (wholes - 1));
  const int first = std::countr_zero(counting) / 8;
  detail::store_word(out, text >> (8 * first));
  out += wholes - first;
  if (decimals == 0) return out;
  const int fraction = 8 - std::countl_zero(counting) / 8 - wholes;
  *out = '.';
  detail::store_word(out + 1, text >> (8 * wholes));
  return out + (fraction == 0 ? 0 : fraction + 1);
}

// The same, appended to a string.
void append_decimal(std::string& out, std::int64_t value, int decimals);

}  // namespace gpuscope::base
