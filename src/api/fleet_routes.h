// The REST API of the fleet's analysis, of a fleet service and of an agent. docs/api/openapi.yaml
// describes it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analyze/analyzer.h"
#include "api/router.h"
#include "api/slow_answers.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "http/server.h"
#include "wire/fleet_document.h"
#include "wire/gzip.h"
#include "wire/metrics_format.h"

namespace gpuscope::api {

struct FleetSetup {
  std::string version;
  // What does not change while it runs; the rest is the analyzer's.
  wire::FleetConfig config;
  bool ai_configured = false;  // there is a model that may be asked
  // Appends further families to /metrics; empty: there are none.
  std::function<void(wire::MetricsFormat, std::string& out)> more_metrics{};
  // What was done because of results, as JSON. May wait for the disk. Empty: nothing ever is.
  std::function<base::Result<std::string>()> actions{};
};

// Documents are encoded once for all who ask, and again when something has changed; those of a
// large fleet on another thread, for which start() is needed. Not thread-safe: for the server's
// thread alone.
class FleetRoutes {
 public:
  // Compressing more than this takes longer than sending it as it is.
  static constexpr std::size_t kLargestGzip = std::size_t{512} * 1'048'576;
  // Encoding more GPUs than this would hold up all others, too.
  static constexpr std::size_t kMostAtOnce = 1000;

  // Without these all answers are 503, for `why_none`.
  void configure(base::Clock& clock, analyze::Analyzer& analyzer, FleetSetup setup);
  // Answers what takes its time, on a thread of its own; `wake` as of SlowAnswers. To be stopped
  // before what `actions` needs is gone.
  void start(std::function<void()> wake);
  void stop() { slow_.stop(); }
  void configure_none(std::string why_none) { why_none_ = std::move(why_none); }
  bool is_configured() const { return analyzer_ != nullptr; }

  // /analyze, /results, /results/low, /results/stats, /actions, /config and
  // /config/update.
  std::vector<Route> table();
  // `GET /` of a service.
  std::string service_document() const;
  // The members that `GET /` of an agent has of it, and those of `GET /health` but for status, in
  // an object that is open. Nothing where it is not configured.
  void write_features(wire::JsonWriter& json) const;
  void write_health(wire::JsonWriter& json) const;
  // "healthy", "degraded" or "warning".
  std::string_view status() const;
  // The page of /metrics without an end.
  void append_metrics(std::string& out, wire::MetricsFormat format) const;
  // The whole page; nullopt: not yet.
  std::optional<http::Response> metrics(const http::Request& request);

 private:
  enum Document : std::uint8_t { kResults, kLow, kStats, kMetrics, kOpenMetrics, kDocuments };
  struct Encoded {
    std::uint64_t version = 0;
    std::shared_ptr<const std::string> plain;
    std::shared_ptr<const std::string> gzip;
  };

  template <typename Encode>
  std::optional<http::Response> answer(Document document, const http::Request& request,
                                       std::string_view content_type, Encode encode);
  // Any thread.
  template <typename Encode>
  http::Response encoded(Document document, bool gzip, std::string_view content_type,
                         wire::Gzip& packer, Encode encode);
  static http::Response response_of(const Encoded& entry, bool gzip, std::string_view content_type);
  Encoded kept(Document document) const;
  void keep(Document document, Encoded encoded);
  // Answers with what `use` makes of the analyzer, or why there is none.
  template <typename Use>
  RouteHandler with_analyzer(Use use);
  wire::FleetConfig config() const;
  wire::FleetHealth health() const;
  http::Response analyze(const http::Request& request);
  std::optional<http::Response> actions(const http::Request& request);
  http::Response update(const http::Request& request);

  base::Clock* clock_ = nullptr;
  analyze::Analyzer* analyzer_ = nullptr;
  FleetSetup setup_;
  std::string why_none_ = "cannot analyse: this agent keeps no history";
  mutable base::Mutex mutex_;
  std::array<Encoded, kDocuments> documents_ GUARDED_BY(mutex_);
  wire::Gzip gzip_;
  wire::Gzip slow_gzip_;  // of slow_'s one thread
  SlowAnswers slow_;
};

// All that a fleet service serves.
class FleetService {
 public:
  FleetService(base::Clock& clock, analyze::Analyzer& analyzer, FleetSetup setup);

  // An http::Handler.
  std::optional<http::Response> handle(const http::Request& request) {
    return router_.handle(request);
  }
  std::span<const Route> table() const { return router_.routes(); }
  FleetRoutes& fleet() { return fleet_; }

 private:
  std::vector<Route> make_table();
  http::Response service(const http::Request& request) const;
  http::Response health() const;

  FleetRoutes fleet_;
  const Router router_;
};

}  // namespace gpuscope::api
