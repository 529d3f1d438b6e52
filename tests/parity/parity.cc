// Reads this machine's GPUs through NVML and through nvidia-smi at the same time, and prints how
// far apart they are: `parity [TICKS [NVML_LIBRARY [NVIDIA_SMI]]]`. Leaves with 1 when a fact
// differs or a value that never changes does; what moves is shown, and is for a person to judge.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <thread>

#include "base/clock.h"
#include "device/nvml/nvml_source.h"
#include "device/smi/smi_source.h"
#include "parity/compare.h"

namespace gpuscope::parity {
namespace {

constexpr int kTicks = 10;

void read(model::Source& source, base::WallTime tick, View& view) {
  view.devices.resize(view.inventory->gpus.size());
  for (std::size_t i = 0; i < view.devices.size(); ++i) source.read(i, tick, view.devices[i]);
}

int run(int ticks, const device::nvml::Options& nvml_options,
        const device::smi::Options& smi_options) {
  const base::SystemClock clock;
  const auto nvml = device::nvml::make_nvml_source(nvml_options, clock);
  const auto smi = device::smi::make_smi_source(smi_options, clock);
  const auto one = nvml->open();
  const auto other = smi->open();
  for (const auto* opened : {&one, &other}) {
    if (*opened) continue;
    std::cerr << opened->error().message << '\n';
    return 2;
  }
  View through_nvml{.inventory = one->get(), .devices = {}};
  View through_smi{.inventory = other->get(), .devices = {}};
  Comparison comparison;
  std::chrono::nanoseconds least = std::chrono::hours{1};
  for (int tick = 0; tick < ticks; ++tick) {
    const base::WallTime now = clock.wall_now();
    read(*nvml, now, through_nvml);
    const auto begun = clock.steady_now();
    read(*smi, now, through_smi);
    least = std::min<std::chrono::nanoseconds>(least, clock.steady_now() - begun);
    // The first ticks are those in which rates and loops begin.
    if (tick >= 2 || ticks <= 2) compare(through_nvml, through_smi, comparison);
    std::this_thread::sleep_for(smi_options.interval);
  }
  std::cout << table_of(comparison);
  std::cout << fmt::format("\na tick through smi: {} ns at best, all GPUs\n", least.count());
  if (const auto trouble = smi->trouble()) std::cout << "smi: " << trouble->message << '\n';
  return std::ranges::any_of(comparison.differences, never_moves) ? 1 : 0;
}

}  // namespace
}  // namespace gpuscope::parity

int main(int argc, char** argv) {
  const int ticks = argc > 1 ? std::atoi(argv[1]) : gpuscope::parity::kTicks;
  gpuscope::device::nvml::Options nvml;
  gpuscope::device::smi::Options smi;
  if (argc > 2) nvml.library = argv[2];
  if (argc > 3) smi.nvidia_smi = argv[3];
  return gpuscope::parity::run(ticks > 0 ? ticks : gpuscope::parity::kTicks, nvml, smi);
}
