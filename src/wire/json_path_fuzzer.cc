// Any path into a document of ours, and into any bytes: found or not, never a crash; and what is
// found is JSON.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "wire/json_path.h"

namespace {

constexpr std::string_view kDocument =
    R"({"clocks":{"value":{"gpu_clock_mhz":2100},"has_error":false,"error":""},)"
    R"("processes":[{"pid":1,"gpu_memory":null}],"health":{"value":{"header":["Health Report"],)"
    R"("body":{"Overall Health":{"value":"Healthy"}}}}})";

void check(std::string_view document, const std::vector<std::string>& path) {
  const auto found = gpuscope::wire::find_value(document, path);
  if (found && !gpuscope::wire::find_value(*found, {})) std::abort();
}

}  // namespace

// The first line is a path; what follows it is a document.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line_end = input.find('\n');
  std::vector<std::string> path;
  std::string_view rest = input.substr(0, line_end);
  while (!rest.empty()) {
    const std::size_t slash = rest.find('/');
    path.emplace_back(rest.substr(0, slash));
    rest = slash == rest.npos ? std::string_view{} : rest.substr(slash + 1);
  }
  check(kDocument, path);
  if (line_end != input.npos) check(input.substr(line_end + 1), path);
  return 0;
}
