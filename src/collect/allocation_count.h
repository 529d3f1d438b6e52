// Counts what this test program allocates, on all threads.
#pragma once

#include <cstddef>

namespace gpuscope::collect {

// Calls of operator new since the program began.
std::size_t allocation_count();

}  // namespace gpuscope::collect
