// Any bytes: what is taken for a position is one that we write.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "prom/send_position.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpuscope::prom;
  const auto position = parse_position({reinterpret_cast<const char*>(data), size});
  if (position && parse_position(encode_position(*position)) != position) std::abort();
  return 0;
}
