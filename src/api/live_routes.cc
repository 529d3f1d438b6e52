#include "api/live_routes.h"

#include <string_view>
#include <utility>

#include "api/live_stream.h"
#include "api/metrics_routes.h"
#include "api/responses.h"
#include "api/with_snapshot.h"
#include "wire/catalog_document.h"
#include "wire/gzip.h"
#include "wire/snapshot_document.h"
#include "wire/stream_event.h"

namespace gpuscope::api {
LiveRoutes::LiveRoutes(collect::Collector& collector, DocumentCache& cache)
    : collector_(collector), cache_(cache) {
  std::string plain;
  wire::append_catalog(plain);
  std::string packed;
  if (wire::Gzip().append(plain, packed)) {
    catalog_gzip_ = std::make_shared<const std::string>(std::move(packed));
  }
  catalog_ = std::make_shared<const std::string>(std::move(plain));
}

http::Response LiveRoutes::catalog(const http::Request& request) const {
  http::Response response;
  response.content_type = kJsonType;
  response.gzip = request.accepts_gzip && catalog_gzip_;
  response.body = response.gzip ? catalog_gzip_ : catalog_;
  return response;
}

std::optional<http::Response> LiveRoutes::snapshot(const http::Request& request) {
  return with_snapshot(
      collector_, request, [&](std::string_view method, const model::Snapshot& snapshot) {
        return cache_.answer({method, Document::kSnapshot}, snapshot, request, kJsonType,
                             [&](std::string& out) { wire::append_snapshot(out, snapshot); });
      });
}

std::optional<http::Response> LiveRoutes::stream(const http::Request& request) {
  const auto asked = request.query_value("method");
  if (asked && canonical_method(*asked) && canonical_method(*asked) != collector_.primary()) {
    return http::error_response(400,
                                "The stream is of the method that the agent was started with, " +
                                    collector_.primary() + "; leave ?method= out");
  }
  return with_snapshot(
      collector_, request, [&](std::string_view method, const model::Snapshot& snapshot) {
        // Before the cache is asked for the event: an entry of it does not outlive another request.
        const auto document =
            cache_.plain({method, Document::kSnapshot}, snapshot,
                         [&](std::string& out) { wire::append_snapshot(out, snapshot); });
        http::Response response;
        response.content_type = wire::kEventStreamType;
        response.body =
            cache_.plain({method, Document::kStreamStart}, snapshot, [&](std::string& out) {
              out += wire::kRetry;
              wire::append_event(out, kTickEvent, snapshot.sequence, *document);
            });
        response.headers.emplace_back("Cache-Control", "no-store");
        response.headers.emplace_back("X-Accel-Buffering",
                                      "no");  // a proxy shall pass it on at once
        response.stream = http::Stream{.topic = kTickTopic, .after = snapshot.sequence};
        return response;
      });
}

}  // namespace gpuscope::api
