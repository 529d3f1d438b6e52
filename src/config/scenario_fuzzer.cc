// Any bytes as a scenario file: an error with its place, or GPUs that can be read.
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "config/scenario.h"
#include "device/sim/machine.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace sim = gpuscope::device::sim;
  const std::string text(reinterpret_cast<const char*>(data), size);
  auto scenario = gpuscope::config::parse_scenario("f", text);
  if (!scenario) {
    if (!scenario.error().message.starts_with("cannot use the scenario f:")) std::abort();
    return 0;
  }
  sim::Milliseconds period{0};
  for (const sim::Phase& phase : scenario->phases) period += phase.duration;
  if (period > std::chrono::minutes(2)) return 0;  // takes longer and shows no more
  sim::Options options;
  options.gpus = 4;
  options.scenario = *std::move(scenario);
  const sim::Machine machine(options);
  gpuscope::model::DeviceSample sample;
  for (std::size_t gpu = 0; gpu < machine.size(); ++gpu) {
    machine.read(gpu, sim::kBoot + std::chrono::hours(9000) + period / 2, sample);
    machine.read(gpu, sim::kBoot + std::chrono::years(40), sample);
  }
  return 0;
}
