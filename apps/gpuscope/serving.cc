#include "serving.h"

#include <fmt/format.h>
#include <malloc.h>

namespace gpuscope::app {

// One arena per thread would keep what each of dozens of threads once freed.
void keep_memory_small() {
#ifdef __GLIBC__
  mallopt(M_ARENA_MAX, 2);
  mallopt(M_TRIM_THRESHOLD, 256 * 1024);
#endif
}

std::string url_of(const std::string& host, std::uint16_t port) {
  const bool v6 = host.find(':') != std::string::npos;
  return v6 ? fmt::format("http://[{}]:{}/", host, port) : fmt::format("http://{}:{}/", host, port);
}

}  // namespace gpuscope::app
