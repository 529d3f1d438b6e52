// nvidia-smi -L, from any bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "device/smi/listing.h"

// The name is libFuzzer's.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpuscope;
  for (const auto& gpu : device::smi::parse_listing({reinterpret_cast<const char*>(data), size})) {
    if (gpu.index < 0) std::abort();
  }
  return 0;
}
