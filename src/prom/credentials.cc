#include "prom/credentials.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "base/secret.h"

namespace gpuscope::prom {

using base::read_secret;
using base::Result;

Result<void> add_credentials(const Credentials& credentials, http::WebRequest& request) {
  auto headers = read_secret(credentials.headers);
  if (!headers) return std::unexpected(std::move(headers.error()));
  auto lines = http::parse_header_lines(*headers);
  if (!lines) {
    return base::fail(base::ErrorKind::kInvalidArgument,
                      "cannot use the further headers: a line is not 'Name: value'");
  }
  std::ranges::move(*lines, std::back_inserter(request.headers));
  if (credentials.token.is_given()) {
    auto token = read_secret(credentials.token);
    if (!token) return std::unexpected(std::move(token.error()));
    request.headers.emplace_back("Authorization", "Bearer " + *token);
  }
  if (!credentials.user.empty()) {
    auto password = read_secret(credentials.password);
    if (!password) return std::unexpected(std::move(password.error()));
    request.user = credentials.user;
    request.password = std::move(*password);
  }
  return {};
}

}  // namespace gpuscope::prom
