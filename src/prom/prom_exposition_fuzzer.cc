// Any text: what is taken for a sample lies within it, and its labels are sorted and unlike.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "http/web_answer.h"
#include "prom/exposition.h"
#include "prom/write_answer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpuscope;
  const std::string_view whole(reinterpret_cast<const char*>(data), size);
  // From the network: any bytes will do.
  http::parse_retry_after(whole, {});
  const std::string error = prom::answer_error("http://h", 400, whole, whole);
  if (error.find('\n') != error.npos || error.size() > 1000) std::abort();
  std::string_view text = whole;
  while (const auto sample = prom::next_sample(text)) {
    if (sample->series.data() < whole.data() || sample->series.empty()) std::abort();
    const auto labels = prom::parse_series(sample->series);
    if (!labels) continue;
    for (std::size_t i = 1; i < labels->size(); ++i) {
      if ((*labels)[i - 1].first >= (*labels)[i].first) std::abort();
    }
  }
  return 0;
}
