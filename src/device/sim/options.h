// How to simulate GPUs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "device/sim/scenario.h"

namespace gpuscope::device::sim {

inline constexpr int kMaxGpus = 10'000;

struct Options {
  int gpus = 3;                      // 1 to kMaxGpus
  std::uint64_t seed = 1;            // the same seed, GPU and time give the same values
  std::optional<Scenario> scenario;  // none: the three default GPUs wander around their base
  // Freezes the simulation at one instant, for golden files and for comparing two sources.
  std::optional<base::WallTime> frozen_at;
};

}  // namespace gpuscope::device::sim
