// How long a tick over simulated GPUs takes, per GPU, and how long building them does.
#include <benchmark/benchmark.h>

#include <chrono>
#include <vector>

#include "device/sim/machine.h"

namespace gpuscope::device::sim {
namespace {

void BM_ReadMachine(benchmark::State& state) {
  Options options;
  options.gpus = static_cast<int>(state.range(0));
  const Machine machine(options);
  std::vector<model::DeviceSample> samples(machine.size());
  base::WallTime time = kBoot + std::chrono::hours(5000);
  for (auto _ : state) {
    for (std::size_t gpu = 0; gpu < machine.size(); ++gpu) machine.read(gpu, time, samples[gpu]);
    time += std::chrono::seconds(1);
    benchmark::DoNotOptimize(samples.data());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_ReadMachine)->Arg(3)->Arg(8)->Arg(10'000)->Unit(benchmark::kMicrosecond);

void BM_BuildMachine(benchmark::State& state) {
  Options options;
  options.gpus = static_cast<int>(state.range(0));
  for (auto _ : state) {
    const Machine machine(options);
    benchmark::DoNotOptimize(machine.size());
  }
}
BENCHMARK(BM_BuildMachine)->Arg(3)->Arg(8)->Arg(10'000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace gpuscope::device::sim
