// Lines of nvidia-smi --query-gpu, and the help that says what can be asked for: the text before
// the first NUL is the help.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "device/smi/query.h"

// The name is libFuzzer's.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpuscope;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t split = std::min(text.find('\0'), text.size());
  const device::smi::Query query(text.substr(0, split));
  const auto row = query.parse(text.substr(std::min(split + 1, text.size())));
  if (!row) return 0;
  for (const model::Metric metric : query.metrics()) {
    if (row->row[model::column(metric)].absence == model::Absence::kNotYet) std::abort();
  }
  if (!row->index && row->uuid.empty()) std::abort();
  return 0;
}
