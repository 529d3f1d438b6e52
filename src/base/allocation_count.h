// For tests alone: a program that links gpuscope_allocation_count has its operator new counted.
#pragma once

#include <cstddef>

namespace gpuscope::base {

// Calls of operator new since the program began, on all threads.
std::size_t allocation_count();
// The same, on the calling thread.
std::size_t thread_allocation_count();

}  // namespace gpuscope::base
