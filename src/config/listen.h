// The address that a server listens on, as settings have it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/settings.h"
#include "http/server.h"

namespace gpuscope::config {

struct HostPort {
  std::string host;
  std::uint16_t port = 0;
};

// "127.0.0.1:9555", "localhost:9555", "[::1]:9555"; nullopt for anything else.
std::optional<HostPort> parse_listen(std::string_view text);

// Where a server listens, where somebody said.
void take_listen(const Values& values, std::string_view flag, http::Options& http);

}  // namespace gpuscope::config
