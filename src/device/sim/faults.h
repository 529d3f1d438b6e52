// When what is wrong with a simulated GPU is so, and what the driver reports of it.
#pragma once

#include <cstdint>
#include <vector>

#include "device/sim/gpu.h"
#include "device/sim/scenario.h"
#include "model/snapshot.h"

namespace gpuscope::device::sim {

// Steps count from the boot and are never negative.
bool is_active(const Gpu& gpu, const Fault& fault, std::int64_t step);
// Over how many of the steps before `step` the fault was active.
std::int64_t active_steps(const Gpu& gpu, const Fault& fault, std::int64_t step);
// The fault of this kind that is active, or null; the last one that the file names wins.
const Fault* active_fault(const Gpu& gpu, FaultKind kind, std::int64_t step);
// How often something had happened that all faults of this kind make happen so often a minute.
std::int64_t occurrences(const Gpu& gpu, FaultKind kind, std::int64_t step);

bool is_lost(const Gpu& gpu, std::int64_t step);

// Appends what happened after step `after`, up to and with step `until`, oldest first: XIDs, and
// changes of what holds the clocks. At most kMaxEvents; of a longer time, the newest minute.
inline constexpr std::size_t kMaxEvents = 64;
void add_events(const Gpu& gpu, std::int64_t after, std::int64_t until,
                std::vector<model::Event>& out);

}  // namespace gpuscope::device::sim
