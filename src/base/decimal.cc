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

}  // namespace

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
