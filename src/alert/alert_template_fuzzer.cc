// Any bytes as a template: refused in words, or expanded, on any value, without a crash.
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string_view>

#include "alert/template.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parsed = gpuscope::alert::Template::parse(text);
  if (!parsed) {
    if (!parsed.error().message.starts_with("cannot ")) std::abort();
    return 0;
  }
  const gpuscope::model::Labels labels{{"gpu", "0"}, {"instance", "node:9555"}};
  for (const double value : {0.0, 86.25, -1e300, std::numeric_limits<double>::quiet_NaN()}) {
    const auto expanded = parsed->expand({labels, value});
    if (expanded && expanded->size() > 200'000) std::abort();
  }
  return 0;
}
