// What one initialisation of the driver works on: the simulated machine, the readings of this
// instant, the faults in force.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "device/nvml/abi.h"
#include "device/sim/machine.h"
#include "faults.h"
#include "model/snapshot.h"

namespace gpuscope::simulated {

// One GPU. Thread-safe.
class Gpu {
 public:
  Gpu(const device::sim::Machine& machine, std::size_t index) : machine_(machine), index_(index) {}

  std::size_t index() const { return index_; }
  const model::GpuInfo& info() const { return machine_.info(index_); }
  bool lost() const;
  bool has_gpm() const;  // profiling metrics, as Hopper and what came after it

  // Calls `look` with all readings of this step of simulated time, and with the time itself. They
  // are worked out once a step, whoever asks. `look` must not keep the reference.
  template <typename Look>
  auto sample(Look look) EXCLUDES(mutex_) {
    const base::MutexLock lock(mutex_);
    refresh();
    return look(static_cast<const model::DeviceSample&>(sample_), step_);
  }
  model::Reading reading(model::Metric metric) {
    return sample(
        [metric](const model::DeviceSample& now, base::WallTime) { return now.at(metric); });
  }

 private:
  void refresh() REQUIRES(mutex_);

  const device::sim::Machine& machine_;
  const std::size_t index_;
  base::Mutex mutex_;
  base::WallTime step_ GUARDED_BY(mutex_){};
  model::DeviceSample sample_ GUARDED_BY(mutex_);
};

// Faults from the environment and from a file that may change while the program runs. Thread-safe.
class Faults {
 public:
  // Reads both texts for the first time; times count from now. `file` may be empty or not there
  // yet.
  static base::Result<std::unique_ptr<Faults>> start(const std::string& rules, std::string file);

  Outcome at(const CallSite& call) EXCLUDES(mutex_);
  // False when no call can ever be struck.
  bool any() const { return !fixed_.empty() || !file_.empty(); }
  const std::string& rules() const { return rules_; }
  const std::string& file() const { return file_; }

 private:
  Faults() = default;
  base::Result<void> reload() REQUIRES(mutex_);

  std::string rules_;
  FaultPlan fixed_;  // of rules_
  base::SteadyTime started_{};
  std::string file_;
  base::Mutex mutex_;
  base::SteadyTime looked_ GUARDED_BY(mutex_){};  // at the file
  std::string stamp_ GUARDED_BY(mutex_);          // of the file's version that is in force
  FaultPlan changing_ GUARDED_BY(mutex_);
  base::SteadyTime changed_ GUARDED_BY(mutex_){};
};

// The environment's settings, read at the first nvmlInit and again after the last nvmlShutdown.
struct Settings {
  device::sim::Options machine;
  std::string faults;
  std::string faults_file;
  std::string calls_file;
  bool published_latency = false;

  static base::Result<Settings> from_environment();
};

struct Session {
  Session(const Settings& settings, std::shared_ptr<Faults> faults_in_force);

  const device::sim::Machine machine;
  const bool published_latency;
  const std::shared_ptr<Faults> faults;
  std::vector<std::unique_ptr<Gpu>> gpus;
  std::atomic<bool> closed{false};  // no call may wait any longer
};

}  // namespace gpuscope::simulated
