#include "prom/credentials.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "base/secret.h"

namespace gpuscope::prom {
namespace {

using base::read_secret;
using base::Result;

std::string_view without_blanks(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

// Adds `Name: value` lines.
Result<void> add_headers(std::string_view text, http::WebRequest& request) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (without_blanks(line).empty()) continue;
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) {
      return base::fail(base::ErrorKind::kInvalidArgument,
                        "cannot use the further headers: a line is not 'Name: value'");
    }
    request.headers.emplace_back(without_blanks(line.substr(0, colon)),
                                 without_blanks(line.substr(colon + 1)));
  }
  return {};
}

}  // namespace

Result<void> add_credentials(const Credentials& credentials, http::WebRequest& request) {
  auto headers = read_secret(credentials.headers);
  if (!headers) return std::unexpected(std::move(headers.error()));
  if (auto done = add_headers(*headers, request); !done) return done;
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
