#include "api/metrics_routes.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "api/process_stats.h"
#include "wire/prometheus_text.h"

namespace gpuscope::api {
namespace {

using wire::MetricsFormat;

std::size_t present_gpus(const collect::View& view) {
  if (!view.snapshot) return 0;
  const auto& trends = view.snapshot->trends;
  return static_cast<std::size_t>(std::ranges::count(trends, true, &model::GpuTrend::present));
}

// Refers to the texts of `method` and `view`.
wire::SourceMetrics source_metrics(std::string_view method, const collect::View& view) {
  const collect::SourceStatus& status = view.status;
  wire::SourceMetrics source;
  source.method = method;
  source.up = status.state == collect::SourceState::kRunning;
  if (!source.up) source.error = status.error.message;
  if (source.up && status.trouble) source.error = status.trouble->message;
  source.ticks = status.ticks;
  source.missed_ticks = status.missed_ticks;
  source.failures = status.failures;
  source.device_timeouts = status.device_timeouts;
  if (status.last_tick) source.last_tick_duration = status.last_tick_duration;
  source.last_tick = status.last_tick;
  source.expected_gpus = status.expected_gpus;
  source.present_gpus = present_gpus(view);
  return source;
}

std::vector<wire::PlainCounter> http_counters(const MetricsSetup& setup) {
  if (!setup.http_counters) return {};
  const http::Counters counters = setup.http_counters();
  return {
      {"gpuscope_http_connections_total", "Connections that the server accepted",
       counters.connections},
      {"gpuscope_http_connections_refused_total", "Connections over the most that it takes",
       counters.refused},
      {"gpuscope_http_requests_total", "Requests that were answered", counters.requests},
      {"gpuscope_http_bad_requests_total", "Requests that were no HTTP, or too large",
       counters.bad_requests},
      {"gpuscope_http_timeouts_total", "Connections that were closed for being slow",
       counters.timed_out},
      {"gpuscope_http_accept_failures_total", "Connections that could not be accepted",
       counters.accept_failures},
      {"gpuscope_http_handler_failures_total", "Requests that failed inside the agent",
       counters.handler_failures},
  };
}

}  // namespace

MetricsRoute::MetricsRoute(collect::Collector& collector, std::string version, DocumentCache& cache)
    : collector_(collector), version_(std::move(version)), cache_(cache) {
  configure({});
}

void MetricsRoute::configure(MetricsSetup setup) {
  setup_ = std::move(setup);
  text_ = std::make_unique<wire::MetricsText>(setup_.options);
}

void MetricsRoute::change(wire::MetricsOptions options) {
  const base::MutexLock lock(mutex_);
  changed_ = std::move(options);
}

void MetricsRoute::take_changes() {
  std::optional<wire::MetricsOptions> changed;
  {
    const base::MutexLock lock(mutex_);
    changed.swap(changed_);
  }
  if (!changed) return;
  setup_.options = std::move(*changed);
  text_ = std::make_unique<wire::MetricsText>(setup_.options);
}

std::optional<http::Response> MetricsRoute::answer(const http::Request& request) {
  const std::string& primary = collector_.primary();
  if (const auto word = request.query_value("method")) {
    const auto method = canonical_method(*word);
    if (!method) return http::error_response(400, "Invalid method");
    if (*method != primary) {
      return http::error_response(
          400, "/metrics is of the method that the agent was started with, '" + primary +
                   "'; /gpu/metric has the others");
    }
  }
  const MetricsFormat format = wire::choose_metrics_format(request.accept);
  const bool open_metrics = format == MetricsFormat::kOpenMetrics;
  const std::string_view type = open_metrics ? wire::kOpenMetricsType : wire::kPrometheusTextType;
  const collect::View view = collector_.view(primary);
  http::Response response;
  if (view.snapshot) {
    const DocumentKey key{primary,
                          open_metrics ? Document::kOpenMetrics : Document::kPrometheusMetrics};
    const auto write = [&](std::string& out) { encode(view, format, out); };
    const bool large = cache_.plain(key, *view.snapshot, write)->size() > kLargestGzip;
    http::Request plain_request;
    response = cache_.answer(key, *view.snapshot, large ? plain_request : request, type, write);
  } else {
    const bool starting = view.status.state == collect::SourceState::kStarting;
    if (starting && request.waited < kFirstReadingLimit) return std::nullopt;
    std::string body;
    encode(view, format, body);
    response = http::text_response(200, type, std::move(body));
  }
  response.headers.emplace_back("Vary", "Accept");
  return response;
}

void MetricsRoute::encode(const collect::View& primary, MetricsFormat format, std::string& out) {
  take_changes();
  std::vector<std::string> methods = collector_.running();
  std::erase(methods, collector_.primary());
  std::vector<collect::View> views;
  views.reserve(methods.size());
  for (const std::string& method : methods) views.push_back(collector_.peek(method));
  std::vector<wire::SourceMetrics> sources{source_metrics(collector_.primary(), primary)};
  for (std::size_t i = 0; i < methods.size(); ++i) {
    sources.push_back(source_metrics(methods[i], views[i]));
  }
  PartMetrics parts{.counters = http_counters(setup_), .gauges = {}};
  for (const auto& part : setup_.parts) part(parts);

  wire::AgentMetrics agent;
  agent.version = version_;
  agent.sources = sources;
  agent.counters = parts.counters;
  agent.gauges = parts.gauges;
  agent.process = read_process_stats(setup_.proc);
  if (primary.status.absent_gpus) agent.absent_gpus = *primary.status.absent_gpus;
  text_->append(primary.snapshot.get(), agent, format, out);
  if (!setup_.more) return;
  constexpr std::string_view kEnd = "# EOF\n";
  const bool has_end = out.ends_with(kEnd);
  if (has_end) out.resize(out.size() - kEnd.size());
  setup_.more(format, out);
  if (has_end) out += kEnd;
}

}  // namespace gpuscope::api
