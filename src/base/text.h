// Text that people and programs of others wrote, in ASCII whatever the locale.
#pragma once

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>

namespace gpuscope::base {

inline constexpr std::string_view kBlanks = " \t\r\n";

// Without `blanks` at both ends.
constexpr std::string_view trimmed(std::string_view text, std::string_view blanks = kBlanks) {
  const std::size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

// Takes what stands before the first `separator`, or all, off the front, and the separator with it.
constexpr std::string_view take_part(std::string_view& text, char separator) {
  const std::string_view part = text.substr(0, text.find(separator));
  text.remove_prefix(std::min(text.size(), part.size() + 1));
  return part;
}

// All of `text` as std::from_chars() reads it; `format` is that of numbers with decimals.
template <typename Number>
std::optional<Number> parse_number(std::string_view text,
                                   std::chars_format format = std::chars_format::general) {
  Number number{};
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  std::from_chars_result read{};
  if constexpr (std::is_floating_point_v<Number>) {
    read = std::from_chars(begin, end, number, format);
  } else {
    read = std::from_chars(begin, end, number);
  }
  return read.ec == std::errc{} && read.ptr == end ? std::optional(number) : std::nullopt;
}

constexpr bool is_blank(char c) { return kBlanks.contains(c); }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
constexpr bool is_letter(char c) { return lower(c) >= 'a' && lower(c) <= 'z'; }

// What names of labels, and of most other things, consist of.
constexpr bool is_name_char(char c) { return is_letter(c) || is_digit(c) || c == '_'; }

inline std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = lower(c);
  return out;
}

// Whether both are the same but for upper and lower case.
constexpr bool same_word(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char c, char d) { return lower(c) == lower(d); });
}

}  // namespace gpuscope::base
