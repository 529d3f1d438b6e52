#include "config/listen.h"

#include <algorithm>
#include <limits>

#include "base/text.h"
#include "config/setting_value.h"

namespace gpuscope::config {

std::optional<HostPort> parse_listen(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  const auto port =
      parse_number<std::uint16_t>(digits, 0, std::numeric_limits<std::uint16_t>::max());
  if (!port) return std::nullopt;
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto allowed = [bracketed](char c) {
    const bool plain = base::is_name_char(c) || c == '.' || c == '-';
    return plain || (bracketed && (c == ':' || c == '%'));
  };
  if (host.empty() || !std::ranges::all_of(host, allowed)) return std::nullopt;
  return HostPort{.host = std::string(host), .port = *port};
}

void take_listen(const Values& values, std::string_view flag, http::Options& http) {
  std::optional<HostPort> place;
  take(values, flag, place, parse_listen);
  if (!place) return;
  http.host = place->host;
  http.port = place->port;
}

}  // namespace gpuscope::config
