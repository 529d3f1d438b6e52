#include "advise/statistics.h"

#include <algorithm>
#include <cmath>

namespace gpuscope::advise {

std::optional<model::SeriesSummary> summarize(std::span<const std::optional<double>> values) {
  double count = 0;
  double mean = 0;
  double squares = 0;  // of the distances to the mean (Welford)
  std::optional<double> first;
  double last = 0;
  model::SeriesSpread spread;
  for (const auto& value : values) {
    if (!value || !std::isfinite(*value)) continue;
    spread.minimum = first ? std::min(spread.minimum, *value) : *value;
    spread.maximum = first ? std::max(spread.maximum, *value) : *value;
    if (!first) first = *value;
    last = *value;
    ++count;
    const double distance = *value - mean;
    mean += distance / count;
    squares += distance * (*value - mean);
  }
  if (!first) return std::nullopt;
  spread.standard_deviation = std::sqrt(squares / count);
  constexpr double kPercent = 100;
  if (*first != 0) spread.change_percent = std::abs(last - *first) / std::abs(*first) * kPercent;
  return model::SeriesSummary{.mean = mean, .spread = spread};
}

model::UseDetail detail_of(std::span<const std::optional<double>> utilization,
                           std::chrono::seconds step) {
  model::UseDetail detail;
  double there = 0;
  double busy = 0;
  std::size_t idle = 0;  // steps at the end
  for (const auto& value : utilization) {
    ++idle;
    if (!value) continue;
    ++there;
    if (*value < model::kInUsePercent) continue;
    ++busy;
    idle = 0;
  }
  if (!utilization.empty()) detail.coverage = there / static_cast<double>(utilization.size());
  if (there > 0) detail.busy_share = busy / there;
  detail.trailing_idle = step * static_cast<std::int64_t>(idle);
  return detail;
}

}  // namespace gpuscope::advise
