// The MIG instances of a simulated GPU.
#pragma once

#include "device/sim/gpu.h"
#include "model/snapshot.h"

namespace gpuscope::device::sim {

// Fills the list of instances, sharing out what `out` already holds of the GPU, and takes from the
// GPU and its processes what a driver does not tell of a GPU that is split: how busy it is.
void read_mig(const Gpu& gpu, model::DeviceSample& out);
void withhold_for_mig(const Gpu& gpu, model::DeviceSample& out);

}  // namespace gpuscope::device::sim
