#include "wire/fleet_document.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <memory>
#include <utility>

#include "model/opinion.h"
#include "wire/json_members.h"
#include "wire/opinions.h"

namespace gpuscope::wire {
namespace {

// A number that is rounded to so many decimals already, or to be; null where there is none.
void write(JsonWriter& json, std::string_view key, std::optional<double> value, int decimals) {
  constexpr double kTen = 10;
  json.key(key);
  if (!value || !std::isfinite(*value)) {
    json.null();
  } else {
    json.number(std::llround(*value * std::pow(kTen, decimals)), decimals);
  }
}

void write(JsonWriter& json, std::string_view key, const std::optional<std::string>& text) {
  json.key(key);
  if (text) {
    json.string(*text);
  } else {
    json.null();
  }
}

void write_use(JsonWriter& json, const model::GpuUse& use) {
  json.begin_object().key("gpu_id").string(use.gpu.gpu_id);
  json.key("pod").string(use.gpu.pod).key("namespace").string(use.gpu.name_space);
  json.key("hostname").string(use.gpu.hostname).key("model_name").string(use.gpu.model_name);
  if (!use.gpu.mig_instance.empty()) json.key("mig_instance").string(use.gpu.mig_instance);
  write(json, "gpu_util", use.gpu_util, 2);
  write(json, "mem_copy", use.mem_copy, 2);
  write(json, "mem_used_mb", use.mem_used_mb, 1);
  write(json, "mem_total_mb", use.mem_total_mb, 1);
  write(json, "mem_usage_percent", use.mem_usage_percent, 2);
  write(json, "power_usage", use.power_watts, 1);
  write(json, "sm_clock", use.sm_clock_mhz, 0);
  write(json, "score", use.score, 1);
  json.key("status").string(model::use_status_name(use.status));
  json.key("timestamp").time(use.timestamp).key("ai_analysis");
  if (use.ai_analysis) {
    write_ai_analysis(json, use.gpu.gpu_id, *use.ai_analysis);
  } else {
    json.null();
  }
  if (use.opinion) write_opinion(json.key("opinion"), *use.opinion);
  json.end_object();
}

}  // namespace

std::string_view fleet_status(const FleetHealth& health) {
  if (health.overdue) return "warning";
  return health.reachable ? "healthy" : "degraded";
}

void append_results(std::string& out, std::span<const model::GpuUse> gpus) {
  JsonWriter json(out);
  json.begin_array();
  for (const model::GpuUse& use : gpus) write_use(json, use);
  json.end_array();
}

void append_low_results(std::string& out, std::span<const model::GpuUse> gpus, double threshold,
                        base::WallTime time) {
  const auto is_low = [&](const model::GpuUse& use) { return use.score && *use.score < threshold; };
  JsonWriter json(out);
  json.begin_object().key("count").number(std::ranges::count_if(gpus, is_low));
  write(json, "threshold", threshold, 3);
  json.key("timestamp").time(time).key("gpus").begin_array();
  for (const model::GpuUse& use : gpus) {
    if (is_low(use)) write_use(json, use);
  }
  json.end_array().end_object();
}

void append_stats(std::string& out, const model::UseStats& stats) {
  // Nothing at all has always been shown as 0 here; nothing that is known is not.
  const auto score = [&](std::optional<double> value) {
    return stats.total == 0 ? std::optional(0.0) : value;
  };
  JsonWriter json(out);
  json.begin_object().key("total_gpus").number(static_cast<std::int64_t>(stats.total));
  write(json, "avg_score", score(stats.average_score), 1);
  write(json, "min_score", score(stats.min_score), 1);
  write(json, "max_score", score(stats.max_score), 1);
  json.key("low_utilization_count").number(static_cast<std::int64_t>(stats.low));
  json.key("idle_count").number(static_cast<std::int64_t>(stats.idle));
  json.key("by_status").begin_object();
  for (std::size_t i = 0; i < model::kUseStatusCount; ++i) {
    if (stats.by_status[i] == 0) continue;
    json.key(model::use_status_name(static_cast<model::UseStatus>(i)));
    json.number(static_cast<std::int64_t>(stats.by_status[i]));
  }
  json.end_object().key("by_namespace").begin_object();
  for (const auto& [name, each] : stats.by_namespace) {
    json.key(name).begin_object().key("count").number(static_cast<std::int64_t>(each.count));
    write(json, "avg_score", each.average_score, 1);
    json.key("low_util_count").number(static_cast<std::int64_t>(each.low)).end_object();
  }
  json.end_object().end_object();
}

void append_fleet_config(std::string& out, const FleetConfig& config) {
  constexpr int kDecimals = 6;
  JsonWriter json(out);
  json.begin_object().key("prometheus").begin_object();
  write(json, "url", config.prometheus_url);
  json.key("query_condition").string(config.query_condition);
  json.key("time_window_min");
  json.number(std::chrono::duration_cast<std::chrono::minutes>(config.window).count());
  json.key("step").string(std::to_string(config.step.count()) + "s").end_object();
  json.key("scoring").begin_object();
  write(json, "gpu_util_weight", config.gpu_util_weight, kDecimals);
  write(json, "mem_copy_weight", config.mem_copy_weight, kDecimals);
  write(json, "mem_used_weight", config.mem_used_weight, kDecimals);
  write(json, "power_weight", config.power_weight, kDecimals);
  json.end_object().key("thresholds").begin_object();
  write(json, "low_utilization", config.low_below, kDecimals);
  write(json, "idle", config.idle_below, kDecimals);
  json.end_object().key("scheduler").begin_object();
  json.key("interval").number(config.interval.count());
  json.key("max_workers").number(static_cast<std::int64_t>(config.max_workers)).end_object();
  json.key("ai").begin_object().key("enabled").boolean(config.ai_enabled);
  write(json, "model", config.ai_enabled ? config.ai_model : std::nullopt);
  json.end_object().key("control").begin_object().key("enabled").boolean(config.control_enabled);
  write(json, "api_url", config.control_enabled ? config.control_url : std::nullopt);
  json.end_object().end_object();
}

void write_fleet_features(JsonWriter& json, const FleetConfig& config) {
  json.key("features").begin_object().key("ai_analysis").boolean(config.ai_enabled);
  json.key("prometheus_metrics").boolean(true);
  json.key("control_api").boolean(config.control_enabled).end_object();
  json.key("config").begin_object();
  write(json, "prometheus_url", config.prometheus_url);
  write(json, "threshold", config.low_below, 3);
  json.key("interval").number(config.interval.count());
  json.key("time_window_min");
  json.number(std::chrono::duration_cast<std::chrono::minutes>(config.window).count());
  json.key("max_workers").number(static_cast<std::int64_t>(config.max_workers)).end_object();
}

void append_fleet_service(std::string& out, std::string_view version, const FleetConfig& config) {
  JsonWriter json(out);
  json.begin_object().key("service").string("GPU Utilization Monitor");
  json.key("version").string(version);
  write_fleet_features(json, config);
  json.key("endpoints").begin_object();
  json.key("analyze").string("/analyze - runs the analysis now");
  json.key("results").string("/results - what the last run found");
  json.key("results_low").string("/results/low - GPUs that are hardly used");
  json.key("stats").string("/results/stats - what it comes to");
  json.key("metrics").string("/metrics - Prometheus metrics");
  json.key("health").string("/health - how the service is").end_object().end_object();
}

void write_fleet_health(JsonWriter& json, const FleetHealth& health) {
  json.key("prometheus_connected").boolean(health.reachable).key("last_analysis");
  if (health.last_analysis) {
    json.time(*health.last_analysis);
  } else {
    json.null();
  }
  json.key("analysis_timeout").boolean(health.overdue);
  json.key("ai_enabled").boolean(health.ai_enabled);
  json.key("interval").number(health.interval.count());
  json.key("analysis").begin_object();
  write(json, "error", health.error.empty() ? std::nullopt : std::optional(health.error));
  json.key("partial").boolean(health.partial).key("warnings").begin_array();
  for (const std::string& warning : health.warnings) json.string(warning);
  json.end_array();
  write(json, "keep_error",
        health.keep_error.empty() ? std::nullopt : std::optional(health.keep_error));
  json.end_object();
}

// ---- what is kept

namespace {

// The numbers of a result, in the order in which they are kept.
template <typename Use>
auto numbers(Use& use) {
  return std::array{&use.gpu_util,          &use.mem_copy,          &use.mem_used_mb,
                    &use.mem_total_mb,      &use.mem_usage_percent, &use.power_watts,
                    &use.power_limit_watts, &use.sm_clock_mhz,      &use.raw_score};
}
template <typename Identity>
auto texts(Identity& gpu) {
  return std::array{&gpu.gpu_id,     &gpu.mig_instance, &gpu.pod,
                    &gpu.name_space, &gpu.hostname,     &gpu.model_name};
}

std::shared_ptr<const model::Opinion> opinion_of(const Json& kept) {
  if (kept.is_null()) return nullptr;
  auto opinion = parse_kept_opinion(kept.dump());
  return opinion ? std::make_shared<const model::Opinion>(std::move(*opinion)) : nullptr;
}

Json kept(const std::shared_ptr<const model::Opinion>& opinion) {
  if (!opinion) return nullptr;
  std::string text;
  JsonWriter json(text);
  write_kept_opinion(json, *opinion);
  return Json::parse(text);
}

model::GpuUse use_of(const Json& kept) {
  model::GpuUse use;
  std::size_t at = 0;
  for (std::string* text : texts(use.gpu)) *text = kept.at(at++).get<std::string>();
  for (std::optional<double>* number : numbers(use)) {
    if (const Json& value = kept.at(at++); !value.is_null()) *number = value.get<double>();
  }
  if (const Json& score = kept.at(at++); !score.is_null()) use.score = score.get<double>();
  use.timestamp = base::WallTime(std::chrono::microseconds(kept.at(at++).get<std::int64_t>()));
  use.ai_analysis = opinion_of(kept.at(at++));
  use.opinion = opinion_of(kept.at(at));
  return use;
}

}  // namespace

std::string kept_results(std::span<const model::GpuUse> gpus) {
  Json all = Json::array();
  for (const model::GpuUse& use : gpus) {
    Json one = Json::array();
    for (const std::string* text : texts(use.gpu)) one.push_back(*text);
    for (const std::optional<double>* number : numbers(use)) {
      one.push_back(*number ? Json(**number) : Json(nullptr));
    }
    one.push_back(use.score ? Json(*use.score) : Json(nullptr));
    one.push_back(use.timestamp.time_since_epoch().count());
    one.push_back(kept(use.ai_analysis));
    one.push_back(kept(use.opinion));
    all.push_back(std::move(one));
  }
  return all.dump(-1, ' ', false, Json::error_handler_t::replace);
}

base::Result<std::vector<model::GpuUse>> parse_kept_results(std::string_view text) {
  std::vector<model::GpuUse> gpus;
  try {
    for (const Json& one : Json::parse(text)) gpus.push_back(use_of(one));
  } catch (const Json::exception& error) {
    return base::fail(base::ErrorKind::kInvalidArgument,
                      std::string("cannot read kept results: ") + error.what());
  }
  return gpus;
}

}  // namespace gpuscope::wire
