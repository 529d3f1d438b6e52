// One GPU: what it is, and what it says tick by tick.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "device/nvml/field_batch.h"
#include "device/nvml/gpm.h"
#include "device/nvml/library.h"
#include "device/nvml/mig_instances.h"
#include "device/nvml/process_table.h"
#include "device/nvml/queries.h"
#include "device/nvml/slow_lane.h"
#include "device/nvml/turn.h"
#include "model/snapshot.h"

namespace gpuscope::device::nvml {

// Owns all that a call into NVML needs, so that one that never returns harms nobody. identify()
// comes first, then read()s; none of them run at once. Only ready() and what is said so may be
// asked meanwhile.
class Device {
 public:
  // What a read() found out about more than its own GPU.
  enum class Outcome : std::uint8_t {
    kFine,
    kReopen,  // the driver went away, or a GPU that could not be identified can be now
  };

  Device(std::shared_ptr<const Session> session, unsigned int index, const Options& options);

  // Finds the GPU and asks it everything once: facts, limits, and a first value of all that read()
  // takes in turns. Any number of calls, some of them slow.
  void identify();
  // True once identify() is done. Thread-safe.
  bool ready() const { return ready_.load(std::memory_order_acquire); }

  // After identify(): the facts, and what came of finding the GPU.
  const model::GpuInfo& info() const { return info_; }
  nvmlReturn_t handle_code() const { return handle_code_; }
  nvmlDevice_t handle() const { return handle_; }
  bool gives_gpm() const { return gpm_; }
  // The driver itself counts for how long what held the clocks, also between two ticks
  // (that of thermal reasons is the newest: before driver 550 there is none).
  bool times_clocks() const {
    return fields_.gives(model::Metric::kClockEventHwThermalSlowdownSeconds);
  }

  // One tick; see model::Source::read(). At most kMaxCallsPerTick NVML calls where ticks are a
  // second apart or less. Allocates nothing while the GPU keeps its processes.
  Outcome read(base::WallTime tick, model::DeviceSample& out);

 private:
  void find_handle();
  std::size_t count_fans();
  std::size_t count_links();
  void forget();
  void revive();
  void spread(base::WallTime tick);
  void ask_all();

  bool usable(std::size_t query) const;
  nvmlReturn_t ask(std::size_t query);
  int slower_by() const;
  bool split() const { return values_.at(model::Metric::kMigMode) == model::Reading::of(1); }
  bool run_tick(base::WallTime tick);
  bool run_groups(base::WallTime tick);
  bool run_slow(base::WallTime tick);
  bool ask_in_tick(std::size_t query);
  bool judge(nvmlReturn_t code);
  void notice_mig_mode();
  bool lacks_pcie_rates() const;
  void mark_unified_memory();
  void note_clock_events(base::WallTime tick);
  void tend_slow_lane(base::WallTime tick);
  void take_slow_readings();
  void derive();
  void publish(model::DeviceSample& out) const;
  Outcome look_again(base::WallTime tick, model::DeviceSample& out);

  struct Slot {
    bool refused = false;  // unsupported: never asked again
    Turn turn;
  };

  const std::shared_ptr<const Session> session_;
  const unsigned int index_;
  const bool want_gpm_;
  std::atomic<bool> ready_{false};

  nvmlDevice_t handle_{};
  nvmlReturn_t handle_code_ = NVML_ERROR_UNINITIALIZED;
  model::GpuInfo info_;
  model::DeviceSample values_;  // the last of everything
  FieldBatch fields_;
  ProcessTable processes_;
  Subject subject_;
  std::array<Slot, kMaxQueries> slots_;
  bool gpm_ = false;           // wanted, and given
  bool gpm_of_whole_ = false;  // not refused since
  GpmMeter gpm_meter_;
  Turn gpm_turn_;  // of a GPU that is split
  MigInstances mig_;
  bool identified_ = false;  // found, and asked everything once
  bool started_ = false;     // a first tick has been
  bool gone_ = false;        // off the bus, as far as the last call said
  bool driver_gone_ = false;
  model::Reading mig_mode_;
  // What held the clocks at the last tick, and for how long each reason had.
  static constexpr std::size_t kTimedReasons = 5;
  std::uint64_t clock_events_ = 0;
  std::array<model::Reading, kTimedReasons> clock_times_{};
  base::WallTime last_tick_{};
  int calls_ = 0;      // in this tick
  int allowance_ = 0;  // for this tick
  Turn handle_turn_;
  Turn slow_lane_turn_;
  base::WallTime slow_answer_{};  // the tick that took the last readings of the slow lane
  SlowReadings slow_;
  std::unique_ptr<SlowLane> slow_lane_;  // from identify() on
};

}  // namespace gpuscope::device::nvml
