// A file of its own: where the compiler sees both sides, it takes malloc behind new for a mistake.
#include "base/allocation_count.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> everywhere{0};
thread_local std::size_t here = 0;

}  // namespace

namespace gpuscope::base {

std::size_t allocation_count() { return everywhere.load(); }
std::size_t thread_allocation_count() { return here; }

}  // namespace gpuscope::base

// The array forms come down to these; a sanitizer has a form without exceptions of its own, which
// would not match the delete below.
void* operator new(std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  everywhere.fetch_add(1, std::memory_order_relaxed);
  ++here;
  return std::malloc(size == 0 ? 1 : size);
}
void* operator new(std::size_t size) {
  if (void* memory = operator new(size, std::nothrow)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*size*/) noexcept { std::free(memory); }
