// A file of its own: where the compiler sees both sides, it takes malloc behind new for a mistake.
#include "device/sim/allocation_count.h"

#include <cstdlib>
#include <new>

namespace {
thread_local long count = 0;
}

namespace gpuscope::device::sim {
long allocation_count() { return count; }
}  // namespace gpuscope::device::sim

void* operator new(std::size_t size) {
  ++count;
  if (void* memory = std::malloc(size > 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*size*/) noexcept { std::free(memory); }
