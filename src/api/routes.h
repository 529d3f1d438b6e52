// The agent's REST API: requests to documents. docs/api/openapi.yaml describes it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/alert_routes.h"
#include "api/document_cache.h"
#include "api/fleet_routes.h"
#include "api/history_routes.h"
#include "api/live_routes.h"
#include "api/metrics_routes.h"
#include "api/notify_routes.h"
#include "api/query_routes.h"
#include "api/router.h"
#include "collect/collector.h"
#include "http/server.h"
#include "wire/prometheus_text.h"
#include "wire/rest.h"

namespace gpuscope::api {

// Not thread-safe: handle() is for the server's thread alone.
class Routes {
 public:
  // `collector` outlives this object; `version` is the program's.
  Routes(collect::Collector& collector, std::string version);

  // How /metrics looks. To be called before the first request.
  void configure_metrics(MetricsSetup setup) { metrics_route_.configure(std::move(setup)); }

  // The same from the next tick on, from any thread.
  void change_metrics(wire::MetricsOptions options) { metrics_route_.change(std::move(options)); }

  // What /health says beside how GPUs are read; asked on the server's thread. To be called before
  // the first request.
  void configure_health(std::function<wire::AgentHealth()> agent) { agent_ = std::move(agent); }

  // What /api/v1/notifications shows. To be called before the first request.
  void configure_notifications(NotifyRoute::Look look) { notify_.configure(std::move(look)); }

  // What /api/v1/range looks back with. To be called before the first request;
  // stop_history() when there are no more.
  base::Result<void> start_history(base::Clock& clock, HistorySetup setup) {
    return history_.start(clock, std::move(setup));
  }
  void stop_history() { history_.stop(); }
  // The same of what speaks Prometheus's API; stop_queries() when there are no more.
  base::Result<void> start_queries(base::Clock& clock, QuerySetup setup) {
    setup.version = version_;
    return query_.start(clock, std::move(setup));
  }
  void stop_queries() { query_.stop(); }

  // What /api/v1/alerts and its like ask. As of AlertRoutes::configure().
  void configure_alerts(alert::Alerting* alerting, std::string why_none) {
    alerts_.configure(alerting, std::move(why_none));
  }

  // What judges how the GPUs are used. To be configured before the first request.
  FleetRoutes& fleet() { return fleet_; }

  // An http::Handler.
  std::optional<http::Response> handle(const http::Request& request) {
    return router_.handle(request);
  }

  std::span<const Route> table() const { return router_.routes(); }
  const DocumentCache& cache() const { return cache_; }

 private:
  std::vector<Route> make_table();
  // Answers for one GPU: `use(key, snapshot)` with the key's document left open.
  template <typename Use>
  std::optional<http::Response> with_gpu(const http::Request& request, Captures captures, Use use);

  http::Response service(const http::Request& request) const;
  http::Response health() const;
  std::optional<http::Response> list(const http::Request& request);
  std::optional<http::Response> metric(const http::Request& request);
  std::optional<http::Response> metrics(const http::Request& request);
  std::optional<http::Response> gpu_metrics(const http::Request& request, Captures captures);
  std::optional<http::Response> gpu(const http::Request& request, Captures captures);
  std::optional<http::Response> gpu_static(const http::Request& request, Captures captures);
  std::optional<http::Response> gpu_path(const http::Request& request, Captures captures);

  collect::Collector& collector_;
  const std::string version_;
  const std::shared_ptr<const std::string> page_;
  const std::shared_ptr<const std::string> openapi_;
  const std::shared_ptr<const std::string> docs_;
  DocumentCache cache_;
  // One renderer a method, since each has prepared one inventory.
  std::map<std::string, wire::PrometheusText, std::less<>> renderers_;
  MetricsRoute metrics_route_;
  LiveRoutes live_;
  HistoryRoutes history_;
  QueryRoutes query_;
  AlertRoutes alerts_;
  FleetRoutes fleet_;
  NotifyRoute notify_;
  std::function<wire::AgentHealth()> agent_;
  const Router router_;
};

}  // namespace gpuscope::api
