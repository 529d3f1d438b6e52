// /api/v1: the catalogue, the latest snapshot, and the stream of them.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "api/document_cache.h"
#include "collect/collector.h"
#include "http/server.h"

namespace gpuscope::api {

// Not thread-safe: for the server's thread alone.
class LiveRoutes {
 public:
  // Collector and cache outlive this object.
  LiveRoutes(collect::Collector& collector, DocumentCache& cache);

  http::Response catalog(const http::Request& request) const;
  std::optional<http::Response> snapshot(const http::Request& request);
  // Begins with the snapshot there is; LiveStream publishes those that follow. Of the method that
  // the agent was started with: 400 for another.
  std::optional<http::Response> stream(const http::Request& request);

 private:
  collect::Collector& collector_;
  DocumentCache& cache_;
  std::shared_ptr<const std::string> catalog_;
  std::shared_ptr<const std::string> catalog_gzip_;
};

}  // namespace gpuscope::api
