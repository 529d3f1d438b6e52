#include "query/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "base/text.h"
#include "base/utf8.h"

namespace gpuscope::query {
namespace {

using base::ErrorKind;
using base::Result;
using Kind = Token::Kind;

constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kHexDigits = "0123456789abcdefABCDEF";
constexpr std::string_view kNotClosed = "a text is not closed";

int digit_of(char c) {
  const char small = base::lower(c);
  if (small >= '0' && small <= '9') return small - '0';
  return small >= 'a' && small <= 'f' ? small - 'a' + 10 : 16;
}

void append_utf8(std::string& out, std::uint32_t point) {
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | ((point >> shift) & 0x3f)); };
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xc0 | (point >> 6));
    tail(0);
  } else if (point < 0x10000) {
    out += static_cast<char>(0xe0 | (point >> 12));
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xf0 | (point >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

// Takes what stands behind a backslash off the front of `left`; Go's escapes. None: it is none.
bool append_escape(std::string_view& left, char quote, std::string& out) {
  if (left.empty()) return false;
  const char c = left.front();
  constexpr std::string_view kNames = "abfnrtv\\";
  constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\";
  if (const std::size_t at = kNames.find(c); at != std::string_view::npos || c == quote) {
    out += c == quote ? c : kMeanings[at];
    left.remove_prefix(1);
    return true;
  }
  std::size_t digits = 3;
  unsigned base = 8;
  std::uint32_t most = 0xff;
  if (c == 'x' || c == 'u' || c == 'U') {
    base = 16;
    digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
    if (c != 'x') most = 0x10ffff;
    left.remove_prefix(1);
  }
  if (left.size() < digits) return false;
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    const int digit = digit_of(left[i]);
    if (digit >= static_cast<int>(base)) return false;
    value = value * base + static_cast<std::uint64_t>(digit);
  }
  if (value > most || (value >= 0xd800 && value < 0xe000)) return false;
  left.remove_prefix(digits);
  if (most == 0xff) {
    out += static_cast<char>(value);
  } else {
    append_utf8(out, static_cast<std::uint32_t>(value));
  }
  return true;
}

}  // namespace

bool Token::is_word(std::string_view word) const {
  return kind == Kind::kWord && base::same_word(text, word);
}

std::string Token::lower() const { return base::lower(text); }

Result<std::int64_t> duration_of(std::string_view text) {
  struct Unit {
    std::string_view name;
    std::int64_t ms;
  };
  constexpr std::int64_t kDay = 86'400'000;
  // From long to short; each may come once, in this order.
  constexpr std::array kUnits{Unit{"y", 365 * kDay}, Unit{"w", 7 * kDay}, Unit{"d", kDay},
                              Unit{"h", 3'600'000},  Unit{"m", 60'000},   Unit{"s", 1000},
                              Unit{"ms", 1}};
  constexpr double kMostMs = 9.2e12;  // Prometheus counts nanoseconds in 63 bits
  double total = 0;
  std::size_t unit = 0;
  std::string_view left = text;
  while (!left.empty()) {
    std::uint64_t count = 0;
    const auto [end, error] = std::from_chars(left.data(), left.data() + left.size(), count);
    if (error != std::errc{}) break;
    left.remove_prefix(static_cast<std::size_t>(end - left.data()));
    const std::string_view name = left.substr(0, left.starts_with("ms") ? 2 : 1);
    while (unit < kUnits.size() && kUnits[unit].name != name) ++unit;
    if (unit == kUnits.size()) break;
    total += static_cast<double>(count) * static_cast<double>(kUnits[unit++].ms);
    left.remove_prefix(name.size());
  }
  if (!left.empty() || text.empty()) {
    return base::fail(ErrorKind::kInvalidArgument,
                      fmt::format("'{}' is no duration such as 5m or 1h30m", text));
  }
  if (total > kMostMs) {
    return base::fail(ErrorKind::kInvalidArgument, fmt::format("'{}' is too long", text));
  }
  if (total == 0) {
    return base::fail(ErrorKind::kInvalidArgument, "a duration must be longer than 0");
  }
  return static_cast<std::int64_t>(total);
}

// As Go reads them: whole numbers with a prefix for their base, a leading 0 among those.
Result<double> number_of(std::string_view text) {
  const auto wrong = [&] {
    return base::fail(ErrorKind::kInvalidArgument, fmt::format("'{}' is no number", text));
  };
  const std::string small = base::lower(text);
  if (small == "inf") return std::numeric_limits<double>::infinity();
  if (small == "nan") return std::numeric_limits<double>::quiet_NaN();
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto whole = [&](std::size_t skip, int base) -> std::optional<double> {
    std::int64_t value = 0;
    const auto [stop, error] = std::from_chars(begin + skip, end, value, base);
    if (error != std::errc{} || stop != end) return std::nullopt;
    return static_cast<double>(value);
  };
  if (small.starts_with("0x")) {
    const auto value = whole(2, 16);
    return value ? Result<double>(*value) : wrong();
  }
  if (small.size() > 1 && small.front() == '0') {
    if (const auto value = whole(1, 8)) return *value;
  }
  double value = 0;
  const auto [stop, error] = std::from_chars(begin, end, value);
  if (stop != end) return wrong();
  if (error == std::errc::result_out_of_range) {
    // Too small is 0, too large is wrong.
    const bool is_small =
        small.find("e-") != std::string::npos || small.starts_with("0.") || small.starts_with(".");
    return is_small ? Result<double>(0.0) : wrong();
  }
  return error == std::errc{} ? Result<double>(value) : wrong();
}

std::unexpected<base::Error> Lexer::wrong(std::size_t at, std::string_view what) const {
  const std::string_view before = text_.substr(0, std::min(at, text_.size()));
  const auto line = 1 + std::ranges::count(before, '\n');
  const std::size_t begin =
      before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  const std::string where = line == 1 ? std::string() : fmt::format("line {}, ", line);
  return base::fail(ErrorKind::kInvalidArgument,
                    fmt::format("cannot read the expression: {}, at {}character {}", what, where,
                                before.size() - begin + 1));
}

bool Lexer::accept(std::string_view set) {
  if (position_ >= text_.size() || set.find(text_[position_]) == std::string_view::npos) {
    return false;
  }
  ++position_;
  return true;
}

void Lexer::accept_run(std::string_view set) {
  while (accept(set)) continue;
}

void Lexer::skip_blanks() {
  while (position_ < text_.size()) {
    if (text_[position_] == '#') {
      const std::size_t end = text_.find_first_of("\r\n", position_);
      position_ = std::min(end, text_.size());
    } else if (base::is_blank(text_[position_])) {
      ++position_;
    } else {
      return;
    }
  }
}

bool Lexer::scan_number() {
  std::string_view digits = kDigits;
  if (accept("0") && accept("xX")) digits = kHexDigits;
  accept_run(digits);
  if (accept(".")) accept_run(digits);
  if (accept("eE")) {
    accept("+-");
    accept_run(kDigits);
  }
  return !base::is_name_char(front());
}

// Behind its first digits.
bool Lexer::scan_duration() {
  if (!accept("smhdwy")) return false;
  accept("s");
  while (accept(kDigits)) {
    accept_run(kDigits);
    if (!accept("smhdw")) return false;
    accept("s");
  }
  return !base::is_name_char(front());
}

Result<Token> Lexer::scan_number_or_duration() {
  const std::size_t begin = position_;
  if (scan_number()) return token(Kind::kNumber, begin);
  position_ = begin;
  accept_run(kDigits);
  if (scan_duration()) return token(Kind::kDuration, begin);
  return wrong(begin, "this is no number and no duration");
}

Result<Token> Lexer::scan_string() {
  const std::size_t begin = position_;
  const char quote = text_[position_];
  std::string_view left = text_.substr(begin + 1);
  std::string meaning;
  for (;;) {
    if (left.empty() || (left.front() == '\n' && quote != '`')) return wrong(begin, kNotClosed);
    const char c = left.front();
    left.remove_prefix(1);
    if (c == quote) break;
    if (c == '\\' && quote != '`') {
      const std::size_t at = text_.size() - left.size() - 1;
      if (!append_escape(left, quote, meaning)) return wrong(at, "there is no such escape");
    } else {
      meaning += c;
    }
  }
  position_ = text_.size() - left.size();
  Token result = token(Kind::kString, begin);
  result.string = std::move(meaning);
  return result;
}

Result<Token> Lexer::scan() {
  skip_blanks();
  const std::size_t begin = position_;
  if (position_ == text_.size()) return token(Kind::kEnd, begin);
  const char c = front();
  if (std::exchange(wants_duration_, false)) {
    if (kDigits.find(c) == std::string_view::npos) return wrong(begin, "expected a duration");
    auto found = scan_number_or_duration();
    if (found && found->kind == Kind::kNumber) {
      return wrong(begin, "a duration needs its unit, such as 5m");
    }
    return found;
  }
  if (c == '"' || c == '\'' || c == '`') return scan_string();
  const bool digit = kDigits.find(c) != std::string_view::npos;
  const char after = position_ + 1 < text_.size() ? text_[position_ + 1] : '\0';
  if (!in_braces_ &&
      (digit || (c == '.' && kDigits.find(after) != std::string_view::npos && after != '\0'))) {
    return scan_number_or_duration();
  }
  const bool names_have_colons = !in_braces_ && !in_brackets_;
  if ((base::is_name_char(c) && !base::is_digit(c)) || (c == ':' && names_have_colons)) {
    while (base::is_name_char(front()) || (front() == ':' && names_have_colons)) ++position_;
    Token word = token(Kind::kWord, begin);
    if (!in_braces_ && (word.is_word("inf") || word.is_word("nan"))) word.kind = Kind::kNumber;
    return word;
  }
  constexpr std::array<std::string_view, 6> kPairs{"==", "!=", "=~", "!~", "<=", ">="};
  constexpr std::string_view kSingles = "(){}[],:=<>+-*/%^@";
  const std::string_view pair = text_.substr(position_, 2);
  if (std::ranges::find(kPairs, pair) != kPairs.end()) {
    position_ += 2;
  } else if (kSingles.find(c) != std::string_view::npos) {
    ++position_;
  } else {
    return wrong(begin, fmt::format("'{}' is not expected",
                                    c >= ' ' && c < '\x7f' ? std::string(1, c) : "such a byte"));
  }
  if (c == '{') in_braces_ = true;
  if (c == '}') in_braces_ = false;
  wants_duration_ = c == '[';
  if (c == '[') in_brackets_ = true;
  if (c == ']') in_brackets_ = false;
  return token(Kind::kSymbol, begin);
}

Result<const Token*> Lexer::peek() {
  if (!has_next_) {
    auto next = scan();
    if (!next) return std::unexpected(std::move(next.error()));
    next_ = std::move(*next);
    has_next_ = true;
  }
  return &next_;
}

Result<Token> Lexer::take() {
  if (auto next = peek(); !next) return std::unexpected(std::move(next.error()));
  has_next_ = false;
  return std::move(next_);
}

}  // namespace gpuscope::query
