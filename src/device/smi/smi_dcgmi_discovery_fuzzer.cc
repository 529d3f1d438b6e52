// dcgmi discovery -l, from any bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "device/smi/dcgmi.h"

// The name is libFuzzer's.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpuscope;
  for (const auto& gpu :
       device::smi::parse_discovery({reinterpret_cast<const char*>(data), size})) {
    if (gpu.id < 0) std::abort();
  }
  return 0;
}
