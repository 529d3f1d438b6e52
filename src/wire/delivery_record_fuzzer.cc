// Any bytes are a record or an error; a record is written again as something that reads the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/delivery_record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpuscope::wire;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto delivery = decode_delivery("1", text);
  if (!delivery) return 0;
  const std::string again = encode_delivery(*delivery);
  const auto read = decode_delivery("1", again);
  if (!read || encode_delivery(*read) != again) std::abort();
  return 0;
}
