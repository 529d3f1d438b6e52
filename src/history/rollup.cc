#include "history/rollup.h"

#include <algorithm>

namespace gpuscope::history {
namespace {

constexpr std::int64_t kMinute = kResolutionSeconds[0];
constexpr std::int64_t kHour = kResolutionSeconds[1];

std::int64_t floor_to(std::int64_t value, std::int64_t step) {
  const std::int64_t rest = value % step;
  return value - (rest < 0 ? rest + step : rest);
}

}  // namespace

void Stat::add(const Stat& later) {
  if (later.count == 0) return;
  if (count == 0) {
    *this = later;
    return;
  }
  min = std::min(min, later.min);
  max = std::max(max, later.max);
  last = later.last;
  sum += later.sum;
  count += later.count;
}

std::int64_t Stat::mean() const {
  const WideSum half = count / 2;
  return static_cast<std::int64_t>((sum < 0 ? sum - half : sum + half) / count);
}

Rollup::Rollup(const BlockHead& head) : gpus_(head.gpus) {
  const std::vector<Stat> row(head.layout.of(model::Entity::kGpu).size());
  minute_.stats.assign(gpus_.size(), row);
  hour_.stats.assign(gpus_.size(), row);
}

void Rollup::add(const Machine& tick, std::vector<RollupRow>& ended) {
  const std::int64_t seconds =
      std::chrono::floor<std::chrono::seconds>(tick.time).time_since_epoch().count();
  const std::int64_t minute = floor_to(seconds, kMinute);
  if (minute_.ticks > 0 && minute != minute_.begin) end_minute(ended);
  const std::int64_t hour = floor_to(seconds, kHour);
  if (hour_.ticks > 0 && hour != hour_.begin) {
    put(hour_, Resolution::kHour, ended);
    clear(hour_);
  }
  minute_.begin = minute;
  hour_.begin = hour;
  ++minute_.ticks;
  for (std::size_t i = 0; i < gpus_.size(); ++i) {
    std::vector<Stat>& stats = minute_.stats[i];
    const std::vector<model::Reading>& readings = tick.gpus[i].readings;
    for (std::size_t j = 0; j < stats.size(); ++j) {
      if (readings[j].present()) stats[j].add(readings[j].value);
    }
  }
}

void Rollup::end_minute(std::vector<RollupRow>& ended) {
  put(minute_, Resolution::kMinute, ended);
  merge(hour_, minute_);
  clear(minute_);
}

void Rollup::merge(Span& into, const Span& span) {
  into.ticks += span.ticks;
  for (std::size_t i = 0; i < span.stats.size(); ++i) {
    for (std::size_t j = 0; j < span.stats[i].size(); ++j) into.stats[i][j].add(span.stats[i][j]);
  }
}

void Rollup::clear(Span& span) {
  span.ticks = 0;
  for (auto& stats : span.stats) std::ranges::fill(stats, Stat{});
}

void Rollup::put(const Span& span, Resolution resolution, std::vector<RollupRow>& rows) const {
  for (std::size_t i = 0; i < gpus_.size(); ++i) {
    rows.push_back({resolution, span.begin, gpus_[i], span.ticks, span.stats[i]});
  }
}

void Rollup::unfinished(std::vector<RollupRow>& rows) const {
  if (minute_.ticks > 0) put(minute_, Resolution::kMinute, rows);
  Span hour = hour_;
  merge(hour, minute_);
  if (hour.ticks > 0) put(hour, Resolution::kHour, rows);
}

}  // namespace gpuscope::history
