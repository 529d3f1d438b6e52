// What one kind of GPU does over one period, worked out once: a table with a row per kStep, and
// running totals of everything that adds up, so that any instant is read in constant time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "device/sim/card.h"
#include "device/sim/scenario.h"

namespace gpuscope::device::sim {

// One step.
struct Moment {
  std::int32_t power_milliwatts = 0;
  std::int16_t temperature_decicelsius = 0;
  std::int16_t gpu_clock_mhz = 0;
  std::uint8_t utilization_percent = 0;
  std::uint8_t phase = 0;  // index into Profile::phases()
  bool idle = false;
  bool power_capped = false;
  bool software_thermal = false;
  bool hardware_thermal = false;
};

// What added up over all steps before one; the last four count steps.
struct Totals {
  std::int64_t power_milliwatts = 0;  // summed, a step at a time
  std::int64_t pcie_bytes = 0;        // each way
  std::int64_t nvlink_bytes = 0;      // each way, all links
  std::int64_t idle = 0;
  std::int64_t power_capped = 0;
  std::int64_t software_thermal = 0;
  std::int64_t hardware_thermal = 0;
  std::int64_t thermal = 0;  // software or hardware or both
};

// Immutable. Steps count from the simulated boot and are never negative.
class Profile {
 public:
  std::int64_t period() const { return static_cast<std::int64_t>(moments_.size()); }
  const Moment& at(std::int64_t step) const { return moments_[index(step)]; }
  const Phase& phase_at(std::int64_t step) const { return phases_[at(step).phase]; }
  // Totals saturate rather than wrap.
  Totals before(std::int64_t step) const;
  // True when clocks are held back by power or heat somewhere in the period.
  bool throttles() const;

 private:
  friend Profile wander(const Identity& who, std::uint64_t seed);
  friend Profile run(const CardModel& card, const std::vector<Phase>& phases,
                     const std::vector<Fault>& faults, std::uint64_t seed);
  Profile(std::vector<Phase> phases, std::vector<Moment> moments);
  std::size_t index(std::int64_t step) const { return static_cast<std::size_t>(step % period()); }

  std::vector<Phase> phases_;
  std::vector<Moment> moments_;
  std::vector<Totals> totals_;  // one more than moments_: the last is the whole period's
};

// One of the three, around its base: power, temperature, clock and utilisation each by themselves.
Profile wander(const Identity& who, std::uint64_t seed);

// A card that obeys physics under these phases and physical faults, in its steady state: the end of
// the period runs into its beginning.
Profile run(const CardModel& card, const std::vector<Phase>& phases,
            const std::vector<Fault>& faults, std::uint64_t seed);

// How much of what the phase is meant to do goes on at this moment; 1 on average, at most 1.25.
double load_share(const Moment& moment, const Phase& phase);

// The length of all phases, in steps; at least 1.
std::int64_t period_of(const std::vector<Phase>& phases);

}  // namespace gpuscope::device::sim
