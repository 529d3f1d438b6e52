// Paths and queries of any bytes: never a crash, and what comes out keeps its promises.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/utf8.h"
#include "http/negotiate.h"
#include "http/server.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpuscope::http;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto path = decode_path(text)) {
    for (const auto& segment : *path) {
      if (!gpuscope::base::is_utf8(segment) || segment.find('\n') != segment.npos) std::abort();
    }
  }
  if (const auto query = decode_query(text)) {
    for (const auto& [name, value] : *query) {
      if (!gpuscope::base::is_utf8(name) || !gpuscope::base::is_utf8(value)) std::abort();
    }
  }
  accepts_gzip(text);
  if (!gpuscope::base::is_utf8(*error_response(400, text).body)) std::abort();
  return 0;
}
