// A client's bytes, through the parser as a connection feeds it: in pieces whose size the first
// byte gives, what was left offered again. Never a crash, and never more held than the limits
// allow.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/request_parser.h"

namespace {

constexpr std::size_t kMaxHeader = 512;
constexpr std::size_t kMaxBody = 256;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using gpuscope::http::RequestParser;
  if (size == 0) return 0;
  const std::size_t piece = std::size_t{data[0]} + 1;
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  RequestParser parser(kMaxHeader, kMaxBody);
  std::string buffer;
  while (!rest.empty()) {
    buffer += rest.substr(0, piece);
    rest.remove_prefix(std::min(piece, rest.size()));
    for (bool again = true; again;) {
      buffer.erase(0, parser.put(buffer));
      if (parser.message().body.size() > kMaxBody) std::abort();
      if (parser.state() == RequestParser::State::kFailed) {
        return parser.failure().status >= 400 ? 0 : 1;
      }
      if (buffer.size() > kMaxHeader + piece) std::abort();
      again = parser.state() == RequestParser::State::kDone && !buffer.empty();
      if (parser.state() == RequestParser::State::kDone) parser.reset();
    }
  }
  return 0;
}
