// Who uses a simulated GPU.
#pragma once

#include <cstdint>

#include "device/sim/scenario.h"
#include "model/snapshot.h"

namespace gpuscope::device::sim {

// Fills the list of processes and their number, sharing out the memory and the utilisation that
// `out` already holds. How many there are changes every 30 s at most, who they are every few
// minutes; one in five does not tell its memory. `seed` is the GPU's own.
void read_processes(const Phase& phase, std::uint64_t seed, std::int64_t step,
                    model::DeviceSample& out);

}  // namespace gpuscope::device::sim
