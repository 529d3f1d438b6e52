// What is asked of a GPU, one row per NVML call: which metrics it gives and how often it is worth
// it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>

#include "base/clock.h"
#include "device/nvml/abi.h"
#include "device/nvml/driver_samples.h"
#include "device/nvml/field_batch.h"
#include "device/nvml/library.h"
#include "device/nvml/process_table.h"
#include "device/nvml/turn.h"
#include "model/snapshot.h"

namespace gpuscope::device::nvml {

// What a query works on: one GPU and all that is known of it.
struct Subject {
  const Functions& nvml;
  nvmlDevice_t device;
  model::DeviceSample& values;
  const FieldBatch& fields;
  ProcessTable& processes;
  base::WallTime tick{};  // the one under way
  std::string meminfo{};  // the file of the host's memory, for GPUs that have none of their own
  nvmlReturn_t memory_code = NVML_SUCCESS;   // what the GPU last said of its own memory
  std::optional<bool> shares_host_memory{};  // once that was found out
  // Percents, milliwatts and megahertz.
  DriverSamples utilization{NVML_GPU_UTILIZATION_SAMPLES, 100, 100};
  DriverSamples memory_utilization{NVML_MEMORY_UTILIZATION_SAMPLES, 100, 100};
  DriverSamples encoder{NVML_ENC_UTILIZATION_SAMPLES, 100, 100};
  DriverSamples decoder{NVML_DEC_UTILIZATION_SAMPLES, 100, 100};
  DriverSamples power{NVML_TOTAL_POWER_SAMPLES, 1, 100'000'000};
  DriverSamples sm_clock{NVML_PROCESSOR_CLK_SAMPLES, 1, 100'000};
  // Whose turn it is in the queries that read one fan, or one link, at a time.
  std::uint32_t fan_for_percent = 0;
  std::uint32_t fan_for_rpm = 0;
  std::uint32_t link_for_state = 0;
  std::uint32_t link_for_flit = 0;
  std::uint32_t link_for_data = 0;
};

// Up to nine metrics, known at compile time.
class MetricList {
 public:
  constexpr MetricList(std::initializer_list<model::Metric> metrics) {
    for (const model::Metric metric : metrics) metrics_[count_++] = metric;
  }
  constexpr std::span<const model::Metric> get() const { return {metrics_.data(), count_}; }

 private:
  std::array<model::Metric, 9> metrics_{};
  std::size_t count_ = 0;
};

struct Query {
  // One NVML call. Writes its metrics and returns success, or the error that they are absent for.
  using Ask = nvmlReturn_t (*)(Subject&);
  enum class When : std::uint8_t {
    kAlways,
    kUnlessBefore,  // only once the query before it is refused: an older way to the same values
    kUnlessField,   // only while no field gives its (first) metric
    kWithNewer,     // only while the one before the one before it, a newer way, is not refused
  };

  enum class Each : std::uint8_t { kDevice, kFan, kLink };  // how many turns make the whole

  Ask ask;
  MetricList metrics;  // of the GPU; what is absent when the call fails
  Period period;
  When when = When::kAlways;
  Each each = Each::kDevice;
};

inline constexpr std::size_t kMaxQueries = 64;

// In the order in which they are asked. At one tick a second they make, with the batch of fields,
// about 10 calls a tick; a GPU that has other calls to make is asked the slow ones less often.
std::span<const Query> queries();

// What is read once, at open(): thresholds, limits of limits, maxima. Any number of calls.
std::span<const Query> queries_at_open();

}  // namespace gpuscope::device::nvml
