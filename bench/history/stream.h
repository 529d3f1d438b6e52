// The stream that stores of metrics are measured with: a node of 8 GPUs, 40 metrics each, a tick a
// second, through idle hours, training on all GPUs, inference on half of them and notebooks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>

#include "model/catalog.h"

namespace gpuscope::bench {

inline constexpr std::size_t kGpus = 8;
inline constexpr std::size_t kMetrics = 40;

// The metrics of the catalogue that the stream gives, in the order of its columns.
inline constexpr std::array<model::Metric, kMetrics> kStreamMetrics{
    model::Metric::kGpuUtilization,
    model::Metric::kMemoryUtilization,
    model::Metric::kEncoderUtilization,
    model::Metric::kDecoderUtilization,
    model::Metric::kJpegUtilization,
    model::Metric::kOfaUtilization,
    model::Metric::kMemoryTotal,
    model::Metric::kMemoryUsed,
    model::Metric::kMemoryFree,
    model::Metric::kMemoryReserved,
    model::Metric::kBar1Used,
    model::Metric::kPowerAverage,
    model::Metric::kPower,
    model::Metric::kPowerLimit,
    model::Metric::kEnergy,
    model::Metric::kTemperature,
    model::Metric::kMemoryTemperature,
    model::Metric::kTemperatureMargin,
    model::Metric::kFanSpeedPercent,
    model::Metric::kSmClock,
    model::Metric::kMemoryClock,
    model::Metric::kGraphicsClock,
    model::Metric::kVideoClock,
    model::Metric::kPerformanceState,
    model::Metric::kClockEventSwPowerCap,
    model::Metric::kPcieTx,
    model::Metric::kPcieRx,
    model::Metric::kPcieGeneration,
    model::Metric::kPcieWidth,
    model::Metric::kPcieReplays,
    model::Metric::kNvlinkTx,
    model::Metric::kNvlinkRx,
    model::Metric::kNvlinkActiveLinks,
    model::Metric::kEccCorrectedVolatile,
    model::Metric::kEccUncorrectedVolatile,
    model::Metric::kRemappedRowsCorrectable,
    model::Metric::kRemappedRowsUncorrectable,
    model::Metric::kXidLast,
    model::Metric::kViolationPowerSeconds,
    model::Metric::kComputeProcesses};

struct StreamTick {
  std::int64_t time = 0;  // µs since 1970, about a second after the one before
  std::array<std::array<std::int64_t, kMetrics>, kGpus> values{};  // in the catalogue's scale
};

// The same ticks whenever it is made anew.
class Stream {
 public:
  Stream();
  const StreamTick& next();

 private:
  enum class Job : std::uint8_t { kIdle, kTraining, kInference, kNotebooks };
  struct Card {
    double bias = 0;  // W that this card draws more than others
    double drift = 0;
    double temperature = 34;
    double memory_temperature = 40;
    double load = 0;  // %
    double duty = 0;
    int burst = 0;  // ticks that are left of one
    Job job = Job::kIdle;
    std::int64_t memory = 0;
    std::int64_t plateau = 0;
    double energy = 0;  // mJ
    double link_tx = 0;
    double link_rx = 0;
    double throttled = 0;  // ns
    std::int64_t replays = 0;
    std::int64_t corrected = 0;
  };

  void plan();
  Job job_of(std::size_t gpu) const;
  double load_of(Card& card);
  void fill(std::size_t gpu);
  void fill_memory(Card& card, std::array<std::int64_t, kMetrics>& row);
  void fill_power(Card& card, std::array<std::int64_t, kMetrics>& row, std::size_t gpu);
  void fill_traffic(Card& card, std::array<std::int64_t, kMetrics>& row);
  double noise() { return normal_(random_); }
  double dice() { return uniform_(random_); }

  std::mt19937_64 random_{20'240'517};
  std::normal_distribution<double> normal_{0, 1};
  std::uniform_real_distribution<double> uniform_{0, 1};
  std::int64_t second_ = 0;
  std::size_t shift_ = 0;  // the next one
  std::int64_t job_until_ = 0;
  Job node_ = Job::kIdle;
  int checkpoint_ = 0;  // seconds that are left of writing one
  int stall_ = 0;
  std::array<Card, kGpus> cards_;
  StreamTick tick_;
};

}  // namespace gpuscope::bench
