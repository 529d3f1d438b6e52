#include "alert/template_functions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <optional>
#include <utility>

#include "base/text.h"

namespace gpuscope::alert {
namespace {

using base::ErrorKind;
using base::Result;
using Arguments = std::span<const TemplateValue>;

constexpr std::array<std::string_view, 8> kThousands{"k", "M", "G", "T", "P", "E", "Z", "Y"};
constexpr std::array<std::string_view, 8> kBinary{"ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"};
constexpr std::array<std::string_view, 8> kParts{"m", "u", "n", "p", "f", "a", "z", "y"};
constexpr int kMostPlainDigits = 6;  // before the point; Go's %v has an exponent for more
constexpr int kMostPrecision = 100;  // digits that a verb of printf may ask for
constexpr int kMostWidth = 1000;

// What is no number at all, as Go writes it; nullopt for numbers.
std::optional<std::string> not_finite(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return std::nullopt;
}

// Four digits that count, as humanize and its kin have them.
std::string four_digits(double value) {
  if (auto word = not_finite(value)) return *word;
  return fmt::format("{:.4g}", value);
}

// The fewest digits that say which number it is.
std::string shortest(double value) {
  if (auto word = not_finite(value)) return *word;
  std::array<char, 512> out{};
  const auto scientific =
      std::to_chars(out.begin(), out.end(), value, std::chars_format::scientific);
  const std::string text(out.begin(), scientific.ptr);
  const int exponent = std::atoi(text.c_str() + text.find('e') + 1);
  if (exponent < -4 || exponent >= kMostPlainDigits) return text;
  const auto fixed = std::to_chars(out.begin(), out.end(), value, std::chars_format::fixed);
  return {out.begin(), fixed.ptr};
}

Result<double> number(const TemplateValue& value) {
  if (const auto* real = std::get_if<double>(&value)) return *real;
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return static_cast<double>(*whole);
  if (const auto* text = std::get_if<std::string>(&value)) {
    double parsed = 0;
    const char* end = text->data() + text->size();
    const auto [at, error] = std::from_chars(text->data(), end, parsed);
    if (error == std::errc{} && at == end) return parsed;
  }
  return wrong_template(fmt::format("'{}' is no number", print_value(value)));
}

// Divides by `step` until it is below that, at most once for each prefix.
std::string scaled_up(double value, double step, std::span<const std::string_view> prefixes) {
  std::string_view prefix;
  for (const std::string_view next : prefixes) {
    if (std::fabs(value) < step) break;
    prefix = next;
    value /= step;
  }
  return four_digits(value).append(prefix);
}

std::string scaled_down(double value) {
  std::string_view prefix;
  for (const std::string_view next : kParts) {
    if (std::fabs(value) >= 1) break;
    prefix = next;
    value *= 1000;
  }
  return four_digits(value).append(prefix);
}

Result<TemplateValue> humanize(Arguments arguments) {
  const auto value = number(arguments[0]);
  if (!value) return std::unexpected(value.error());
  if (*value == 0 || not_finite(*value)) return four_digits(*value);
  return std::fabs(*value) >= 1 ? scaled_up(*value, 1000, kThousands) : scaled_down(*value);
}

Result<TemplateValue> humanize1024(Arguments arguments) {
  const auto value = number(arguments[0]);
  if (!value) return std::unexpected(value.error());
  if (std::fabs(*value) <= 1 || not_finite(*value)) return four_digits(*value);
  return scaled_up(*value, 1024, kBinary);
}

Result<TemplateValue> humanize_percentage(Arguments arguments) {
  const auto value = number(arguments[0]);
  if (!value) return std::unexpected(value.error());
  return four_digits(*value * 100) + "%";
}

Result<TemplateValue> humanize_duration(Arguments arguments) {
  const auto value = number(arguments[0]);
  if (!value) return std::unexpected(value.error());
  if (not_finite(*value)) return four_digits(*value);
  if (*value == 0) return "0s";
  const double size = std::fabs(*value);
  if (size < 1) return scaled_down(*value) + "s";
  const std::string_view sign = *value < 0 ? "-" : "";
  // More seconds than this have no whole number here, nor a meaning.
  const auto seconds = static_cast<std::int64_t>(std::min(size, 9e18));
  const std::int64_t days = seconds / 86400;
  const std::int64_t hours = seconds / 3600 % 24;
  const std::int64_t minutes = seconds / 60 % 60;
  if (days != 0) {
    return fmt::format("{}{}d {}h {}m {}s", sign, days, hours, minutes, seconds % 60);
  }
  if (hours != 0) return fmt::format("{}{}h {}m {}s", sign, hours, minutes, seconds % 60);
  if (minutes != 0) return fmt::format("{}{}m {}s", sign, minutes, seconds % 60);
  return fmt::format("{}{}s", sign, four_digits(size));
}

template <typename Change>
Result<TemplateValue> each_letter(Arguments arguments, Change change) {
  const auto* text = std::get_if<std::string>(arguments.data());
  if (text == nullptr)
    return wrong_template(fmt::format("{} is no text", print_value(arguments[0])));
  std::string out;
  char before = ' ';
  for (const char c : *text) {
    out += change(before, c);
    before = c;
  }
  return out;
}

char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }
bool in_word(char c) { return base::is_name_char(c) || (c & 0x80) != 0; }

Result<TemplateValue> to_upper(Arguments arguments) {
  return each_letter(arguments, [](char, char c) { return upper(c); });
}
Result<TemplateValue> to_lower(Arguments arguments) {
  return each_letter(arguments, [](char, char c) { return base::lower(c); });
}
Result<TemplateValue> title(Arguments arguments) {
  return each_letter(arguments, [](char before, char c) { return in_word(before) ? c : upper(c); });
}

Result<TemplateValue> strip_port(Arguments arguments) {
  const auto* text = std::get_if<std::string>(arguments.data());
  if (text == nullptr)
    return wrong_template(fmt::format("{} is no text", print_value(arguments[0])));
  const std::size_t colon = text->rfind(':');
  if (colon == std::string::npos) return *text;
  std::string host = text->substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) return host.substr(1, host.size() - 2);
  const bool whole = host.find_first_of(":[]") != std::string::npos;
  return whole ? *text : host;
}

// ---- printf

struct Verb {
  bool left = false;
  bool zeros = false;
  bool plus = false;
  int width = 0;
  int precision = -1;
  char letter = 0;
};

// Takes a number of at most that size off the front.
bool take_number(std::string_view& format, int most, int& out) {
  const auto [at, error] = std::from_chars(format.data(), format.data() + format.size(), out);
  if (error == std::errc::invalid_argument) return true;
  format.remove_prefix(static_cast<std::size_t>(at - format.data()));
  return error == std::errc{} && out >= 0 && out <= most;
}

// What stands behind a "%", taken off the front.
std::optional<Verb> take_verb(std::string_view& format) {
  Verb verb;
  for (; !format.empty(); format.remove_prefix(1)) {
    if (format[0] == '-') {
      verb.left = true;
    } else if (format[0] == '0') {
      verb.zeros = true;
    } else if (format[0] == '+') {
      verb.plus = true;
    } else {
      break;
    }
  }
  if (format.starts_with('-') || !take_number(format, kMostWidth, verb.width)) return std::nullopt;
  if (format.starts_with('.')) {
    format.remove_prefix(1);
    verb.precision = 0;
    if (format.starts_with('-') || !take_number(format, kMostPrecision, verb.precision)) {
      return std::nullopt;
    }
  }
  if (format.empty()) return std::nullopt;
  verb.letter = format[0];
  format.remove_prefix(1);
  return verb;
}

std::string padded(const Verb& verb, std::string text, bool is_number) {
  if (verb.plus && is_number && !text.starts_with('-') && !text.starts_with('+')) text = "+" + text;
  std::size_t letters = 0;  // code points, as Go counts
  for (const char c : text) letters += (c & 0xC0) != 0x80 ? 1U : 0U;
  const auto width = static_cast<std::size_t>(verb.width);
  if (letters >= width) return text;
  const std::size_t missing = width - letters;
  if (verb.left) return text + std::string(missing, ' ');
  if (!verb.zeros || !is_number) return std::string(missing, ' ') + text;
  const std::size_t sign = text.starts_with('-') || text.starts_with('+') ? 1 : 0;
  return text.insert(sign, missing, '0');
}

std::string real_text(const Verb& verb, double value) {
  if (auto word = not_finite(value)) return *word;
  switch (verb.letter) {
    case 'e':
      return fmt::format("{:.{}e}", value, verb.precision < 0 ? 6 : verb.precision);
    case 'f':
    case 'F':
      return fmt::format("{:.{}f}", value, verb.precision < 0 ? 6 : verb.precision);
    default:  // g and v
      if (verb.precision < 0) return shortest(value);
      return fmt::format("{:.{}g}", value, verb.precision);
  }
}

std::string go_quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else {
      out += c;
    }
  }
  return out + '"';
}

Result<std::string> verb_text(const Verb& verb, const TemplateValue& value) {
  const auto fits = [&](std::string_view letters) {
    return letters.find(verb.letter) != std::string_view::npos;
  };
  if (const auto* real = std::get_if<double>(&value); real != nullptr && fits("eEfFgv")) {
    return padded(verb, real_text(verb, *real), std::isfinite(*real));
  }
  if (const auto* whole = std::get_if<std::int64_t>(&value); whole != nullptr && fits("dv")) {
    return padded(verb, std::to_string(*whole), true);
  }
  if (const auto* text = std::get_if<std::string>(&value); text != nullptr && fits("sqv")) {
    std::string_view cut = *text;
    if (verb.precision >= 0) cut = cut.substr(0, static_cast<std::size_t>(verb.precision));
    return padded(verb, verb.letter == 'q' ? go_quoted(cut) : std::string(cut), false);
  }
  if (std::holds_alternative<bool>(value) && fits("tv")) {
    return padded(verb, print_value(value), false);
  }
  return wrong_template(fmt::format("%{} cannot write {}", verb.letter, print_value(value)));
}

Result<TemplateValue> print_formatted(Arguments arguments) {
  const auto* format = std::get_if<std::string>(arguments.data());
  if (format == nullptr) return wrong_template("the first thing of printf is no text");
  std::string out;
  std::size_t next = 1;
  for (std::string_view rest = *format; !rest.empty();) {
    const std::size_t plain = std::min(rest.find('%'), rest.size());
    out += rest.substr(0, plain);
    rest.remove_prefix(plain);
    if (rest.empty()) break;
    rest.remove_prefix(1);
    const auto verb = take_verb(rest);
    if (!verb) return wrong_template(fmt::format("'{}' is no format of printf", *format));
    if (verb->letter == '%') {
      out += '%';
      continue;
    }
    if (next == arguments.size())
      return wrong_template(fmt::format("'{}' asks for more values", *format));
    auto text = verb_text(*verb, arguments[next++]);
    if (!text) return std::unexpected(std::move(text.error()));
    out += *text;
  }
  if (next != arguments.size())
    return wrong_template(fmt::format("'{}' asks for fewer values", *format));
  return out;
}

// As Go's Sprint: a blank between two that are no texts.
Result<TemplateValue> print_plain(Arguments arguments) {
  std::string out;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto is_text = [&](std::size_t at) {
      return std::holds_alternative<std::string>(arguments[at]);
    };
    if (i > 0 && !is_text(i) && !is_text(i - 1)) out += ' ';
    out += print_value(arguments[i]);
  }
  return out;
}

// ---- comparisons

template <typename Compare>
Result<TemplateValue> compared(Arguments arguments, Compare compare) {
  if (arguments[0].index() != arguments[1].index()) {
    return wrong_template(
        fmt::format("{} and {} are of different types; a number with a point is one such as "
                    "$value",
                    print_value(arguments[0]), print_value(arguments[1])));
  }
  return std::visit(
      [&](const auto& left) -> Result<TemplateValue> {
        return compare(left, std::get<std::decay_t<decltype(left)>>(arguments[1]));
      },
      arguments[0]);
}

Result<TemplateValue> equal(Arguments a) { return compared(a, std::equal_to<>{}); }
Result<TemplateValue> not_equal(Arguments a) { return compared(a, std::not_equal_to<>{}); }
Result<TemplateValue> less(Arguments a) { return compared(a, std::less<>{}); }
Result<TemplateValue> less_equal(Arguments a) { return compared(a, std::less_equal<>{}); }
Result<TemplateValue> greater(Arguments a) { return compared(a, std::greater<>{}); }
Result<TemplateValue> greater_equal(Arguments a) { return compared(a, std::greater_equal<>{}); }

Result<TemplateValue> logical_not(Arguments arguments) { return !is_true(arguments[0]); }
Result<TemplateValue> logical_and(Arguments arguments) {
  const auto first = std::ranges::find_if_not(arguments, is_true);
  return first == arguments.end() ? arguments.back() : *first;
}
Result<TemplateValue> logical_or(Arguments arguments) {
  const auto first = std::ranges::find_if(arguments, is_true);
  return first == arguments.end() ? arguments.back() : *first;
}

constexpr std::size_t kMany = 20;
constexpr std::array<TemplateFunction, 19> kFunctions{{
    {"and", 1, kMany, logical_and},
    {"eq", 2, 2, equal},
    {"ge", 2, 2, greater_equal},
    {"gt", 2, 2, greater},
    {"humanize", 1, 1, humanize},
    {"humanize1024", 1, 1, humanize1024},
    {"humanizeDuration", 1, 1, humanize_duration},
    {"humanizePercentage", 1, 1, humanize_percentage},
    {"le", 2, 2, less_equal},
    {"lt", 2, 2, less},
    {"ne", 2, 2, not_equal},
    {"not", 1, 1, logical_not},
    {"or", 1, kMany, logical_or},
    {"print", 0, kMany, print_plain},
    {"printf", 1, kMany, print_formatted},
    {"stripPort", 1, 1, strip_port},
    {"title", 1, 1, title},
    {"toLower", 1, 1, to_lower},
    {"toUpper", 1, 1, to_upper},
}};

}  // namespace

std::string print_value(const TemplateValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* real = std::get_if<double>(&value)) return shortest(*real);
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return std::to_string(*whole);
  return std::get<bool>(value) ? "true" : "false";
}

bool is_true(const TemplateValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return !text->empty();
  if (const auto* real = std::get_if<double>(&value)) return *real != 0;
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return *whole != 0;
  return std::get<bool>(value);
}

const TemplateFunction* find_template_function(std::string_view name) {
  const auto* found = std::ranges::find(kFunctions, name, &TemplateFunction::name);
  return found == kFunctions.end() ? nullptr : found;
}

}  // namespace gpuscope::alert
