// dcgmi health -c -j, from any bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "device/smi/dcgmi.h"

// The name is libFuzzer's.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpuscope;
  const auto health = device::smi::parse_health({reinterpret_cast<const char*>(data), size});
  if (!health) return health.error().message.empty() ? (std::abort(), 0) : 0;
  constexpr std::size_t kMost = 10'000;
  for (const auto& [id, verdict] : health->gpus) {
    if (health->of(id).text.size() > kMost) std::abort();
  }
  return 0;
}
