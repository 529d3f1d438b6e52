// How every GPU of a fleet was used over a window of time, and the port through which that is read.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace gpuscope::model {

// Whose use it is: one GPU, or one MIG instance of it, in the hands of one pod. Texts are whole and
// other people's; empty where nobody said.
struct GpuIdentity {
  std::string gpu_id{};  // its UUID
  std::string pod{};
  std::string name_space{};
  std::string hostname{};
  std::string model_name{};
  std::string mig_instance{};  // the GPU instance's id; empty for a whole GPU
};

enum class UsageMetric : std::uint8_t {
  kGpuUtil,     // %, 0 to 100
  kMemCopy,     // %, 0 to 100
  kMemUsed,     // MB, as DCGM has them: 2^20 bytes
  kMemFree,     // MB
  kPower,       // W
  kSmClock,     // MHz
  kPowerLimit,  // W: the card's own; only where UsageWindow asks for it
};
inline constexpr std::size_t kUsageMetricCount = 7;

// The mean of each over the window; none: there was no finite sample.
class UsageMeans {
 public:
  const std::optional<double>& operator[](UsageMetric metric) const {
    return means_[static_cast<std::size_t>(metric)];
  }
  std::optional<double>& operator[](UsageMetric metric) {
    return means_[static_cast<std::size_t>(metric)];
  }

 private:
  std::array<std::optional<double>, kUsageMetricCount> means_;
};

struct GpuUsage {
  GpuIdentity gpu;
  UsageMeans means;
  // From its first sample of utilization to the window's end; none: nobody said.
  std::optional<std::chrono::seconds> known_for{};
};

// The samples that count: one every `step`, from `length` before `end` to `end`, both ends
// included.
struct UsageWindow {
  base::WallTime end{};
  std::chrono::seconds length{600};
  std::chrono::seconds step{30};
  bool power_limit = false;  // whether the card's own limit is wanted
};

struct UsageAnswer {
  // Each identity once, in no order. All have a utilization; other means may be missing.
  std::vector<GpuUsage> gpus;
  // What the engine said of its own answer; each text once.
  std::vector<std::string> warnings;
  bool partial = false;        // the engine could not ask all of its parts
  std::size_t requests = 0;    // that this answer took
  std::uint64_t bytes = 0;     // of answers, as they were parsed
  std::size_t duplicates = 0;  // series that were one more of the same identity
};

// Implemented by prom/ (any Prometheus-compatible engine) and analyze/ (an agent's own history).
// read() and probe() belong to one thread.
class UsageReader {
 public:
  virtual ~UsageReader() = default;
  // The GPUs that are in use within the window. kUnavailable and kDeadlineExceeded when what holds
  // the series does not answer; kInvalidArgument and kPermissionDenied when it refuses.
  virtual base::Result<UsageAnswer> read(const UsageWindow& window) = 0;
  // Whether it answers now; cheap.
  virtual base::Result<void> probe() = 0;
  // Ends what is under way soon, and for good. Any thread.
  virtual void cancel() = 0;
};

}  // namespace gpuscope::model
