#include "config/server_credentials.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/text.h"
#include "config/setting_value.h"

namespace gpuscope::config {

base::Result<prom::Credentials> credentials_from(const Values& values,
                                                 const CredentialFlags& flags) {
  const std::string password_file = flags.password + "-file";
  const std::string token_file = flags.token + "-file";
  const std::string headers_file = flags.headers + "-file";
  const std::array<std::pair<std::string_view, std::string_view>, 5> either{
      {{flags.password, password_file},
       {flags.token, token_file},
       {flags.headers, headers_file},
       {flags.user, flags.token},
       {flags.user, token_file}}};
  if (auto refused = refuse_both(values, either); !refused) {
    return std::unexpected(std::move(refused.error()));
  }
  const bool has_password = values.contains(flags.password) || values.contains(password_file);
  if (has_password && !values.contains(flags.user)) {
    return base::fail(base::ErrorKind::kInvalidArgument,
                      fmt::format("cannot use a password for {} without a user; give {}",
                                  flags.server, flags.user_env));
  }
  return prom::Credentials{.user = text_of(values, flags.user).value_or(""),
                           .password = secret_of(values, flags.password),
                           .token = secret_of(values, flags.token),
                           .headers = secret_of(values, flags.headers)};
}

std::string check_headers(const Setting& row, std::string_view value) {
  while (!value.empty()) {
    std::string_view line = base::trimmed(base::take_part(value, '\n'));
    if (line.empty()) continue;
    const bool has_colon = line.contains(':');
    if (!has_colon || base::trimmed(base::take_part(line, ':')).empty()) {
      return fmt::format("a line is not {}", row.takes);
    }
  }
  return "";
}

}  // namespace gpuscope::config
