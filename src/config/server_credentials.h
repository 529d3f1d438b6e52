// Who one is to a server that speaks Prometheus's protocols, as settings say it.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "config/settings.h"
#include "prom/options.h"

namespace gpuscope::config {

// The settings of one server, by their flags; each but the user may have its value in the file that
// the flag with "-file" behind it names.
struct CredentialFlags {
  std::string user, password, token, headers;
  std::string_view server;    // as in "a password for …"
  std::string_view user_env;  // what gives the user, for people
};

// kInvalidArgument for settings that do not go together.
base::Result<prom::Credentials> credentials_from(const Values& values,
                                                 const CredentialFlags& flags);

// Lines of `Name: value`.
std::string check_headers(const Setting& row, std::string_view value);

}  // namespace gpuscope::config
