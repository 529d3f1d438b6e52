#include "base/decimal.h"

#include <array>
#include <charconv>

namespace gpuscope::base {
namespace {

constexpr std::array<std::uint64_t, 19> kPowersOfTen = [] {
  std::array<std::uint64_t, 19> powers{};
  std::uint64_t power = 1;
  for (auto& entry : powers) {
    entry = power;
    power *= 10;
  }
  return powers;
}();

// The `count` characters of `number`, zeros in front.
constexpr detail::Characters digits_of(std::size_t number, unsigned count) {
  detail::Characters digits = 0;
  for (unsigned i = count; i > 0; --i) {
    digits |= static_cast<detail::Characters>('0' + number % 10) << (8 * (i - 1));
    number /= 10;
  }
  return digits;
}

constexpr detail::Characters counted(detail::Characters characters, unsigned count) {
  return characters | detail::Characters{count} << detail::kCountShift;
}

// "." and the digits of `fraction` tenths, hundredths or thousandths.
constexpr detail::Characters tail_of(std::size_t fraction, unsigned places) {
  if (fraction == 0) return 0;
  unsigned count = places;
  while (fraction % 10 == 0) {
    fraction /= 10;
    --count;
  }
  return counted('.' | digits_of(fraction, count) << 8, count + 1);
}

constexpr detail::DecimalTables make_tables() {
  detail::DecimalTables tables{};
  for (std::size_t number = 0; number < detail::kGroupEntries; ++number) {
    const unsigned width = number < 10 ? 1 : number < 100 ? 2 : 3;
    tables.first[number] = counted(digits_of(number, width), width);
    tables.following[number] = counted(digits_of(number, 3), 3);
    std::size_t limit = 1;
    for (unsigned places = 0; places <= 3; ++places, limit *= 10) {
      if (number < limit) tables.tail[places][number] = tail_of(number, places);
    }
  }
  return tables;
}

}  // namespace

constinit const detail::DecimalTables detail::decimal_tables = make_tables();

char* detail::write_any_decimal(char* out, std::int64_t value, int decimals) {
  if (decimals == 0) return std::to_chars(out, out + kMaxDecimalChars, value).ptr;
  std::uint64_t magnitude = static_cast<std::uint64_t>(value);
  if (value < 0) {
    *out++ = '-';
    magnitude = ~magnitude + 1;
  }
  const std::uint64_t power = kPowersOfTen[static_cast<std::size_t>(decimals)];
  const std::uint64_t whole = magnitude / power;
  std::uint64_t fraction = magnitude - whole * power;
  out = std::to_chars(out, out + kMaxDecimalChars, whole).ptr;
  if (fraction == 0) return out;
  *out++ = '.';
  for (int i = decimals - 1; i >= 0; --i) {
    out[i] = static_cast<char>('0' + fraction % 10);
    fraction /= 10;
  }
  char* end = out + decimals;
  while (end[-1] == '0') --end;
  return end;
}

void append_decimal(std::string& out, std::int64_t value, int decimals) {
  std::array<char, kMaxDecimalChars> text{};
  char* end = write_decimal(text.data(), value, decimals);
  out.append(text.data(), static_cast<std::size_t>(end - text.data()));
}

}  // namespace gpuscope::base
