#include "analyze/history_reader.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "model/catalog.h"

namespace gpuscope::analyze {
namespace {

using model::Metric;
using model::UsageMetric;

constexpr double kMiB = 1'048'576;

// A metric of the catalogue, as what it counts here, and how many of its base unit are one of ours.
struct Source {
  UsageMetric as;
  Metric metric;
  double unit = 1;
};
constexpr std::array kSources{
    Source{UsageMetric::kGpuUtil, Metric::kGpuUtilization},
    Source{UsageMetric::kMemCopy, Metric::kMemoryUtilization},
    Source{UsageMetric::kMemUsed, Metric::kMemoryUsed, kMiB},
    Source{UsageMetric::kMemFree, Metric::kMemoryFree, kMiB},
    Source{UsageMetric::kPower, Metric::kPower},
    Source{UsageMetric::kSmClock, Metric::kSmClock},
};
constexpr Source kTotal{UsageMetric::kMemFree, Metric::kMemoryTotal, kMiB};
constexpr std::array kLimits{Source{UsageMetric::kPowerLimit, Metric::kPowerLimitEnforced},
                             Source{UsageMetric::kPowerLimit, Metric::kPowerLimit}};

class Window {
 public:
  Window(const model::SeriesReader& series, std::vector<std::string> gpus,
         const model::TimeRange& range)
      : series_(series), gpus_(std::move(gpus)), range_(range) {}

  // By GPU.
  base::Result<std::vector<std::optional<double>>> means(const Source& source) const {
    std::vector<model::SeriesKey> keys;
    keys.reserve(gpus_.size());
    for (const std::string& gpu : gpus_) keys.push_back({.gpu = gpu, .metric = source.metric});
    auto found = series_.window_means(keys, range_);
    if (!found) return found;
    constexpr double kTen = 10;
    const double scale = std::pow(kTen, model::info(source.metric).decimals) * source.unit;
    for (std::optional<double>& mean : *found) {
      if (mean) *mean /= scale;
    }
    return found;
  }
  const std::vector<std::string>& gpus() const { return gpus_; }

 private:
  const model::SeriesReader& series_;
  const std::vector<std::string> gpus_;
  const model::TimeRange range_;
};

// Where a value is missing, takes the one that `other` has.
base::Result<void> fill(const Window& window, const Source& source,
                        std::vector<model::GpuUsage>& out) {
  auto means = window.means(source);
  if (!means) return std::unexpected(std::move(means.error()));
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::optional<double>& mean = out[i].means[source.as];
    if (!mean) mean = (*means)[i];
  }
  return {};
}

// What is not in use, for those of whom only the total is known.
base::Result<void> fill_free(const Window& window, std::vector<model::GpuUsage>& out) {
  auto totals = window.means(kTotal);
  if (!totals) return std::unexpected(std::move(totals.error()));
  for (std::size_t i = 0; i < out.size(); ++i) {
    model::UsageMeans& means = out[i].means;
    const auto& used = means[UsageMetric::kMemUsed];
    const auto& total = (*totals)[i];
    if (!means[UsageMetric::kMemFree] && used && total) {
      means[UsageMetric::kMemFree] = std::max(*total - *used, 0.0);
    }
  }
  return {};
}

// How far back their utilization goes. What has a value in the window's first step was there all
// the time; for the others it is looked when they began.
base::Result<void> fill_known(const model::SeriesReader& series, const model::UsageWindow& window,
                              const Window& ticks, std::vector<model::GpuUsage>& out) {
  const base::WallTime begin = window.end - window.length;
  const Window first(series, ticks.gpus(), {begin, begin + window.step});
  const auto there = first.means(kSources.front());
  if (!there) return std::unexpected(there.error());
  constexpr std::int64_t kMostParts = 3600;
  const auto parts = std::clamp<std::int64_t>(window.length.count(), 1, kMostParts);
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (!out[i].means[UsageMetric::kGpuUtil]) continue;
    out[i].known_for = window.length;
    if ((*there)[i]) continue;
    const auto buckets = series.buckets({.gpu = ticks.gpus()[i], .metric = Metric::kGpuUtilization},
                                        {begin, window.end}, static_cast<std::size_t>(parts));
    if (!buckets) return std::unexpected(buckets.error());
    const auto begun = std::ranges::find_if(
        *buckets, [](const model::SeriesBucket& bucket) { return bucket.count > 0; });
    out[i].known_for = window.length * (buckets->end() - begun) / parts;
  }
  return {};
}

bool has_any(const model::GpuUsage& usage) {
  for (const Source& source : kSources) {
    if (usage.means[source.as]) return true;
  }
  return false;
}

}  // namespace

base::Result<model::UsageAnswer> HistoryReader::read(const model::UsageWindow& window) {
  std::set<std::string> uuids;
  for (const Source& source : kSources) {
    auto keys = parts_.series->select({.gpu = std::nullopt, .metric = source.metric});
    if (!keys) return std::unexpected(std::move(keys.error()));
    for (model::SeriesKey& key : *keys) uuids.insert(std::move(key.gpu));
  }
  // Both ends of the window belong to it.
  const Window ticks(*parts_.series, {uuids.begin(), uuids.end()},
                     {window.end - window.length, window.end + std::chrono::microseconds(1)});
  std::vector<model::GpuUsage> all(ticks.gpus().size());
  for (const Source& source : kSources) {
    if (auto done = fill(ticks, source, all); !done) return std::unexpected(done.error());
  }
  if (auto done = fill_free(ticks, all); !done) return std::unexpected(done.error());
  if (auto done = fill_known(*parts_.series, window, ticks, all); !done) {
    return std::unexpected(done.error());
  }
  for (const Source& source : kLimits) {
    if (!window.power_limit) break;
    if (auto done = fill(ticks, source, all); !done) return std::unexpected(done.error());
  }
  const auto models = parts_.models ? parts_.models() : std::map<std::string, std::string>{};
  model::UsageAnswer answer;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!has_any(all[i])) continue;
    all[i].gpu.gpu_id = ticks.gpus()[i];
    all[i].gpu.hostname = parts_.hostname;
    if (const auto found = models.find(ticks.gpus()[i]); found != models.end()) {
      all[i].gpu.model_name = found->second;
    }
    answer.gpus.push_back(std::move(all[i]));
  }
  return answer;
}

}  // namespace gpuscope::analyze
