#include "api/series_selector.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace gpuscope::api {
namespace {

constexpr std::size_t kMaxBytes = 4096;
constexpr std::int64_t kRegexMemory = 1 << 20;
constexpr std::string_view kName = "__name__";

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

// Takes a selector off the front of a text, piece by piece.
class SeriesSelector::Parser {
 public:
  explicit Parser(std::string_view text) : text_(text), left_(text) {}

  base::Result<SeriesSelector> parse() {
    SeriesSelector selector;
    skip_blanks();
    if (const std::string_view name = take_name(true); !name.empty()) {
      selector.matchers_.push_back({std::string(kName), std::string(name), nullptr, false});
    } else if (left_.empty() || left_.front() != '{') {
      return wrong("expected a metric's name or '{'");
    }
    skip_blanks();
    if (take("{")) {
      if (auto done = parse_matchers(selector); !done) return std::unexpected(done.error());
    }
    skip_blanks();
    if (!left_.empty()) return wrong("expected its end");
    return selector;
  }

 private:
  std::unexpected<base::Error> wrong(std::string_view what) const {
    return base::fail(base::ErrorKind::kInvalidArgument,
                      fmt::format("cannot read the selector '{}': {} at character {}", text_, what,
                                  text_.size() - left_.size() + 1));
  }

  void skip_blanks() {
    while (!left_.empty() && (left_.front() == ' ' || left_.front() == '\t'))
      left_.remove_prefix(1);
  }

  bool take(std::string_view token) {
    if (!left_.starts_with(token)) return false;
    left_.remove_prefix(token.size());
    return true;
  }

  std::string_view take_name(bool of_metric) {
    std::size_t length = 0;
    while (length < left_.size() &&
           (is_letter(left_[length]) || (length > 0 && is_digit(left_[length])) ||
            (of_metric && left_[length] == ':'))) {
      ++length;
    }
    const std::string_view name = left_.substr(0, length);
    left_.remove_prefix(length);
    return name;
  }

  base::Result<void> parse_matchers(SeriesSelector& selector) {
    for (;;) {
      skip_blanks();
      if (take("}")) return {};
      Matcher matcher;
      matcher.label = take_name(false);
      if (matcher.label.empty()) return wrong("expected a label's name or '}'");
      skip_blanks();
      const bool regex =
          take("=~") || (left_.starts_with("!~") && take("!~") && (matcher.negative = true));
      if (!regex && take("!=")) {
        matcher.negative = true;
      } else if (!regex && !take("=")) {
        return wrong("expected one of =, !=, =~, !~");
      }
      skip_blanks();
      if (!take_string(matcher.value)) return wrong("expected a quoted text");
      if (regex) {
        if (auto done = compile(matcher); !done) return done;
      }
      selector.matchers_.push_back(std::move(matcher));
      skip_blanks();
      if (!take(",") && !left_.starts_with("}")) return wrong("expected ',' or '}'");
    }
  }

  static base::Result<void> compile(Matcher& matcher) {
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(kRegexMemory);
    auto regex = std::make_shared<const re2::RE2>(matcher.value, options);
    if (!regex->ok()) {
      return base::fail(base::ErrorKind::kInvalidArgument,
                        fmt::format("cannot read the regular expression '{}': {}", matcher.value,
                                    regex->error()));
    }
    matcher.regex = std::move(regex);
    return {};
  }

  // In double, single or back quotes; escapes not in the last.
  bool take_string(std::string& out) {
    if (left_.empty() || std::string_view("\"'`").find(left_.front()) == std::string_view::npos) {
      return false;
    }
    const char quote = left_.front();
    for (std::size_t i = 1; i < left_.size(); ++i) {
      char c = left_[i];
      if (c == quote) {
        left_.remove_prefix(i + 1);
        return true;
      }
      if (c == '\\' && quote != '`') {
        if (++i == left_.size()) return false;
        c = left_[i];
        constexpr std::string_view kEscapes = "\\\"'`nt";
        if (kEscapes.find(c) == std::string_view::npos) return false;
        if (c == 'n') c = '\n';
        if (c == 't') c = '\t';
      }
      out += c;
    }
    return false;
  }

  std::string_view text_;
  std::string_view left_;
};

bool SeriesSelector::Matcher::fits(std::string_view text) const {
  const bool same = regex ? re2::RE2::FullMatch({text.data(), text.size()}, *regex) : text == value;
  return same != negative;
}

base::Result<SeriesSelector> SeriesSelector::parse(std::string_view text) {
  if (text.size() > kMaxBytes) {
    return base::fail(base::ErrorKind::kInvalidArgument,
                      fmt::format("cannot read a selector of more than {} bytes", kMaxBytes));
  }
  return Parser(text).parse();
}

bool SeriesSelector::fits_labels(const LabelOf& label_of) const {
  return std::ranges::all_of(matchers_, [&](const Matcher& matcher) {
    return matcher.label == kName || matcher.fits(label_of(matcher.label));
  });
}

bool SeriesSelector::fits_name(std::string_view name) const {
  return std::ranges::all_of(matchers_, [&](const Matcher& matcher) {
    return matcher.label != kName || matcher.fits(name);
  });
}

bool SeriesSelector::names() const {
  return std::ranges::any_of(matchers_,
                             [](const Matcher& matcher) { return matcher.label == kName; });
}

}  // namespace gpuscope::api
