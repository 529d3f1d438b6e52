// Pages for people.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "http/server.h"

namespace gpuscope::api {

// Our pages hold their own style and script, and talk to this server alone.
inline constexpr std::string_view kPagePolicy =
    "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; style-src "
    "'unsafe-inline'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

inline http::Response page_response(std::shared_ptr<const std::string> body) {
  http::Response response;
  response.content_type = "text/html; charset=utf-8";
  response.body = std::move(body);
  response.headers.emplace_back("Content-Security-Policy", kPagePolicy);
  return response;
}
inline http::Response page_response(std::string_view body) {
  return page_response(std::make_shared<const std::string>(body));
}

}  // namespace gpuscope::api
