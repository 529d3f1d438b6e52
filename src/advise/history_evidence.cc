#include "advise/history_evidence.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "advise/statistics.h"
#include "model/catalog.h"

namespace gpuscope::advise {
namespace {

using base::Result;
using model::Metric;
using model::UseEvidence;
using Values = std::vector<std::optional<double>>;

constexpr double kMiB = 1'048'576;

// A metric of the catalogue, where its summary goes, and how many base units are one of that.
struct Source {
  Metric metric;
  std::optional<model::SeriesSummary> UseEvidence::* to;
  double unit = 1;
};
constexpr std::array kSources{
    Source{Metric::kGpuUtilization, &UseEvidence::utilization},
    Source{Metric::kMemoryUtilization, &UseEvidence::memory_copy},
    Source{Metric::kMemoryUsed, &UseEvidence::memory_used_mb, kMiB},
    Source{Metric::kPower, &UseEvidence::power_watts},
};
struct Activity {
  Metric metric;
  std::optional<double> UseEvidence::* to;
};
constexpr std::array kActivities{
    Activity{Metric::kSmActivity, &UseEvidence::sm_active_percent},
    Activity{Metric::kTensorActivity, &UseEvidence::tensor_active_percent},
    Activity{Metric::kDramActivity, &UseEvidence::memory_bus_active_percent},
};

double scale_of(Metric metric) {
  constexpr double kTen = 10;
  return std::pow(kTen, model::info(metric).decimals);
}

// A GPU that was never there, or has no such metric, has no values.
Result<Values> values_of(const model::SeriesReader& series, const model::SeriesKey& key,
                         const model::TimeRange& range, std::size_t steps, double unit) {
  auto buckets = series.buckets(key, range, steps);
  if (!buckets) {
    if (buckets.error().kind == base::ErrorKind::kNotFound) return Values(steps);
    return std::unexpected(std::move(buckets.error()));
  }
  const double scale = scale_of(key.metric) * unit;
  Values values;
  for (const model::SeriesBucket& bucket : *buckets) {
    values.push_back(bucket.count > 0 ? std::optional(bucket.mean / scale) : std::nullopt);
  }
  return values;
}

Result<void> add(const model::SeriesReader& series, const model::TimeRange& range,
                 const model::UsageWindow& window, UseEvidence& gpu) {
  constexpr std::size_t kMostSteps = 1000;  // a longer window has longer steps
  const auto wanted = static_cast<std::size_t>(window.length / window.step);
  const std::size_t steps = std::min(std::max<std::size_t>(wanted, 1), kMostSteps);
  for (const Source& source : kSources) {
    const model::SeriesKey key{.gpu = gpu.gpu.gpu_id, .metric = source.metric};
    const auto values = values_of(series, key, range, steps, source.unit);
    if (!values) return std::unexpected(values.error());
    const auto summary = summarize(*values);
    // The mean stays what the score was made of.
    if (auto& known = gpu.*source.to; known && summary) known->spread = summary->spread;
    if (source.metric == Metric::kGpuUtilization && summary) {
      gpu.detail = detail_of(*values, window.length / static_cast<std::int64_t>(steps));
    }
  }
  return {};
}

Result<void> add_activity(const model::SeriesReader& series, const model::TimeRange& range,
                          std::span<UseEvidence> gpus) {
  for (const Activity& activity : kActivities) {
    std::vector<model::SeriesKey> keys;
    for (const UseEvidence& gpu : gpus) {
      keys.push_back({.gpu = gpu.gpu.gpu_id, .metric = activity.metric});
    }
    auto means = series.window_means(keys, range);
    if (!means) {
      if (means.error().kind == base::ErrorKind::kNotFound) return {};
      return std::unexpected(std::move(means.error()));
    }
    for (std::size_t i = 0; i < gpus.size(); ++i) {
      if ((*means)[i]) gpus[i].*activity.to = *(*means)[i] / scale_of(activity.metric);
    }
  }
  return {};
}

}  // namespace

Result<void> HistoryEvidence::add_detail(std::span<UseEvidence> gpus,
                                         const model::UsageWindow& window) {
  const model::TimeRange range{window.end - window.length, window.end};
  for (UseEvidence& gpu : gpus) {
    if (cancelled_) {
      return base::fail(base::ErrorKind::kUnavailable,
                        "cannot read the samples of GPUs: the program is stopping");
    }
    if (!gpu.gpu.mig_instance.empty()) continue;
    if (auto done = add(*series_, range, window, gpu); !done) return done;
  }
  return add_activity(*series_, range, gpus);
}

}  // namespace gpuscope::advise
