// What reading one GPU costs beside the NVML calls themselves. The fake library answers at once, or
// after as long as it is told; `ratio` is the time of a read by that of its calls.
#include <benchmark/benchmark.h>
#include <dlfcn.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>

#include "base/clock.h"
#include "device/nvml/fake/fake_nvml.h"
#include "device/nvml/nvml_source.h"

namespace gpuscope::device::nvml {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

FakeNvml& renew() {
  return *reinterpret_cast<FakeNvmlFunction>(dlsym(dlopen(FAKE_NVML, RTLD_NOW), kFakeNvmlFunction))(
      true);
}

// One GPU with eighteen links and three processes, opened and warmed up.
class OneGpu {
 public:
  OneGpu(FakeNvml& fake, bool gpm) : fake_(fake) {
    root_ = std::filesystem::temp_directory_path() /
            ("gpuscope-nvml-bench." + std::to_string(getpid()));
    std::filesystem::create_directories(root_ / "proc/driver/nvidia");
    std::ofstream(root_ / "proc/driver/nvidia/version") << "fake\n";
    fake.gpm = gpm;
    fake.links = 18;
    fake.compute.resize(3);
    for (unsigned int i = 0; i < 3; ++i) fake.compute[i].pid = 100 + i;
    Options options;
    options.library = FAKE_NVML;
    options.root = root_.string();
    source_ = make_nvml_source(options, clock_);
    if (!source_->open()) std::abort();
    for (int i = 0; i < 120; ++i) read();
  }
  ~OneGpu() { std::filesystem::remove_all(root_); }
  OneGpu(const OneGpu&) = delete;
  OneGpu& operator=(const OneGpu&) = delete;

  void read() {
    time_ += seconds{1};
    source_->read(0, time_, sample_);
    benchmark::DoNotOptimize(sample_);
  }
  FakeNvml& fake() { return fake_; }

 private:
  FakeNvml& fake_;
  base::SystemClock clock_;
  std::filesystem::path root_;
  std::unique_ptr<model::Source> source_;
  base::WallTime time_{seconds{1'780'000'000}};
  model::DeviceSample sample_;
};

// CPU of a read whose calls cost nothing: the target is 5 µs.
void BM_ReadAtNoCost(benchmark::State& state) {
  OneGpu gpu(renew(), state.range(0) != 0);
  gpu.fake().counted = false;
  for (auto _ : state) gpu.read();
}
BENCHMARK(BM_ReadAtNoCost)->ArgName("gpm")->Arg(0)->Arg(1)->Unit(benchmark::kMicrosecond);

// A read whose calls take 30 µs each: the target is 1.3 times their sum.
void BM_ReadAt30Microseconds(benchmark::State& state) {
  constexpr microseconds kCall{30};
  OneGpu gpu(renew(), state.range(0) != 0);
  gpu.fake().cost = kCall;
  const int before = gpu.fake().count_all();
  const auto begin = std::chrono::steady_clock::now();
  for (auto _ : state) gpu.read();
  const auto took = std::chrono::steady_clock::now() - begin;
  const auto calls = gpu.fake().count_all() - before;
  state.counters["calls"] = static_cast<double>(calls) / static_cast<double>(state.iterations());
  state.counters["ratio"] =
      std::chrono::duration<double>(took) / (calls * std::chrono::duration<double>(kCall));
}
BENCHMARK(BM_ReadAt30Microseconds)
    ->ArgName("gpm")
    ->Arg(0)
    ->Arg(1)
    ->Unit(benchmark::kMicrosecond)
    ->UseRealTime();

}  // namespace
}  // namespace gpuscope::device::nvml
