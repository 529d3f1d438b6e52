#include "http/web_answer.h"

#include <algorithm>
#include <cstdint>

#include "base/text.h"
#include "base/utf8.h"

namespace gpuscope::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kMostOfBody = 200;
constexpr std::int64_t kMostSeconds = 1'000'000'000;

// All of `text` is a number.
std::optional<std::int64_t> number(std::string_view text) {
  const auto value = base::parse_number<std::int64_t>(text);
  return value && *value >= 0 ? value : std::nullopt;
}

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7; the two older forms are not made any more).
std::optional<base::WallTime> parse_http_date(std::string_view text) {
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (text.size() != 29 || text.substr(3, 2) != ", " || text.substr(25) != " GMT" ||
      text[7] != ' ' || text[11] != ' ' || text[16] != ' ' || text[19] != ':' || text[22] != ':') {
    return std::nullopt;
  }
  const auto month = kMonths.find(text.substr(8, 3));
  const auto day = number(text.substr(5, 2));
  const auto year = number(text.substr(12, 4));
  const auto hour = number(text.substr(17, 2));
  const auto minute = number(text.substr(20, 2));
  const auto second = number(text.substr(23, 2));
  if (month == std::string_view::npos || month % 3 != 0 || !day || !year || !hour || !minute ||
      !second) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year{static_cast<int>(*year)},
                                         std::chrono::month{static_cast<unsigned>(month / 3 + 1)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok()) return std::nullopt;
  return base::WallTime{std::chrono::sys_days{date}} + std::chrono::hours{*hour} +
         std::chrono::minutes{*minute} + seconds{*second};
}

}  // namespace

std::optional<milliseconds> parse_retry_after(std::string_view text, base::WallTime now) {
  if (const auto wait = number(text)) return seconds{std::min(*wait, kMostSeconds)};
  const auto date = parse_http_date(text);
  if (!date) return std::nullopt;
  return std::max(milliseconds{0}, std::chrono::ceil<milliseconds>(*date - now));
}

std::string one_line(std::string_view text) {
  std::string line;
  while (!text.empty() && line.size() < kMostOfBody) {
    const std::size_t length = base::utf8_length(text);
    const bool plain = length > 1 || (length == 1 && text.front() > ' ' && text.front() != '\x7f');
    if (plain) {
      line.append(text.substr(0, length));
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  while (!line.empty() && (line.back() == ' ' || line.back() == '.')) line.pop_back();
  return line;
}

}  // namespace gpuscope::http
