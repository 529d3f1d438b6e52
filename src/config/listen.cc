#include "config/listen.h"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "base/text.h"

namespace gpuscope::config {

std::optional<HostPort> parse_listen(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  HostPort parsed;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), parsed.port);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto allowed = [bracketed](char c) {
    const bool plain = base::is_name_char(c) || c == '.' || c == '-';
    return plain || (bracketed && (c == ':' || c == '%'));
  };
  if (host.empty() || !std::ranges::all_of(host, allowed)) return std::nullopt;
  parsed.host = host;
  return parsed;
}

}  // namespace gpuscope::config
