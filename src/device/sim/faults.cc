#include "device/sim/faults.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

#include "device/sim/machine.h"

namespace gpuscope::device::sim {
namespace {

constexpr double kStepsPerMinute = std::chrono::minutes(1) / kStep;
constexpr std::int64_t kLongest = std::chrono::minutes(1) / kStep;  // that is looked at in one go

// What the kernel driver reports, by NVIDIA's numbers.
constexpr std::uint64_t kXidRowRemapped = 63;
constexpr std::uint64_t kXidRowRemapFailed = 64;
constexpr std::uint64_t kXidNvlink = 74;
constexpr std::uint64_t kXidFallenOffTheBus = 79;
constexpr std::uint64_t kXidContainedEcc = 94;
constexpr std::uint64_t kXidUncontainedEcc = 95;

std::int64_t fault_begin(const Fault& fault, std::int64_t period) {
  return std::min<std::int64_t>(fault.from / kStep, period);
}
std::int64_t fault_end(const Fault& fault, std::int64_t period) {
  return fault.until ? std::min<std::int64_t>(*fault.until / kStep, period) : period;
}

// Reason N holds the clocks where bit N is set; N counts from kClockEventIdle.
std::uint64_t clock_events(const Gpu& gpu, std::int64_t step) {
  using model::Metric;
  const Moment& moment = gpu.profile->at(step + gpu.offset);
  const auto bit = [](Metric reason, bool holds) {
    return static_cast<std::uint64_t>(holds) << (column(reason) - column(Metric::kClockEventIdle));
  };
  return bit(Metric::kClockEventIdle, moment.idle) |
         bit(Metric::kClockEventSwPowerCap, moment.power_capped) |
         bit(Metric::kClockEventSwThermalSlowdown, moment.software_thermal) |
         bit(Metric::kClockEventHwThermalSlowdown, moment.hardware_thermal) |
         bit(Metric::kClockEventHwSlowdown, moment.hardware_thermal);
}

// Events of one step, which is not the first.
class Step {
 public:
  Step(const Gpu& gpu, std::int64_t step, std::vector<model::Event>& out)
      : gpu_(gpu), step_(step), out_(out) {}

  void add_all() {
    if (began(FaultKind::kLost)) add_xid(kXidFallenOffTheBus);
    if (began(FaultKind::kNvlinkDown)) add_xid(kXidNvlink);
    for (const Fault& fault : gpu_.faults) {
      if (fault.kind != FaultKind::kXid) continue;
      if (is_active(gpu_, fault, step_) && !is_active(gpu_, fault, step_ - 1)) {
        add_xid(static_cast<std::uint64_t>(fault.amount));
      }
    }
    // While it is off the bus nobody reports anything.
    if (is_lost(gpu_, step_)) return;
    const std::int64_t errors = occurrences(gpu_, FaultKind::kEccUncorrected, step_) -
                                occurrences(gpu_, FaultKind::kEccUncorrected, step_ - 1);
    const bool spares = active_fault(gpu_, FaultKind::kRemapFailure, step_) == nullptr;
    for (std::int64_t i = 0; i < errors; ++i) {
      add_xid(spares ? kXidContainedEcc : kXidUncontainedEcc);
      add_xid(spares ? kXidRowRemapped : kXidRowRemapFailed);
    }
    if (const std::uint64_t now = clock_events(gpu_, step_); now != clock_events(gpu_, step_ - 1)) {
      add(model::EventKind::kClockEvents, now);
    }
  }

 private:
  bool began(FaultKind kind) const {
    return active_fault(gpu_, kind, step_) != nullptr &&
           active_fault(gpu_, kind, step_ - 1) == nullptr;
  }
  void add_xid(std::uint64_t code) { add(model::EventKind::kXid, code); }
  void add(model::EventKind kind, std::uint64_t code) {
    if (out_.size() < kMaxEvents) out_.push_back({kind, code, kBoot + step_ * kStep});
  }

  const Gpu& gpu_;
  const std::int64_t step_;
  std::vector<model::Event>& out_;
};

}  // namespace

bool is_active(const Gpu& gpu, const Fault& fault, std::int64_t step) {
  const std::int64_t period = gpu.profile->period();
  const std::int64_t at = step % period;
  return at >= fault_begin(fault, period) && at < fault_end(fault, period);
}

std::int64_t active_steps(const Gpu& gpu, const Fault& fault, std::int64_t step) {
  const std::int64_t period = gpu.profile->period();
  const std::int64_t begin = fault_begin(fault, period);
  const std::int64_t length = std::max<std::int64_t>(fault_end(fault, period) - begin, 0);
  return step / period * length + std::clamp<std::int64_t>(step % period - begin, 0, length);
}

const Fault* active_fault(const Gpu& gpu, FaultKind kind, std::int64_t step) {
  const Fault* found = nullptr;
  for (const Fault& fault : gpu.faults) {
    if (fault.kind == kind && is_active(gpu, fault, step)) found = &fault;
  }
  return found;
}

std::int64_t occurrences(const Gpu& gpu, FaultKind kind, std::int64_t step) {
  double sum = 0;
  for (const Fault& fault : gpu.faults) {
    if (fault.kind != kind) continue;
    const auto steps = static_cast<double>(active_steps(gpu, fault, step));
    sum += std::floor(steps * fault.amount / kStepsPerMinute);
  }
  return static_cast<std::int64_t>(std::min(sum, 9e18));
}

bool is_lost(const Gpu& gpu, std::int64_t step) {
  return active_fault(gpu, FaultKind::kLost, step) != nullptr;
}

void add_events(const Gpu& gpu, std::int64_t after, std::int64_t until,
                std::vector<model::Event>& out) {
  // What wanders has neither faults nor limits.
  if (gpu.faults.empty() && gpu.wanders != nullptr) return;
  const std::int64_t first = std::max({after + 1, until - kLongest + 1, std::int64_t{1}});
  for (std::int64_t step = first; step <= until; ++step) Step(gpu, step, out).add_all();
}

}  // namespace gpuscope::device::sim
