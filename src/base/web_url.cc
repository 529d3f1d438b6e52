#include "base/web_url.h"

#include <algorithm>
#include <cstddef>

namespace gpuscope::base {
namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }

// In any case.
bool is_word(std::string_view text, std::string_view word) {
  return std::ranges::equal(text, word, {}, [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
}

// The parts of `scheme://authority/…`; empty where it is no URL.
struct UrlFront {
  std::string_view scheme;
  std::string_view authority;
};
UrlFront front_of(std::string_view url) {
  const std::size_t colon = url.find("://");
  if (colon == std::string_view::npos) return {};
  const std::string_view rest = url.substr(colon + 3);
  return {url.substr(0, colon), rest.substr(0, rest.find_first_of("/?#"))};
}

}  // namespace

std::string url_origin(std::string_view url) {
  const UrlFront front = front_of(url);
  if (front.authority.empty()) return std::string(url);
  const std::size_t at = front.authority.rfind('@');
  const std::string_view host =
      at == std::string_view::npos ? front.authority : front.authority.substr(at + 1);
  return std::string(front.scheme).append("://").append(host);
}

std::string check_web_url(std::string_view url) {
  const UrlFront front = front_of(url);
  if ((!is_word(front.scheme, "http") && !is_word(front.scheme, "https")) ||
      front.authority.empty()) {
    return "a URL begins with http:// or https:// and a host";
  }
  if (front.authority.find('@') != std::string_view::npos) {
    return "a URL has no user or password in it: there are settings for those";
  }
  if (url.find_first_of(" \"<>\\^`{|}") != std::string_view::npos ||
      std::ranges::any_of(url, is_control)) {
    return "a URL has no blanks and none of \"<>\\^`{|} in it";
  }
  return {};
}

}  // namespace gpuscope::base
