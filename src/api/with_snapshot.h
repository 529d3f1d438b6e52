// What every route does that answers with what was read: chooses the method and waits for its first
// tick.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "api/metrics_routes.h"
#include "collect/collector.h"
#include "http/server.h"

namespace gpuscope::api {

// How long a request waits for the first reading of a method that was not running.
inline constexpr std::chrono::seconds kFirstReadingLimit{10};

// Answers with `use(method, snapshot)`, or says why there is no snapshot, or waits for one. Of the
// request's ?method=, or of the method that the agent was started with.
template <typename Use>
std::optional<http::Response> with_snapshot(collect::Collector& collector,
                                            const http::Request& request, Use use) {
  const auto asked = request.query_value("method");
  const auto method =
      asked ? canonical_method(*asked) : std::optional<std::string_view>(collector.primary());
  if (!method) return http::error_response(400, "Invalid method");
  const collect::View view = collector.view(*method);
  if (view.snapshot) return use(*method, *view.snapshot);
  if (view.status.state == collect::SourceState::kFailed) {
    return http::error_response(503, view.status.error.message);
  }
  if (request.waited < kFirstReadingLimit) return std::nullopt;
  return http::error_response(
      503, "cannot read GPUs by method '" + std::string(*method) +
               "': its first reading takes longer than 10 s; ask again, or ask for another "
               "method with ?method=");
}

}  // namespace gpuscope::api
