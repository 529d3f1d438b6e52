// Minutes and hours of every metric of every GPU, as they go by.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "history/tail.h"

namespace gpuscope::history {

enum class Resolution : std::uint8_t { kMinute, kHour };
inline constexpr std::array<std::int64_t, 2> kResolutionSeconds{60, 3600};

__extension__ using WideSum = __int128;

// The values of one metric within one minute or hour, in the scale of its catalogue row.
struct Stat {
  std::int64_t min = 0;
  std::int64_t max = 0;
  std::int64_t last = 0;
  WideSum sum = 0;
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

// One GPU in one minute or hour.
struct RollupRow {
  Resolution resolution = Resolution::kMinute;
  std::int64_t time = 0;  // its begin, seconds since 1970
  std::uint32_t gpu = 0;  // the number of the file's table of GPUs
  std::uint32_t ticks = 0;
  std::vector<Stat> stats;  // by place in the layout of a GPU
};

class Rollup {
 public:
  explicit Rollup(const BlockHead& head);

  // Appends to `ended` what is over with this tick.
  void add(const Machine& tick, std::vector<RollupRow>& ended);
  // What is not over yet, which stays as it is: the minute and the hour with it.
  void unfinished(std::vector<RollupRow>& rows) const;

 private:
  struct Span {
    std::int64_t begin = 0;
    std::uint32_t ticks = 0;
    std::vector<std::vector<Stat>> stats;  // by GPU, by metric
  };
  void end_minute(std::vector<RollupRow>& ended);
  void put(const Span& span, Resolution resolution, std::vector<RollupRow>& rows) const;
  static void merge(Span& into, const Span& span);
  static void clear(Span& span);

  std::vector<std::uint32_t> gpus_;
  Span minute_;
  Span hour_;  // without minute_
};

}  // namespace gpuscope::history
