#include "api/notify_routes.h"

#include <charconv>
#include <string>
#include <utility>

namespace gpuscope::api {

http::Response NotifyRoute::answer(const http::Request& request) const {
  constexpr std::size_t kUsual = 100;
  constexpr std::size_t kMost = 10'000;
  std::size_t most = kUsual;
  if (const auto asked = request.query_value("limit")) {
    const auto [end, error] = std::from_chars(asked->data(), asked->data() + asked->size(), most);
    const bool whole = error == std::errc{} && end == asked->data() + asked->size();
    if (!whole || most < 1 || most > kMost) {
      return http::error_response(400, "limit is not a whole number from 1 to 10000");
    }
  }
  std::string body;
  wire::append_notifications(body, look_ ? look_(most) : wire::Notifications{});
  return http::text_response(200, "application/json", std::move(body));
}

}  // namespace gpuscope::api
