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

Rollup::Rollup(const BlockHead& head, const std::function<bool(std::uint32_t)>& is_rolled)
    : gpus_(head.gpus), parts_(head.gpus.size()) {
  for (const model::Entity entity : kKeptEntities) {
    Columns& columns = columns_[static_cast<std::size_t>(entity)];
    columns.metrics = head.layout.of(entity);
    for (const std::uint32_t metric : columns.metrics) {
      columns.slots.push_back(is_rolled(metric) ? kNoValueYet : kNeverRolled);
    }
  }
  minute_.gpus.resize(gpus_.size());
  hour_.gpus.resize(gpus_.size());
}

void Rollup::add_part(Columns& columns, const model::Reading* readings, Stats& stats) {
  for (std::size_t i = 0; i < columns.slots.size(); ++i) {
    if (!readings[i].present()) continue;
    std::int32_t slot = columns.slots[i];
    if (slot == kNeverRolled) continue;
    if (slot == kNoValueYet) {
      slot = columns.slots[i] = static_cast<std::int32_t>(columns.live.size());
      columns.live.push_back(columns.metrics[i]);
    }
    const auto at = static_cast<std::size_t>(slot);
    if (at >= stats.size()) stats.resize(columns.live.size());
    stats[at].add(readings[i].value);
  }
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
    const Machine::Gpu& gpu = tick.gpus[i];
    if (parts_[i].size() != gpu.parts.size()) parts_[i] = gpu.parts;
    std::vector<Stats>& parts = minute_.gpus[i];
    parts.resize(gpu.parts.size());
    const model::Reading* readings = gpu.readings.data();
    for (std::size_t j = 0; j < parts.size(); ++j) {
      Columns& columns = columns_[static_cast<std::size_t>(gpu.parts[j].entity)];
      add_part(columns, readings, parts[j]);
      readings += columns.metrics.size();
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
  for (std::size_t i = 0; i < span.gpus.size(); ++i) {
    if (into.gpus[i].size() < span.gpus[i].size()) into.gpus[i].resize(span.gpus[i].size());
    for (std::size_t j = 0; j < span.gpus[i].size(); ++j) {
      const Stats& from = span.gpus[i][j];
      Stats& to = into.gpus[i][j];
      if (to.size() < from.size()) to.resize(from.size());
      for (std::size_t k = 0; k < from.size(); ++k) to[k].add(from[k]);
    }
  }
}

void Rollup::clear(Span& span) {
  span.ticks = 0;
  for (auto& parts : span.gpus) {
    for (Stats& stats : parts) std::ranges::fill(stats, Stat{});
  }
}

// A GPU has its row in any case, a part of it where it had a value.
void Rollup::put(const Span& span, Resolution resolution, std::vector<RollupRow>& rows) const {
  for (std::size_t i = 0; i < gpus_.size(); ++i) {
    for (std::size_t j = 0; j < span.gpus[i].size(); ++j) {
      const Stats& stats = span.gpus[i][j];
      const PartKey part = parts_[i][j];
      const bool any = std::ranges::any_of(stats, [](const Stat& stat) { return stat.count > 0; });
      if (any || part.entity == model::Entity::kGpu) {
        rows.push_back({resolution, span.begin, gpus_[i], part, span.ticks, stats});
      }
    }
  }
}

void Rollup::unfinished(Resolution resolution, std::vector<RollupRow>& rows) const {
  if (resolution == Resolution::kMinute) {
    if (minute_.ticks > 0) put(minute_, resolution, rows);
    return;
  }
  Span hour = hour_;
  merge(hour, minute_);
  if (hour.ticks > 0) put(hour, resolution, rows);
}

}  // namespace gpuscope::history
