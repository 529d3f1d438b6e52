#include "http/negotiate.h"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "base/text.h"

namespace gpuscope::http {
namespace {

using base::same_word;

constexpr std::string_view kSpaces = " \t";

// Cuts what stands before the first `separator` off `text`, and the separator with it.
std::string_view cut(std::string_view& text, char separator) {
  return base::trimmed(base::take_part(text, separator), kSpaces);
}

// Whether "q=0.5;…" is above 0; without a q it is 1. Digits alone decide: 0.000 is 0.
bool wanted(std::string_view parameters) {
  while (!parameters.empty()) {
    std::string_view value = cut(parameters, ';');
    if (!same_word(cut(value, '='), "q")) continue;
    value = base::trimmed(value, kSpaces);
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
