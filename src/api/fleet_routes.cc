#include "api/fleet_routes.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "api/embedded.h"
#include "api/pages.h"
#include "api/responses.h"
#include "base/log.h"
#include "base/text.h"
#include "wire/fleet_metrics.h"
#include "wire/json_writer.h"
#include "wire/prometheus_text.h"

namespace gpuscope::api {
namespace {

using http::Request;
using http::Response;
using std::chrono::seconds;

constexpr int kMaxThreshold = 100;
constexpr int kMaxIntervalSeconds = 86'400;

// "true" or "false" as the earlier system takes them; none for another word.
std::optional<bool> parse_switch(std::string_view text) {
  for (const std::string_view yes : {"true", "True", "1"}) {
    if (text == yes) return true;
  }
  for (const std::string_view no : {"false", "False", "0"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

// With the key that errors of this call had before they all were `detail`.
Response refused(std::string_view why) {
  std::string body;
  wire::JsonWriter json(body);
  json.begin_object().key("detail").string(why).key("error").string(why).end_object();
  return json_response(std::move(body), 400);
}

struct Update {
  analyze::Change change;
  std::string wrong;  // empty: nothing
};

Update parse_update(const Request& request, bool ai_configured) {
  Update update;
  if (const auto text = request.query_value("threshold")) {
    const auto value = base::parse_number<int>(*text);
    if (!value || *value < 0 || *value > kMaxThreshold) {
      update.wrong = "threshold must be between 0 and 100";
      return update;
    }
    update.change.low_below = *value;
  }
  if (const auto text = request.query_value("interval")) {
    const auto value = base::parse_number<int>(*text);
    if (!value || *value <= 0) {
      update.wrong = "interval must be positive";
      return update;
    }
    if (*value > kMaxIntervalSeconds) {
      update.wrong = "interval must be at most 86400 seconds";
      return update;
    }
    update.change.interval = seconds(*value);
  }
  if (const auto text = request.query_value("ai_enabled")) {
    update.change.use_ai = parse_switch(*text);
    if (!update.change.use_ai) {
      update.wrong = "ai_enabled must be true or false";
    } else if (*update.change.use_ai && !ai_configured) {
      update.wrong = "ai_enabled cannot be true without a model: set AI_API_URL and restart";
    }
  }
  return update;
}

bool is_worth_gzip(const std::string& body) {
  return body.size() >= kSmallestGzip && body.size() <= FleetRoutes::kLargestGzip;
}

}  // namespace

Response FleetRoutes::response_of(const Encoded& entry, bool gzip, std::string_view content_type) {
  Response response;
  response.content_type = content_type;
  response.gzip = gzip && entry.gzip != nullptr;
  response.body = response.gzip ? entry.gzip : entry.plain;
  return response;
}

void FleetRoutes::configure(base::Clock& clock, analyze::Analyzer& analyzer, FleetSetup setup) {
  clock_ = &clock;
  analyzer_ = &analyzer;
  setup_ = std::move(setup);
}

void FleetRoutes::start(std::function<void()> wake) {
  SlowAnswersOptions options;
  options.workers = 1;
  if (auto started = slow_.start(*clock_, options, std::move(wake)); !started) {
    base::log(base::LogLevel::kError, started.error().message);
  }
}

template <typename Use>
RouteHandler FleetRoutes::with_analyzer(Use use) {
  return [this, use](const Request& request, Captures) -> std::optional<Response> {
    if (analyzer_ == nullptr) return http::error_response(503, why_none_);
    return use(request);
  };
}

FleetRoutes::Encoded FleetRoutes::kept(Document document) const {
  const base::MutexLock lock(mutex_);
  return documents_[document];
}
void FleetRoutes::keep(Document document, Encoded encoded) {
  const base::MutexLock lock(mutex_);
  documents_[document] = std::move(encoded);
}

template <typename Encode>
Response FleetRoutes::encoded(Document document, bool gzip, std::string_view content_type,
                              wire::Gzip& packer, Encode encode) {
  // Read first: what changes meanwhile is encoded the next time.
  const std::uint64_t version = analyzer_->version();
  Encoded entry = kept(document);
  if (entry.version != version || !entry.plain) {
    entry = {.version = version, .plain = {}, .gzip = {}};
    keep(document, entry);  // the memory of the one before is free
    std::string body;
    encode(body);
    entry.plain = std::make_shared<const std::string>(std::move(body));
  }
  if (gzip && is_worth_gzip(*entry.plain) && !entry.gzip) {
    std::string packed;
    if (packer.append(*entry.plain, packed)) {
      entry.gzip = std::make_shared<const std::string>(std::move(packed));
    }
  }
  keep(document, entry);
  return response_of(entry, gzip, content_type);
}

template <typename Encode>
std::optional<Response> FleetRoutes::answer(Document document, const Request& request,
                                            std::string_view content_type, Encode encode) {
  const bool gzip = request.accepts_gzip;
  const Encoded entry = kept(document);
  if (entry.plain && entry.version == analyzer_->version() &&
      (!gzip || entry.gzip || !is_worth_gzip(*entry.plain))) {
    return response_of(entry, gzip, content_type);
  }
  if (document == kStats || analyzer_->results()->gpus.size() <= kMostAtOnce) {
    return encoded(document, gzip, content_type, gzip_, std::move(encode));
  }
  const std::string key = fmt::format("document {} {}", static_cast<int>(document), gzip);
  return slow_.answer(key, request, [&] {
    return [this, document, gzip, content_type, encode](std::size_t) {
      return encoded(document, gzip, content_type, slow_gzip_, encode);
    };
  });
}

std::vector<Route> FleetRoutes::table() {
  return {
      {"GET", "/analyze", "analyze", false,
       with_analyzer([this](const Request& request) { return analyze(request); })},
      {"GET", "/results", "results", false, with_analyzer([this](const Request& request) {
         return answer(kResults, request, kJsonType, [this](std::string& out) {
           wire::append_results(out, analyzer_->results()->gpus);
         });
       })},
      {"GET", "/results/low", "results_low", false, with_analyzer([this](const Request& request) {
         return answer(kLow, request, kJsonType, [this](std::string& out) {
           const auto results = analyzer_->results();
           wire::append_low_results(out, results->gpus, results->judged_by.low_below,
                                    results->time.value_or(clock_->wall_now()));
         });
       })},
      {"GET", "/results/stats", "stats", false, with_analyzer([this](const Request& request) {
         return answer(kStats, request, kJsonType, [this](std::string& out) {
           wire::append_stats(out, analyzer_->results()->stats);
         });
       })},
      {"GET", "/actions", "actions", false,
       with_analyzer([this](const Request& request) { return actions(request); })},
      {"GET", "/config", "config", false, with_analyzer([this](const Request&) {
         std::string body;
         wire::append_fleet_config(body, config());
         return json_response(std::move(body));
       })},
      {"POST", "/config/update", "config_update", true,
       with_analyzer([this](const Request& request) { return update(request); })},
  };
}

Response FleetRoutes::analyze(const Request& request) {
  std::optional<bool> use_ai;
  if (const auto text = request.query_value("use_ai")) {
    use_ai = parse_switch(*text);
    if (!use_ai) return http::error_response(400, "use_ai must be true or false");
    if (*use_ai && !setup_.ai_configured) {
      return http::error_response(400, "AI analysis is not configured: set AI_API_URL and restart");
    }
  }
  const bool asks_ai = use_ai.value_or(analyzer_->status().options.use_ai);
  analyzer_->trigger(use_ai);
  std::string body;
  wire::JsonWriter json(body);
  json.begin_object().key("status").string("triggered");
  json.key("message").string("GPU analysis started in background");
  json.key("use_ai").boolean(asks_ai).end_object();
  return json_response(std::move(body));
}

std::optional<Response> FleetRoutes::actions(const Request& request) {
  if (!setup_.actions) return http::error_response(404, "nothing is acted on: control is off");
  return slow_.answer("actions", request, [this] {
    return [this](std::size_t) {
      auto body = setup_.actions();
      return body ? json_response(std::move(*body))
                  : http::error_response(503, body.error().message);
    };
  });
}

Response FleetRoutes::update(const Request& request) {
  if (!http::is_same_origin(request)) {
    return http::error_response(403, "cannot change settings for a page of another origin");
  }
  const Update update = parse_update(request, setup_.ai_configured);
  if (!update.wrong.empty()) return refused(update.wrong);
  analyzer_->change(update.change);
  std::string body;
  wire::JsonWriter json(body);
  json.begin_object().key("status").string("updated").key("updates").begin_object();
  if (update.change.low_below) {
    json.key("threshold").number(static_cast<int>(*update.change.low_below));
  }
  if (update.change.interval) json.key("interval").number(update.change.interval->count());
  if (update.change.use_ai) json.key("ai_enabled").boolean(*update.change.use_ai);
  json.end_object();
  json.key("note").string("In force at once, until a restart").end_object();
  base::log(base::LogLevel::kInfo, fmt::format("takes new settings from its API: {}", body));
  return json_response(std::move(body));
}

wire::FleetConfig FleetRoutes::config() const {
  const analyze::Options options = analyzer_->status().options;
  wire::FleetConfig config = setup_.config;
  config.window = options.window;
  config.step = options.step;
  config.gpu_util_weight = options.score.gpu_util_weight;
  config.mem_copy_weight = options.score.mem_copy_weight;
  config.mem_used_weight = options.score.mem_used_weight;
  config.power_weight = options.score.power_weight;
  config.low_below = options.score.low_below;
  config.idle_below = options.score.idle_below;
  config.interval = options.interval;
  config.ai_enabled = options.use_ai;
  return config;
}

wire::FleetHealth FleetRoutes::health() const {
  const analyze::Status status = analyzer_->status();
  const auto results = analyzer_->results();
  return {.reachable = status.reachable,
          .last_analysis = results->time,
          .overdue = analyze::is_overdue(*results, status.options, clock_->wall_now()),
          .ai_enabled = status.options.use_ai,
          .interval = status.options.interval,
          .error = status.error,
          .partial = results->partial,
          .warnings = results->warnings,
          .keep_error = status.keep_error};
}

std::string FleetRoutes::service_document() const {
  std::string body;
  wire::append_fleet_service(body, setup_.version, config());
  return body;
}
void FleetRoutes::write_features(wire::JsonWriter& json) const {
  if (is_configured()) wire::write_fleet_features(json, config());
}
void FleetRoutes::write_health(wire::JsonWriter& json) const {
  if (is_configured()) wire::write_fleet_health(json, health());
}
std::string_view FleetRoutes::status() const {
  return is_configured() ? wire::fleet_status(health()) : "healthy";
}

void FleetRoutes::append_metrics(std::string& out, wire::MetricsFormat format) const {
  if (!is_configured()) return;
  const analyze::Status status = analyzer_->status();
  const auto results = analyzer_->results();
  const analyze::Options& options = status.options;
  wire::append_fleet_metrics(out, results->gpus, results->stats,
                             {.runs = status.runs,
                              .failures = status.failures,
                              .bounds = analyze::Durations::kBounds,
                              .up_to = status.durations.up_to,
                              .sum_seconds = status.durations.sum_seconds},
                             {.version = setup_.version,
                              .threshold = options.score.low_below,
                              .interval = options.interval,
                              .ai_enabled = options.use_ai},
                             format);
  if (setup_.more_metrics) setup_.more_metrics(format, out);
}

std::optional<Response> FleetRoutes::metrics(const Request& request) {
  const wire::MetricsFormat format = wire::choose_metrics_format(request.accept);
  const bool open = format == wire::MetricsFormat::kOpenMetrics;
  auto response = answer(open ? kOpenMetrics : kMetrics, request,
                         open ? wire::kOpenMetricsType : wire::kPrometheusTextType,
                         [this, format, open](std::string& out) {
                           append_metrics(out, format);
                           if (open) out += "# EOF\n";
                         });
  if (response) response->headers.emplace_back("Vary", "Accept");
  return response;
}

// ---- the service

FleetService::FleetService(base::Clock& clock, analyze::Analyzer& analyzer, FleetSetup setup)
    : router_((fleet_.configure(clock, analyzer, std::move(setup)), make_table())) {}

std::vector<Route> FleetService::make_table() {
  std::vector<Route> routes{
      {"GET", "/", "service", false,
       [this](const Request& request, Captures) { return service(request); }},
      {"GET", "/health", "health", false, [this](const Request&, Captures) { return health(); }},
      {"GET", "/metrics", "metrics", false,
       [this](const Request& request, Captures) { return fleet_.metrics(request); }},
      {"GET", "/openapi.json", "openapi", false,
       [](const Request&, Captures) {
         return json_response(std::string(embedded::fleet_openapi_json));
       }},
      {"GET", "/docs", "docs", false,
       [](const Request&, Captures) { return page_response(embedded::fleet_docs_html); }},
  };
  for (Route& route : fleet_.table()) routes.push_back(std::move(route));
  return routes;
}

Response FleetService::service(const Request& request) const {
  Response response;
  if (request.accept.contains("text/html")) {
    response = page_response(embedded::fleet_page_html);
  } else {
    response = http::text_response(200, kJsonType, fleet_.service_document());
  }
  response.headers.emplace_back("Vary", "Accept");
  return response;
}

Response FleetService::health() const {
  std::string body;
  wire::JsonWriter json(body);
  json.begin_object().key("status").string(fleet_.status());
  fleet_.write_health(json);
  json.end_object();
  return json_response(std::move(body));
}

}  // namespace gpuscope::api
