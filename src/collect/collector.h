// Reads GPUs by any number of methods at once: each started when first asked for, stopped when
// idle.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "model/sample_sink.h"
#include "model/snapshot.h"
#include "model/source.h"

namespace gpuscope::collect {

struct Options {
  std::chrono::milliseconds interval{1000};  // 100 ms to 60 s
  // How long one tick waits for its slowest device; at most 80 % of the interval. A later answer is
  // dropped, and the device is asked again at the tick after it.
  std::chrono::milliseconds device_deadline{800};
  // How far back minimum, mean and maximum of what moves reach: 1 s to 10 min.
  std::chrono::milliseconds window{30'000};
  std::chrono::seconds idle_stop{60};  // a method nobody asked for is stopped after this
};

// The options as the collector takes them: everything within its range.
Options clamped(Options options);

enum class SourceState : std::uint8_t {
  kStarting,  // open() has not come back yet, or the first tick is not done; also of a method that
              // does not run, see peek()
  kRunning,   // ticks
  kFailed,    // open() failed, or the driver went away; tried again after 1 s, 2 s, … 30 s
};

struct SourceStatus {
  SourceState state = SourceState::kStarting;
  base::Error error;  // latched: the last failure, with its cure; history once kRunning
  std::uint64_t ticks = 0;
  std::uint64_t missed_ticks = 0;     // ticks that were due and did not happen
  std::uint64_t device_timeouts = 0;  // device readings lost to a deadline
  std::chrono::microseconds last_tick_duration{0};
  std::optional<base::WallTime> last_tick;  // of the last tick that was done
  std::uint64_t failures = 0;  // times that it became kFailed, or stayed so after a try
  // GPUs that it ever read, by UUID, and those of them that are not among the snapshot's devices.
  std::size_t expected_gpus = 0;
  std::shared_ptr<const std::vector<model::AbsentGpu>> absent_gpus;  // null: none
  // What does not work now though it ticks: see model::Source::trouble().
  std::optional<base::Error> trouble{};
};

struct View {
  std::shared_ptr<const model::Snapshot> snapshot;  // null before the first tick and while kFailed
  SourceStatus status;
};

// Thread-safe. Owns one sampler (thread) per method in use, and one thread per device of a method
// whose devices may block.
class Collector {
 public:
  // Makes the source of a method ("nvml", "smi", "sim", "auto"); called once per start of it, by
  // view() and start(). Must be quick: what takes time belongs into the source's open().
  using SourceFactory =
      std::function<base::Result<std::unique_ptr<model::Source>>(std::string_view)>;

  // `clock` must outlive the collector, and where a call into a driver hung at stop(), the process
  // should end soon after. `primary` is the method that the agent was started with: it starts with
  // start() and never stops for want of readers.
  Collector(base::Clock& clock, const Options& options, std::string primary, SourceFactory factory);
  ~Collector();  // stops
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  // Gives `sink` every tick of the primary method from start() on; it must outlive the collector.
  // To be called before start().
  void add_sink(model::SampleSink& sink);
  void start();
  // Another interval, deadline and window, at once and for every method; `idle_stop` is for those
  // that start from now on.
  void change(const Options& options);
  // Stops and joins every sampler, in two seconds at most: a thread stuck in the kernel is left
  // behind with all that it may still touch. Idempotent. From then on view() fails.
  void stop();

  const std::string& primary() const;
  // The latest of a method, without blocking; starts the method when it does not run.
  View view(std::string_view method);
  // The same without starting anything and without counting as a use: for a method that does not
  // run an empty view, kStarting with no ticks.
  View peek(std::string_view method) const;
  // Methods that run now, failing ones included, by name.
  std::vector<std::string> running() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// Opens `source`, reads every device once (each against options.device_deadline), judges it, and
// returns the snapshot. For one-shot commands; starts and joins its own workers.
base::Result<std::shared_ptr<const model::Snapshot>> sample_once(
    base::Clock& clock, const Options& options, std::unique_ptr<model::Source> source);

}  // namespace gpuscope::collect
