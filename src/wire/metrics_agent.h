// The agent's own health, as families of /metrics.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "model/snapshot.h"
#include "wire/metrics_format.h"

namespace gpuscope::wire {

// How one way of reading GPUs is doing.
struct SourceMetrics {
  std::string_view method;
  bool up = false;         // it has readings now
  std::string_view error;  // why it has none, or what else ails it; empty: nothing
  std::uint64_t ticks = 0;
  std::uint64_t missed_ticks = 0;
  std::uint64_t failures = 0;
  std::uint64_t device_timeouts = 0;
  std::optional<std::chrono::microseconds> last_tick_duration;
  std::optional<base::WallTime> last_tick;
  std::size_t expected_gpus = 0;
  std::size_t present_gpus = 0;  // of them, those that answered in the last tick
};

// What the system says of this process; what it does not say is absent.
struct ProcessMetrics {
  std::optional<std::chrono::milliseconds> cpu;  // user and system
  std::optional<std::int64_t> resident_bytes;
  std::optional<std::int64_t> virtual_bytes;
  std::optional<std::int64_t> open_fds;
  std::optional<std::int64_t> max_fds;
  std::optional<std::int64_t> threads;
  std::optional<std::chrono::milliseconds> start;  // since 1970
};

// A counter without labels, such as those of the HTTP server. Texts are static.
struct PlainCounter {
  std::string_view name;  // ends in _total
  std::string_view help;
  std::uint64_t value = 0;
};

// The same of what goes up and down; `value` is in units of 10^-decimals.
struct PlainGauge {
  std::string_view name;
  std::string_view help;
  std::int64_t value = 0;
  int decimals = 0;
};

struct AgentMetrics {
  std::string_view version;
  std::span<const SourceMetrics> sources;
  std::span<const PlainCounter> counters;
  std::span<const PlainGauge> gauges{};
  ProcessMetrics process;
  // GPUs that were there once and are not among the snapshot's devices.
  std::span<const model::AbsentGpu> absent_gpus;
};

// All but absent_gpus, which stand among the families of GPUs.
void append_agent_metrics(std::string& out, const AgentMetrics& agent, MetricsFormat format);

}  // namespace gpuscope::wire
