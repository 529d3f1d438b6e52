// What routes of all kinds make their responses with.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "http/server.h"
#include "wire/gzip.h"

namespace gpuscope::api {

inline constexpr std::string_view kJsonType = "application/json";
// A body that is smaller is sent as it is.
inline constexpr std::size_t kSmallestGzip = 1024;

inline http::Response json_response(std::string body, int status = 200) {
  return http::text_response(status, kJsonType, std::move(body));
}

// Compresses the body, where that pays; for who takes it.
inline void compress(wire::Gzip& gzip, http::Response& response) {
  if (response.body->size() < kSmallestGzip) return;
  std::string packed;
  if (!gzip.append(*response.body, packed)) return;
  response.body = std::make_shared<const std::string>(std::move(packed));
  response.gzip = true;
}

}  // namespace gpuscope::api
