// How well a GPU is used: what a run of the fleet's analysis says of each.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "model/usage.h"

namespace gpuscope::model {

struct Opinion;

enum class UseStatus : std::uint8_t { kIdle, kLow, kNormal, kHigh, kUnknown };
inline constexpr std::size_t kUseStatusCount = 5;

// "idle", "low", "normal", "high", "unknown".
constexpr std::string_view use_status_name(UseStatus status) {
  constexpr std::array<std::string_view, kUseStatusCount> kNames{"idle", "low", "normal", "high",
                                                                 "unknown"};
  return kNames[static_cast<std::size_t>(status)];
}

// Numbers are rounded as every answer shows them: utilizations and percentages to 0.01, MB and W to
// 0.1, MHz to 1, scores to 0.1. Absent: there was no sample; it is not 0.
struct GpuUse {
  GpuIdentity gpu{};
  std::optional<double> gpu_util{};           // %
  std::optional<double> mem_copy{};           // %
  std::optional<double> mem_used_mb{};        // MB
  std::optional<double> mem_total_mb{};       // MB
  std::optional<double> mem_usage_percent{};  // %
  std::optional<double> power_watts{};        // W
  std::optional<double> power_limit_watts{};  // W: the card's own, where it was asked for
  std::optional<double> sm_clock_mhz{};       // MHz
  // 0 to 100. `score` is the raw one, or the adjusted one of an opinion that is sure enough; both
  // are absent, and the status is kUnknown, where a value that they need is.
  std::optional<double> raw_score{};
  std::optional<double> score{};
  UseStatus status = UseStatus::kUnknown;
  base::WallTime timestamp{};  // of the run
  // How far back what it was judged by goes; none: nobody said.
  std::optional<std::chrono::seconds> known_for{};
  // Of a chat model, and of the built-in adviser; null: none.
  std::shared_ptr<const Opinion> ai_analysis{};
  std::shared_ptr<const Opinion> opinion{};
};

struct NamespaceStats {
  std::size_t count = 0;
  std::optional<double> average_score;  // not rounded; none: nobody has a score
  std::size_t low = 0;                  // under the threshold
};

// Of all results of a run.
struct UseStats {
  std::size_t total = 0;
  std::optional<double> average_score;  // not rounded; none: nobody has a score
  std::optional<double> min_score;
  std::optional<double> max_score;
  std::size_t low = 0;   // under the threshold, idle ones among them
  std::size_t idle = 0;  // by status
  std::array<std::size_t, kUseStatusCount> by_status{};
  std::map<std::string, NamespaceStats> by_namespace;
};

}  // namespace gpuscope::model
