// Minutes and hours of every metric of every GPU, fan, link and MIG instance, as they go by.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "history/tail.h"

namespace gpuscope::history {

enum class Resolution : std::uint8_t { kMinute, kHour };
inline constexpr std::array kResolutions{Resolution::kMinute, Resolution::kHour};
inline constexpr std::array<std::int64_t, 2> kResolutionSeconds{60, 3600};

__extension__ using WideSum = __int128;

// The values of one metric within one minute or hour, in the scale of its catalogue row.
struct Stat {
  WideSum sum = 0;
  std::int64_t min = 0;
  std::int64_t max = 0;
  std::int64_t last = 0;
  std::uint32_t count = 0;  // 0: there was no value

  void add(std::int64_t value) {
    if (count == 0 || value < min) min = value;
    if (count == 0 || value > max) max = value;
    last = value;
    sum += value;
    ++count;
  }
  void add(const Stat& later);
  std::int64_t mean() const;  // to the nearest whole; there is a value
};

// One GPU, fan, link or MIG instance in one minute or hour.
struct RollupRow {
  Resolution resolution = Resolution::kMinute;
  std::int64_t time = 0;  // its begin, seconds since 1970
  std::uint32_t gpu = 0;  // the number of the file's table of GPUs
  PartKey part;
  std::uint32_t ticks = 0;
  std::vector<Stat> stats;  // by place in Rollup::metrics(); those that came later are missing
};

class Rollup {
 public:
  // `is_rolled`: whether a metric is rolled up at all, by its number in the file's table.
  Rollup(const BlockHead& head, const std::function<bool(std::uint32_t)>& is_rolled);

  // Appends to `ended` what is over with this tick.
  void add(const Machine& tick, std::vector<RollupRow>& ended);
  // Appends the minute that is not over yet, or the hour with it; both stay as they are.
  void unfinished(Resolution resolution, std::vector<RollupRow>& rows) const;
  // The metrics that had a value so far, in the order in which they came.
  const std::vector<std::uint32_t>& metrics(model::Entity entity) const {
    return columns_[static_cast<std::size_t>(entity)].live;
  }

 private:
  // Which columns of an entity are rolled up: those alone take memory that ever had a value.
  struct Columns {
    std::vector<std::uint32_t> metrics;  // by place
    std::vector<std::int32_t> slots;     // by place: in `live`, or one of those below
    std::vector<std::uint32_t> live;
  };
  static constexpr std::int32_t kNoValueYet = -1;
  static constexpr std::int32_t kNeverRolled = -2;
  using Stats = std::vector<Stat>;
  struct Span {
    std::int64_t begin = 0;
    std::uint32_t ticks = 0;
    std::vector<std::vector<Stats>> gpus;  // by GPU, by part
  };
  static void add_part(Columns& columns, const model::Reading* readings, Stats& stats);
  void end_minute(std::vector<RollupRow>& ended);
  void put(const Span& span, Resolution resolution, std::vector<RollupRow>& rows) const;
  static void merge(Span& into, const Span& span);
  static void clear(Span& span);

  std::vector<std::uint32_t> gpus_;
  std::array<Columns, model::kEntityCount> columns_;
  std::vector<std::vector<PartKey>> parts_;  // by GPU
  Span minute_;
  Span hour_;  // without minute_
};

}  // namespace gpuscope::history
