#include "base/duration.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>

#include "base/text.h"

namespace gpuscope::base {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr milliseconds kLongest = std::chrono::years{100};
constexpr std::int64_t kEndOf9999 = 253'402'300'800;

// Takes a number without sign or exponent off the front of `text`.
std::optional<double> take_number(std::string_view& text) {
  std::size_t length = 0;
  while (length < text.size() && (is_digit(text[length]) || text[length] == '.')) ++length;
  const std::string_view digits = text.substr(0, length);
  double number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool whole = error == std::errc{} && end == digits.data() + digits.size();
  if (length == 0 || !whole) return std::nullopt;
  text.remove_prefix(length);
  return number;
}

// Takes a unit off the front of `text`: how many milliseconds it has.
std::optional<double> take_unit(std::string_view& text) {
  constexpr std::array<std::pair<std::string_view, double>, 5> kUnits{
      {{"ms", 1}, {"s", 1e3}, {"m", 60e3}, {"h", 3600e3}, {"d", 86400e3}}};
  for (const auto& [name, length] : kUnits) {
    if (!text.starts_with(name)) continue;
    text.remove_prefix(name.size());
    return length;
  }
  return std::nullopt;
}

// Takes exactly `digits` digits off the front of `text`, and `after` if it is not 0.
std::optional<int> take_digits(std::string_view& text, std::size_t digits, char after) {
  const std::size_t length = digits + (after == 0 ? 0 : 1);
  if (text.size() < length || (after != 0 && text[digits] != after)) return std::nullopt;
  int number = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (!is_digit(text[i])) return std::nullopt;
    number = number * 10 + (text[i] - '0');
  }
  text.remove_prefix(length);
  return number;
}

// Takes ".123456" off the front of `text`, if it is there; finer digits are cut off.
std::optional<microseconds> take_fraction(std::string_view& text) {
  if (!text.starts_with('.')) return microseconds{0};
  text.remove_prefix(1);
  std::size_t digits = 0;
  std::int64_t value = 0;
  for (; digits < text.size() && is_digit(text[digits]); ++digits) {
    if (digits < 6) value = value * 10 + (text[digits] - '0');
  }
  if (digits == 0) return std::nullopt;
  for (std::size_t i = digits; i < 6; ++i) value *= 10;
  text.remove_prefix(digits);
  return microseconds{value};
}

std::optional<WallTime> parse_rfc3339(std::string_view text) {
  const auto year = take_digits(text, 4, '-');
  const auto month = year ? take_digits(text, 2, '-') : std::nullopt;
  const auto day = month ? take_digits(text, 2, 'T') : std::nullopt;
  const auto hour = day ? take_digits(text, 2, ':') : std::nullopt;
  const auto minute = hour ? take_digits(text, 2, ':') : std::nullopt;
  const auto second = minute ? take_digits(text, 2, 0) : std::nullopt;
  if (!second || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  const auto fraction = take_fraction(text);
  if (!fraction || (text != "Z" && text != "+00:00")) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{*year},
                                         std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok() || *year < 1970) return std::nullopt;
  return WallTime{std::chrono::sys_days{date}} + std::chrono::hours{*hour} +
         std::chrono::minutes{*minute} + std::chrono::seconds{*second} + *fraction;
}

}  // namespace

std::optional<milliseconds> parse_duration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  double sum = 0;
  while (!text.empty()) {
    const auto number = take_number(text);
    const auto unit = number ? take_unit(text) : std::nullopt;
    if (!unit) return std::nullopt;
    sum += *number * *unit;
  }
  if (!(sum <= static_cast<double>(kLongest.count()))) return std::nullopt;
  return milliseconds{std::llround(sum)};
}

std::optional<WallTime> parse_time(std::string_view text) {
  if (text.find('T') != std::string_view::npos) return parse_rfc3339(text);
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc{} || seconds < 0 || seconds >= kEndOf9999 || text.starts_with('-')) {
    return std::nullopt;
  }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  const auto fraction = take_fraction(text);
  if (!fraction || !text.empty()) return std::nullopt;
  return WallTime{std::chrono::seconds{seconds}} + *fraction;
}

std::optional<WallTime> parse_moment(std::string_view text, WallTime now) {
  constexpr std::size_t kOffset = 6;  // "+01:00"
  constexpr std::size_t kShortest = 19 + kOffset;
  if (text == "now") return now;
  if (text.starts_with('-')) {
    const auto before = parse_duration(text.substr(1));
    if (!before || now - *before < WallTime{}) return std::nullopt;
    return now - *before;
  }
  if (text.size() < kShortest || text.ends_with('Z')) return parse_time(text);
  std::string_view offset = text.substr(text.size() - kOffset);
  const char sign = offset.front() == ' ' ? '+' : offset.front();
  if (sign != '+' && sign != '-') return std::nullopt;
  offset.remove_prefix(1);
  const auto hours = take_digits(offset, 2, ':');
  const auto minutes = hours ? take_digits(offset, 2, 0) : std::nullopt;
  if (!minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  const auto local = parse_time(std::string(text.substr(0, text.size() - kOffset)) + "Z");
  if (!local) return std::nullopt;
  const auto ahead = std::chrono::hours{*hours} + std::chrono::minutes{*minutes};
  const WallTime utc = sign == '+' ? *local - ahead : *local + ahead;
  return utc < WallTime{} ? std::nullopt : std::optional(utc);
}

}  // namespace gpuscope::base
