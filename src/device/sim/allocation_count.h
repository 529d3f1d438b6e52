// For tests alone: replaces operator new in the program that links it, and counts.
#pragma once

namespace gpuscope::device::sim {

// How often this thread has allocated so far.
long allocation_count();

}  // namespace gpuscope::device::sim
