// The JSON answers of the fleet's analysis, compact. docs/api/openapi.yaml has their schemas.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "model/score.h"
#include "wire/json_writer.h"

namespace gpuscope::wire {

// What the analysis is told to do, as people see it.
struct FleetConfig {
  std::optional<std::string> prometheus_url{};  // none: an agent's own history
  std::string query_condition{};
  std::chrono::seconds window{0};
  std::chrono::seconds step{0};
  double gpu_util_weight = 0;
  double mem_copy_weight = 0;
  double mem_used_weight = 0;
  double power_weight = 0;
  double low_below = 0;  // the threshold
  double idle_below = 0;
  std::chrono::seconds interval{0};
  std::size_t max_workers = 0;
  bool ai_enabled = false;
  std::optional<std::string> ai_model{};  // none: no model is configured
  bool control_enabled = false;
  std::optional<std::string> control_url{};  // its scheme, host and path
};

// How the analysis is doing.
struct FleetHealth {
  bool reachable = false;                         // what holds the series answers
  std::optional<base::WallTime> last_analysis{};  // none: before the first run
  bool overdue = false;                           // it is more than three intervals ago
  bool ai_enabled = false;
  std::chrono::seconds interval{0};
  std::string error{};  // why the last run failed; empty: it did not
  bool partial = false;
  std::vector<std::string> warnings{};
  std::string keep_error{};  // why results would not outlive a restart; empty: they do
};
// "healthy", "degraded", "warning".
std::string_view fleet_status(const FleetHealth& health);

// GET /results.
void append_results(std::string& out, std::span<const model::GpuUse> gpus);
// GET /results/low: those whose score is under `threshold`.
void append_low_results(std::string& out, std::span<const model::GpuUse> gpus, double threshold,
                        base::WallTime time);
// GET /results/stats.
void append_stats(std::string& out, const model::UseStats& stats);
// GET /config.
void append_fleet_config(std::string& out, const FleetConfig& config);
// GET /: what the service is.
void append_fleet_service(std::string& out, std::string_view version, const FleetConfig& config);
// Its members features and config, in an object that is open.
void write_fleet_features(JsonWriter& json, const FleetConfig& config);
// GET /health: its members, but for status, in an object that is open.
void write_fleet_health(JsonWriter& json, const FleetHealth& health);

// A part of a run's results, to be kept over a restart; docs/fleet.md has the form.
std::string kept_results(std::span<const model::GpuUse> gpus);
// kInvalidArgument: that is none.
base::Result<std::vector<model::GpuUse>> parse_kept_results(std::string_view text);

}  // namespace gpuscope::wire
