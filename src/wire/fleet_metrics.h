// The metrics of the fleet's analysis: docs/fleet.md names them.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "model/score.h"
#include "wire/metrics_format.h"

namespace gpuscope::wire {

struct FleetCounters {
  std::uint64_t runs = 0;
  std::uint64_t failures = 0;
  // How long runs took: upper bounds in seconds, and how many took no longer than each.
  std::span<const double> bounds{};
  std::span<const std::uint64_t> up_to{};
  double sum_seconds = 0;
};

struct FleetInfo {
  std::string_view version;
  double threshold = 0;
  std::chrono::seconds interval{0};
  bool ai_enabled = false;
};

// Appends all families, each with its samples together, without an end of the page. Of the same
// identity there is one series each; a value that is absent has none.
void append_fleet_metrics(std::string& out, std::span<const model::GpuUse> gpus,
                          const model::UseStats& stats, const FleetCounters& counters,
                          const FleetInfo& info, MetricsFormat format);

}  // namespace gpuscope::wire
