// Follows GPUs from tick to tick: windows of what moves, counters that the driver does not keep,
// who is there.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "model/snapshot.h"
#include "model/trend.h"

namespace gpuscope::collect {

// Minimum, maximum and sum of some readings.
struct Extent {
  std::int64_t min = 0;
  std::int64_t max = 0;
  std::int64_t sum = 0;
  std::int64_t count = 0;

  void add(std::int64_t value);
  void add(const Extent& other);
  // Widens what is not empty: samples that are no readings of their own.
  void reach(const model::Spread& spread);
};

// How often something happened within the last model::kRecent, in steps of ten seconds.
class RecentCount {
 public:
  static constexpr std::chrono::seconds kStep{10};
  static constexpr std::int64_t kSteps = model::kRecent / kStep;

  // `step` counts kSteps from any origin and never falls. Counts `times` at `step - age`.
  void add(std::int64_t step, std::int64_t age, std::uint16_t times);
  std::uint32_t at(std::int64_t step);

 private:
  // The step that has just begun, and as many whole ones as kRecent has.
  std::array<std::uint16_t, kSteps + 1> counts_{};
  std::int64_t step_ = 0;
  std::uint32_t sum_ = 0;
};

// Used by one thread. Knows a GPU by its UUID for as long as it lives, so that counters go on where
// they were when a driver, or a GPU, comes back. Allocates nothing while the same GPUs are there
// and no XID comes that is new.
class Trends {
 public:
  // At least so far back a window reaches, and at most a step farther: a 30th of it, or a 6th on
  // machines of more than kManyGpus.
  struct Options {
    std::chrono::milliseconds window{30'000};
    std::chrono::milliseconds interval{1000};  // of ticks
  };
  static constexpr std::size_t kManyGpus = 256;
  static constexpr std::size_t kMaxXids = 64;  // different ones of a GPU, by code

  explicit Trends(const Options& options);
  ~Trends();
  Trends(const Trends&) = delete;
  Trends& operator=(const Trends&) = delete;

  // Takes the devices of a tick at `now`: fills `snapshot.trends`, and of every GPU's row what no
  // source knows (kXidLast, kXidErrors, kBusySeconds, kNvlinkTxRate, kNvlinkRxRate).
  // Busy time grows by utilization times the time since the tick before; where that was long ago or
  // of other devices, by nothing, or by two intervals at most.
  void follow(model::Snapshot& snapshot, base::SteadyTime now);

  // From the next tick on. Where the window is another one, it begins anew.
  void change(const Options& options);

  // GPUs that were ever there.
  std::size_t expected() const { return gpus_.size(); }
  // Those of them that are not among the devices of the last tick. Never null.
  std::shared_ptr<const std::vector<model::AbsentGpu>> absent() const { return absent_; }
  // All of them, as when the driver itself has gone.
  std::shared_ptr<const std::vector<model::AbsentGpu>> everyone() const;

 private:
  class Gpu;

  void bind(const model::Snapshot& snapshot);

  Options options_;
  std::map<std::string, std::unique_ptr<Gpu>, std::less<>> gpus_;  // by UUID
  std::shared_ptr<const model::Inventory> inventory_;              // what bound_ is for
  std::vector<Gpu*> bound_;                                        // by index
  std::uint64_t binding_ = 0;                                      // rises with every bind()
  std::shared_ptr<const std::vector<model::AbsentGpu>> absent_;
  base::SteadyTime last_{};  // the tick before, of the same inventory
};

}  // namespace gpuscope::collect
