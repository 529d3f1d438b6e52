// What a page of /metrics costs, by the number of GPUs.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "wire/metrics_text.h"

namespace gpuscope::wire {
namespace {

// GPUs of which everything is known, with six fans and links each.
model::Snapshot machine(std::size_t gpus) {
  auto inventory = std::make_shared<model::Inventory>();
  inventory->simulated = true;
  model::Snapshot snapshot;
  for (std::size_t gpu = 0; gpu < gpus; ++gpu) {
    model::GpuInfo& info = inventory->gpus.emplace_back();
    for (model::Text& fact : info.facts) fact = model::Text::of("a text of usual length");
    info.fact(model::Fact::kUuid) = model::Text::of("GPU-0a1b2c3d-4e5f-6172-8192-334455667788");
    model::DeviceSample& device = snapshot.devices.emplace_back();
    for (model::Reading& reading : device.gpu) {
      reading = model::Reading::of(static_cast<std::int64_t>(12'345 + gpu));
    }
    device.links.resize(6);
    for (model::LinkRow& link : device.links) link.fill(model::Reading::of(1'234'567'890));
    model::GpuTrend& trend = snapshot.trends.emplace_back();
    trend.windows.fill({true, 100'000, 102'072, 350'000});
  }
  snapshot.verdicts.resize(gpus);
  snapshot.inventory = std::move(inventory);
  return snapshot;
}

void BM_metrics(benchmark::State& state) {
  const auto gpus = static_cast<std::size_t>(state.range(0));
  const model::Snapshot snapshot = machine(gpus);
  MetricsOptions options;
  options.hostname = "node-1";
  MetricsText text(options);
  std::string out;
  text.append(&snapshot, {}, MetricsFormat::kOpenMetrics, out);  // it has grown by now
  while (state.KeepRunning()) {
    out.clear();
    text.append(&snapshot, {}, MetricsFormat::kOpenMetrics, out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(out.size()));
  state.counters["bytes/GPU"] = static_cast<double>(out.size()) / static_cast<double>(gpus);
}

BENCHMARK(BM_metrics)->Arg(1)->Arg(8)->Arg(1000)->Arg(10'000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace gpuscope::wire
