// Any bytes as a silence that somebody posts: refused in words, or read to what is read again as it
// was written.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wire/alerts_document.h"

namespace wire = gpuscope::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto read =
      wire::parse_silence_json(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!read) {
    if (!read.error().message.starts_with("cannot ")) std::abort();
    return 0;
  }
  std::string written;
  wire::append_silence_json(written, *read);
  const auto again = wire::parse_silence_json(written);
  if (!again) std::abort();
  std::string rewritten;
  wire::append_silence_json(rewritten, *again);
  if (rewritten != written) std::abort();
  return 0;
}
