// What one reading cannot say: how a metric moved between two scrapes, and what was counted since
// the agent began to watch a GPU.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "model/catalog.h"
#include "model/reading.h"

namespace gpuscope::model {

// The metrics of a GPU's row that move too fast for a scrape: levels and rates that are read every
// tick.
inline constexpr std::array kMovingMetrics{
    Metric::kGpuUtilization,
    Metric::kMemoryUtilization,
    Metric::kEncoderUtilization,
    Metric::kDecoderUtilization,
    Metric::kGraphicsEngineActivity,
    Metric::kSmActivity,
    Metric::kSmOccupancy,
    Metric::kTensorActivity,
    Metric::kFp64Activity,
    Metric::kFp32Activity,
    Metric::kFp16Activity,
    Metric::kDramActivity,
    Metric::kMemoryUsed,
    Metric::kMemoryUsagePercent,
    Metric::kTemperature,
    Metric::kMemoryTemperature,
    Metric::kTemperatureMargin,
    Metric::kPower,
    Metric::kSmClock,
    Metric::kMemoryClock,
    Metric::kGraphicsClock,
    Metric::kVideoClock,
    Metric::kPcieTx,
    Metric::kPcieRx,
    Metric::kNvlinkTxRate,
    Metric::kNvlinkRxRate,
    Metric::kFanSpeedPercent,
    Metric::kFanSpeed,
};
inline constexpr std::size_t kMovingCount = kMovingMetrics.size();

// The readings of one metric within the trailing window, in the scale of its catalogue row. Those
// without a value are left out; without any there is no window. Where the driver samples the metric
// by itself, its samples count in `min` and `max`.
struct Window {
  bool present = false;
  std::int64_t min = 0;
  std::int64_t mean = 0;  // to the nearest whole; every reading counts the same
  std::int64_t max = 0;
  friend bool operator==(const Window&, const Window&) = default;
};

// The metrics that a driver may sample by itself, faster than it is read.
inline constexpr std::array kSampledMetrics{
    Metric::kGpuUtilization,
    Metric::kMemoryUtilization,
    Metric::kEncoderUtilization,
    Metric::kDecoderUtilization,
    Metric::kPower,
    Metric::kSmClock,
};

// The least and the most of the driver's own samples of one metric since they were last taken, in
// the scale of its catalogue row.
struct Spread {
  bool present = false;
  std::int64_t min = 0;
  std::int64_t max = 0;
  friend bool operator==(const Spread&, const Spread&) = default;
};
// By place in kSampledMetrics.
using Spreads = std::array<Spread, kSampledMetrics.size()>;

// Counters of which it is known how much they grew lately.
inline constexpr std::array kGrowingMetrics{Metric::kPcieReplays};

// The reasons that may hold the clocks: reason N is the metric kClockEventIdle + N.
inline constexpr std::size_t kClockEventCount =
    column(Metric::kClockEventDisplayClocks) - column(Metric::kClockEventIdle) + 1;
// What is recent, for XIDs and clock events: 5 minutes.
inline constexpr std::chrono::milliseconds kRecent{300'000};
// An NVLink's counters that stand still for so long carry nothing; sources read them every few
// seconds.
inline constexpr std::chrono::milliseconds kLinkQuiet{15'000};

// From here on a GPU is under load: what saves power while it rests no longer counts.
inline constexpr int kBusyPercent = 50;

struct XidCount {
  std::uint64_t code = 0;
  std::uint64_t recent = 0;  // within kRecent, to within ten seconds
  std::uint64_t total = 0;   // since the agent began to watch this GPU
  base::WallTime last{};     // when it last came, since the devices were opened; else the epoch
  friend bool operator==(const XidCount&, const XidCount&) = default;
};

// Of one GPU, in one snapshot.
struct GpuTrend {
  std::array<Window, kMovingCount> windows;  // by place in kMovingMetrics
  // How often each reason began to hold the clocks.
  std::array<std::uint32_t, kClockEventCount> clock_events_recent{};  // within kRecent
  std::array<std::uint64_t, kClockEventCount> clock_events_total{};
  // What each NVLink sends and receives together, in bytes per second: the mean between the last
  // two changes of each of its counters; 0 after kLinkQuiet without one.
  std::vector<Reading> link_rates;
  std::vector<XidCount> xids;  // every XID seen, by code; the first 64 different ones
  // How much each of kGrowingMetrics grew within kRecent, to within ten seconds.
  std::array<std::uint32_t, kGrowingMetrics.size()> growth_recent{};
  // For how long utilization has been kBusyPercent or more at every tick that read it.
  std::chrono::milliseconds busy_for{0};
  // The most NVLinks that were ever up at once since the agent began to watch this GPU.
  std::uint32_t links_up_most = 0;
  // It answered in this tick: neither lost nor too late.
  bool present = false;
  std::optional<base::WallTime> last_seen;  // the last tick in which it answered
};

}  // namespace gpuscope::model
