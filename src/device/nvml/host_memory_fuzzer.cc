#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "device/nvml/host_memory.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto memory = gpuscope::device::nvml::parse_meminfo(
      std::string_view(reinterpret_cast<const char*>(data), size));
  if (memory && (memory->available < 0 || memory->available > memory->total)) std::abort();
  return 0;
}
