#include "api/routes.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <utility>
#include <vector>

#include "api/embedded.h"
#include "api/pages.h"
#include "api/responses.h"
#include "api/with_snapshot.h"
#include "model/naming.h"
#include "wire/json_path.h"
#include "wire/query_document.h"
#include "wire/rest.h"

namespace gpuscope::api {
namespace {

std::shared_ptr<const std::string> shared(std::string_view text) {
  return std::make_shared<const std::string>(text);
}

http::Response shared_response(std::string_view content_type,
                               const std::shared_ptr<const std::string>& body) {
  http::Response response;
  response.content_type = content_type;
  response.body = body;
  return response;
}

std::string join(Captures segments) {
  std::string path;
  for (const std::string& segment : segments) {
    if (!path.empty()) path += '/';
    path += segment;
  }
  return path;
}

std::string_view state_name(collect::SourceState state) {
  switch (state) {
    case collect::SourceState::kStarting:
      return "starting";
    case collect::SourceState::kRunning:
      return "running";
    case collect::SourceState::kFailed:
      return "failed";
  }
  return "failed";
}

// Refers to the texts of `method` and `view`.
wire::SourceHealth source_health(std::string_view method, const collect::View& view) {
  wire::SourceHealth health;
  health.method = method;
  health.state = state_name(view.status.state);
  if (view.status.state != collect::SourceState::kRunning) {
    health.error = view.status.error.message;
  } else if (view.status.trouble) {
    health.error = view.status.trouble->message;
  }
  health.ticks = view.status.ticks;
  health.missed_ticks = view.status.missed_ticks;
  health.device_timeouts = view.status.device_timeouts;
  health.last_tick_duration = view.status.last_tick_duration;
  if (view.snapshot) {
    health.simulated = view.snapshot->inventory->simulated;
    health.gpus = view.snapshot->devices.size();
    health.last_tick = view.snapshot->time;
  }
  return health;
}

}  // namespace

std::optional<std::string_view> canonical_method(std::string_view word) {
  if (word == "bash") return "smi";
  constexpr std::array<std::string_view, 5> kMethods{"nvml", "smi", "sim", "auto", "replay"};
  const auto* found = std::ranges::find(kMethods, word);
  if (found == kMethods.end()) return std::nullopt;
  return *found;
}

Routes::Routes(collect::Collector& collector, std::string version)
    : collector_(collector),
      version_(std::move(version)),
      page_(shared(embedded::page_html)),
      openapi_(shared(embedded::openapi_json)),
      docs_(shared(embedded::docs_html)),
      metrics_route_(collector_, version_, cache_),
      live_(collector_, cache_),
      router_(make_table()) {}

std::vector<Route> Routes::make_table() {
  using http::Request;
  std::vector<Route> table{
      {"GET", "/", "service", false,
       [this](const Request& request, Captures) { return service(request); }},
      {"GET", "/health", "health", false, [this](const Request&, Captures) { return health(); }},
      {"GET", "/openapi.json", "openapi", false,
       [this](const Request&, Captures) { return shared_response(kJsonType, openapi_); }},
      {"GET", "/docs", "docs", false,
       [this](const Request&, Captures) { return page_response(docs_); }},
      {"GET", "/metrics", "metrics", false,
       [this](const Request& request, Captures) { return metrics_route_.answer(request); }},
      {"GET", "/api/v1/catalog", "catalog", false,
       [this](const Request& request, Captures) { return live_.catalog(request); }},
      {"GET", "/api/v1/snapshot", "snapshot", false,
       [this](const Request& request, Captures) { return live_.snapshot(request); }},
      {"GET", "/api/v1/stream", "stream", false,
       [this](const Request& request, Captures) { return live_.stream(request); }},
      {"GET", "/api/v1/series", "series", false,
       [this](const Request& request, Captures) { return query_.series(request); }},
      {"POST", "/api/v1/series", "series", false,
       [this](const Request& request, Captures) { return query_.series(request); }},
      {"GET", "/api/v1/query", "query", false,
       [this](const Request& request, Captures) { return query_.query(request); }},
      {"POST", "/api/v1/query", "query", false,
       [this](const Request& request, Captures) { return query_.query(request); }},
      {"GET", "/api/v1/query_range", "query_range", false,
       [this](const Request& request, Captures) { return query_.query_range(request); }},
      {"POST", "/api/v1/query_range", "query_range", false,
       [this](const Request& request, Captures) { return query_.query_range(request); }},
      {"GET", "/api/v1/query_exemplars", "query_exemplars", false,
       [this](const Request&, Captures) { return query_.exemplars(); }},
      {"POST", "/api/v1/query_exemplars", "query_exemplars", false,
       [this](const Request&, Captures) { return query_.exemplars(); }},
      {"GET", "/api/v1/labels", "labels", false,
       [this](const Request& request, Captures) { return query_.labels(request); }},
      {"POST", "/api/v1/labels", "labels", false,
       [this](const Request& request, Captures) { return query_.labels(request); }},
      {"GET", "/api/v1/label/{name}/values", "label_values", false,
       [this](const Request& request, Captures captures) {
         return query_.label_values(request, captures[0]);
       }},
      {"GET", "/api/v1/metadata", "metadata", false,
       [this](const Request& request, Captures) { return query_.metadata(request); }},
      {"GET", "/api/v1/status/buildinfo", "buildinfo", false,
       [this](const Request&, Captures) { return query_.buildinfo(); }},
      {"GET", "/api/v1/range", "range", false,
       [this](const Request& request, Captures) { return history_.range(request); }},
      {"GET", "/api/v1/notifications", "notifications", false,
       [this](const Request& request, Captures) { return notify_.answer(request); }},
      {"GET", "/gpu/list", "list", false,
       [this](const Request& request, Captures) { return list(request); }},
      {"GET", "/gpu/metric", "metric", false,
       [this](const Request& request, Captures) { return metric(request); }},
      {"GET", "/gpu/metrics/json", "metrics_json", false,
       [this](const Request& request, Captures) { return metrics(request); }},
      {"GET", "/gpu/metrics/json/{uuid}", "gpu_metrics_json", false,
       [this](const Request& request, Captures at) { return gpu_metrics(request, at); }},
      {"GET", "/gpu/{uuid}", "gpu", false,
       [this](const Request& request, Captures at) { return gpu(request, at); }},
      {"GET", "/gpu/{uuid}/static", "gpu_static", false,
       [this](const Request& request, Captures at) { return gpu_static(request, at); }},
      {"GET", "/gpu/{uuid}/{path}", "gpu_path", false,
       [this](const Request& request, Captures at) { return gpu_path(request, at); }},
  };
  std::ranges::move(alerts_.table(), std::back_inserter(table));
  std::ranges::move(fleet_.table(), std::back_inserter(table));
  return table;
}

template <typename Use>
std::optional<http::Response> Routes::with_gpu(const http::Request& request, Captures captures,
                                               Use use) {
  return with_snapshot(
      collector_, request,
      [&](std::string_view method, const model::Snapshot& snapshot) -> http::Response {
        const auto index = wire::find_gpu(*snapshot.inventory, captures.front());
        if (!index) return http::error_response(404, "GPU not found");
        return use(DocumentKey{method, Document::kGpu, *index}, snapshot);
      });
}

http::Response Routes::service(const http::Request& request) const {
  http::Response response;
  if (request.accept.find("text/html") != request.accept.npos) {
    response = page_response(page_);
  } else {
    std::vector<wire::Endpoint> endpoints;
    for (const Route& route : table()) {
      const bool named = std::ranges::any_of(
          endpoints, [&](const wire::Endpoint& endpoint) { return endpoint.name == route.name; });
      if (route.pattern != "/" && !named) endpoints.push_back({route.name, route.pattern});
    }
    const collect::View view = collector_.peek(collector_.primary());
    std::string body;
    wire::append_service_document(body, version_, source_health(collector_.primary(), view),
                                  endpoints, [this](auto& json) { fleet_.write_features(json); });
    response = json_response(std::move(body));
  }
  response.headers.emplace_back("Vary", "Accept");
  return response;
}

http::Response Routes::health() const {
  std::vector<std::string> methods = collector_.running();
  std::erase(methods, collector_.primary());
  methods.insert(methods.begin(), collector_.primary());
  std::vector<collect::View> views;
  views.reserve(methods.size());
  for (const std::string& method : methods) views.push_back(collector_.peek(method));
  std::vector<wire::SourceHealth> sources;
  sources.reserve(methods.size());
  for (std::size_t i = 0; i < methods.size(); ++i) {
    sources.push_back(source_health(methods[i], views[i]));
  }
  const bool healthy = views.front().status.state == collect::SourceState::kRunning;
  std::string body;
  // A run that is overdue outranks all else; what the history lacks is told by itself.
  std::string_view status = healthy ? "healthy" : "degraded";
  if (fleet_.status() == "warning") status = "warning";
  wire::append_health_document(body, status, version_, sources,
                               agent_ ? agent_() : wire::AgentHealth{},
                               [this](auto& json) { fleet_.write_health(json); });
  return json_response(std::move(body));
}

std::optional<http::Response> Routes::list(const http::Request& request) {
  return with_snapshot(
      collector_, request, [&](std::string_view method, const model::Snapshot& snapshot) {
        return cache_.answer({method, Document::kList}, snapshot, request, kJsonType,
                             [&](std::string& out) { wire::append_gpu_list(out, snapshot); });
      });
}

std::optional<http::Response> Routes::metric(const http::Request& request) {
  return with_snapshot(
      collector_, request, [&](std::string_view method, const model::Snapshot& snapshot) {
        return cache_.answer(
            {method, Document::kMetric}, snapshot, request, wire::kPrometheusTextType,
            [&](std::string& out, std::string_view last) {
              auto renderer = renderers_.find(method);
              if (renderer == renderers_.end()) {
                renderer =
                    renderers_.try_emplace(std::string(method), model::gpu_metric_naming()).first;
              }
              renderer->second.append(snapshot, last, out);
            });
      });
}

std::optional<http::Response> Routes::metrics(const http::Request& request) {
  return with_snapshot(
      collector_, request, [&](std::string_view method, const model::Snapshot& snapshot) {
        return cache_.answer({method, Document::kMetrics}, snapshot, request, kJsonType,
                             [&](std::string& out) { wire::append_metrics(out, snapshot); });
      });
}

std::optional<http::Response> Routes::gpu_metrics(const http::Request& request, Captures captures) {
  return with_gpu(request, captures, [&](DocumentKey key, const model::Snapshot& snapshot) {
    key.document = Document::kGpuMetrics;
    return cache_.answer(key, snapshot, request, kJsonType, [&](std::string& out) {
      wire::append_gpu_metrics(out, snapshot, key.gpu);
    });
  });
}

std::optional<http::Response> Routes::gpu(const http::Request& request, Captures captures) {
  return with_gpu(request, captures, [&](const DocumentKey& key, const model::Snapshot& snapshot) {
    return cache_.answer(key, snapshot, request, kJsonType, [&](std::string& out) {
      wire::append_gpu_document(out, snapshot, key.gpu, wire::FieldSet::all());
    });
  });
}

std::optional<http::Response> Routes::gpu_static(const http::Request& request, Captures captures) {
  return with_gpu(request, captures, [&](DocumentKey key, const model::Snapshot& snapshot) {
    key.document = Document::kStatic;
    return cache_.answer(key, snapshot, request, kJsonType, [&](std::string& out) {
      wire::append_static_document(out, snapshot, key.gpu);
    });
  });
}

std::optional<http::Response> Routes::gpu_path(const http::Request& request, Captures captures) {
  return with_gpu(request, captures, [&](const DocumentKey& key, const model::Snapshot& snapshot) {
    const auto document = cache_.plain(key, snapshot, [&](std::string& out) {
      wire::append_gpu_document(out, snapshot, key.gpu, wire::FieldSet::all());
    });
    const Captures steps = captures.subspan(1);
    const std::string path = join(steps);
    const auto value = wire::find_value(*document, steps);
    if (!value) return http::error_response(404, "Field path '" + path + "' not found");
    std::string body;
    wire::append_path_answer(body, path, *value);
    return json_response(std::move(body));
  });
}

}  // namespace gpuscope::api
