// One simulated GPU: which card it is, what it does, what is wrong with it, and how that reads.
#pragma once

#include <cstdint>
#include <vector>

#include "device/sim/card.h"
#include "device/sim/profile.h"
#include "device/sim/scenario.h"
#include "model/snapshot.h"

namespace gpuscope::device::sim {

// What all GPUs of one model share.
struct Card {
  CardModel model;
  model::GpuRow fixed;  // every reading that never changes
};

struct Gpu {
  const Card* card = nullptr;
  const Profile* profile = nullptr;
  const Identity* wanders = nullptr;  // null: it obeys physics
  std::uint64_t seed = 0;             // its own
  std::int64_t index = 0;
  std::int64_t performance_state = 0;  // of the three: their index, as everybody knows them
  std::int64_t offset = 0;             // steps by which it is ahead in its period
  std::int64_t gain_1024 = 1024;  // its share of the profile's power and heat above idle, in 1/1024
  std::vector<Fault> faults;      // those that hit it
  model::GpuInfo info;
};

// Writes every reading of the GPU at `step` (0 or more, since the boot) into `out`, as if it were
// not lost.
void read_gpu(const Gpu& gpu, std::int64_t step, model::DeviceSample& out);

}  // namespace gpuscope::device::sim
