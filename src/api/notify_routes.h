// GET /api/v1/notifications: messages of alerts, and what became of them.
#pragma once

#include <cstddef>
#include <functional>
#include <utility>

#include "http/server.h"
#include "wire/notifications_document.h"

namespace gpuscope::api {

// Not thread-safe: for the server's thread alone.
class NotifyRoute {
 public:
  // What there is now, the newest `most` messages; asked on the server's thread, must not wait.
  using Look = std::function<wire::Notifications(std::size_t most)>;

  // To be called before the first request; without it there are none.
  void configure(Look look) { look_ = std::move(look); }
  http::Response answer(const http::Request& request) const;

 private:
  Look look_;
};

}  // namespace gpuscope::api
