#include "http/negotiate.h"

#include <algorithm>
#include <cstddef>
#include <optional>

namespace gpuscope::http {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool same_word(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Cuts what stands before the first `separator` off `text`, and the separator with it.
std::string_view cut(std::string_view& text, char separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view head = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return trimmed(head);
}

// Whether "q=0.5;…" is above 0; without a q it is 1. Digits alone decide: 0.000 is 0.
bool wanted(std::string_view parameters) {
  while (!parameters.empty()) {
    std::string_view value = cut(parameters, ';');
    if (!same_word(cut(value, '='), "q")) continue;
    value = trimmed(value);
    return value.find_first_not_of("0123456789.") == std::string_view::npos &&
           value.find_first_of("123456789") != std::string_view::npos;
  }
  return true;
}

}  // namespace

bool accepts_gzip(std::string_view accept_encoding) {
  std::optional<bool> by_name;
  bool by_wildcard = false;
  while (!accept_encoding.empty()) {
    std::string_view parameters = cut(accept_encoding, ',');
    const std::string_view coding = cut(parameters, ';');
    if (same_word(coding, "gzip") || same_word(coding, "x-gzip")) by_name = wanted(parameters);
    if (coding == "*") by_wildcard = wanted(parameters);
  }
  return by_name.value_or(by_wildcard);
}

}  // namespace gpuscope::http
