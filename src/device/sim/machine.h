// A machine full of simulated GPUs, without a clock of its own: every value is a pure function of
// (options, GPU index, time), so that two readers of one machine see the same.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "device/sim/options.h"
#include "model/snapshot.h"

namespace gpuscope::device::sim {

// When the simulated driver was loaded: 2026-01-01T00:00:00Z. Counters begin here; an earlier time
// reads as this one.
inline constexpr base::WallTime kBoot{std::chrono::seconds{1'767'225'600}};
inline constexpr const char* kDriverVersion = "525.00";

// Immutable once built, so thread-safe. Building takes milliseconds. Options must be within their
// ranges. Time moves in steps of kStep; with Options::frozen_at it does not move at all.
class Machine {
 public:
  explicit Machine(const Options& options);
  ~Machine();
  Machine(Machine&&) noexcept;
  Machine& operator=(Machine&&) noexcept;

  std::size_t size() const;
  // Every fact is there. `gpu` is below size(), here and in what follows.
  const model::GpuInfo& info(std::size_t gpu) const;
  // Which rules judge these GPUs: the fixed ones without a scenario.
  model::RuleSet rules() const;

  // All that can be read of one GPU. A GPU that is lost at that time is marked kGone, but for what
  // is read once. Allocates nothing once `out` has held the GPU's lists.
  void read(std::size_t gpu, base::WallTime time, model::DeviceSample& out) const;
  // Appends the events of one GPU after one time, up to and with another: XIDs, and changes of what
  // holds the clocks; of a time above a minute, those of its last. None where time is frozen.
  void events(std::size_t gpu, base::WallTime after, base::WallTime until,
              std::vector<model::Event>& out) const;
  // False for a GPU that will never have an XID.
  bool has_faults(std::size_t gpu) const;
  // The instant whose values a time reads: its step, or where time is frozen that one moment.
  base::WallTime shown(base::WallTime time) const;
  // How one GPU reaches another over NVLink, of which simulated ones have a switch.
  model::PeerLink link_between(std::size_t gpu, std::size_t other, base::WallTime time) const;
  // True while the GPU is off the bus.
  bool lost(std::size_t gpu, base::WallTime time) const;

 private:
  class Impl;
  std::unique_ptr<const Impl> impl_;
};

}  // namespace gpuscope::device::sim
