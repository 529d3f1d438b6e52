#include "analyze/score.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

namespace gpuscope::analyze {
namespace {

using model::UsageMetric;
using model::UseStatus;

std::optional<double> rounded(std::optional<double> value, double steps) {
  if (!value || !std::isfinite(*value)) return std::nullopt;
  return std::round(*value * steps) / steps;
}

// Adds a weighted share to the score, which is gone once a share that counts is missing.
void add(std::optional<double>& score, double weight, std::optional<double> share) {
  if (weight == 0 || !score) return;
  score = share && std::isfinite(*share) ? std::optional(*score + weight * *share) : std::nullopt;
}

std::optional<double> ratio(std::optional<double> value, double full) {
  if (!value) return std::nullopt;
  return std::clamp(*value / full, 0.0, 1.0);
}

}  // namespace

UseStatus status_of(std::optional<double> score, const ScoreOptions& options) {
  if (!score) return UseStatus::kUnknown;
  if (*score < options.idle_below) return UseStatus::kIdle;
  if (*score < options.low_below) return UseStatus::kLow;
  return *score < ScoreOptions::kHighFrom ? UseStatus::kNormal : UseStatus::kHigh;
}

model::GpuUse judge(model::GpuUsage usage, const ScoreOptions& options, base::WallTime time) {
  constexpr double kPercent = 100;
  const model::UsageMeans& means = usage.means;
  const std::optional<double>& used = means[UsageMetric::kMemUsed];
  const std::optional<double>& free = means[UsageMetric::kMemFree];
  std::optional<double> total;
  if (used && free) total = *used + *free > 0 ? *used + *free : options.memory_mb;
  const std::optional<double> memory = total ? ratio(used, *total) : std::nullopt;
  double full_power = options.power_watts;
  const std::optional<double>& limit = means[UsageMetric::kPowerLimit];
  if (options.power_source == PowerSource::kCard && limit && *limit > 0) full_power = *limit;

  std::optional<double> score = 0.0;
  add(score, options.gpu_util_weight, ratio(means[UsageMetric::kGpuUtil], kPercent));
  add(score, options.mem_copy_weight, ratio(means[UsageMetric::kMemCopy], kPercent));
  add(score, options.mem_used_weight, memory);
  add(score, options.power_weight, ratio(means[UsageMetric::kPower], full_power));
  if (score) score = kPercent * *score;

  constexpr double kTenths = 10;
  constexpr double kHundredths = 100;
  model::GpuUse use;
  use.gpu_util = rounded(means[UsageMetric::kGpuUtil], kHundredths);
  use.mem_copy = rounded(means[UsageMetric::kMemCopy], kHundredths);
  use.mem_used_mb = rounded(used, kTenths);
  use.mem_total_mb = rounded(total, kTenths);
  use.mem_usage_percent =
      rounded(memory ? std::optional(kPercent * *memory) : std::nullopt, kHundredths);
  use.power_watts = rounded(means[UsageMetric::kPower], kTenths);
  use.power_limit_watts = rounded(limit, kTenths);
  use.sm_clock_mhz = rounded(means[UsageMetric::kSmClock], 1);
  use.raw_score = use.score = rounded(score, kTenths);
  use.status = status_of(use.score, options);
  use.timestamp = time;
  use.known_for = usage.known_for;
  use.gpu = std::move(usage.gpu);
  return use;
}

void sort_by_score(std::vector<model::GpuUse>& gpus) {
  std::ranges::sort(gpus, [](const model::GpuUse& a, const model::GpuUse& b) {
    if (a.score.has_value() != b.score.has_value()) return a.score.has_value();
    if (a.score && *a.score != *b.score) return *a.score < *b.score;
    return std::tie(a.gpu.gpu_id, a.gpu.mig_instance, a.gpu.name_space, a.gpu.pod) <
           std::tie(b.gpu.gpu_id, b.gpu.mig_instance, b.gpu.name_space, b.gpu.pod);
  });
}

model::UseStats stats_of(const std::vector<model::GpuUse>& gpus, const ScoreOptions& options) {
  // Sums become means at the end.
  struct Sum {
    double scores = 0;
    std::size_t count = 0;
    std::optional<double> mean() const {
      return count == 0 ? std::nullopt : std::optional(scores / static_cast<double>(count));
    }
  };
  model::UseStats stats;
  stats.total = gpus.size();
  Sum all;
  std::map<std::string, Sum> sums;
  for (const model::GpuUse& use : gpus) {
    ++stats.by_status[static_cast<std::size_t>(use.status)];
    model::NamespaceStats& of_namespace = stats.by_namespace[use.gpu.name_space];
    ++of_namespace.count;
    if (!use.score) continue;
    const bool low = *use.score < options.low_below;
    stats.low += low ? 1 : 0;
    of_namespace.low += low ? 1 : 0;
    stats.min_score = std::min(stats.min_score.value_or(*use.score), *use.score);
    stats.max_score = std::max(stats.max_score.value_or(*use.score), *use.score);
    for (Sum* sum : {&all, &sums[use.gpu.name_space]}) {
      sum->scores += *use.score;
      ++sum->count;
    }
  }
  stats.idle = stats.by_status[static_cast<std::size_t>(UseStatus::kIdle)];
  stats.average_score = all.mean();
  for (auto& [name, sum] : sums) stats.by_namespace[name].average_score = sum.mean();
  return stats;
}

}  // namespace gpuscope::analyze
