// The document of nvidia-smi -q -x, from any bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "device/smi/refresher.h"
#include "device/smi/report.h"

// The name is libFuzzer's.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpuscope;
  auto report = device::smi::parse_report({reinterpret_cast<const char*>(data), size});
  if (!report) return report.error().message.empty() ? (std::abort(), 0) : 0;
  device::smi::name_mig_instances({}, *report);
  for (const auto& gpu : report->gpus) {
    // Everything was asked for: a value, or a reason.
    for (const auto& row : model::metrics(model::Entity::kGpu)) {
      if (gpu.sample.at(row.id).absence == model::Absence::kNotYet) std::abort();
    }
    if (!gpu.lost && gpu.mig_indices.size() != gpu.sample.mig_instances.size()) std::abort();
    if (gpu.sample.processes_absence != model::Absence::kPresent && !gpu.sample.processes.empty()) {
      std::abort();
    }
  }
  return 0;
}
