// What one tick costs beside the reading: waking and waiting, copying, following, judging.
#include <benchmark/benchmark.h>

#include <memory>

#include "collect/machine_reader.h"

namespace gpuscope::collect {
namespace {

using model::Metric;

// Reads at no cost.
class FreeSource final : public model::Source {
 public:
  FreeSource(std::size_t gpus, bool may_block) : gpus_(gpus), may_block_(may_block) {}
  base::Result<std::shared_ptr<const model::Inventory>> open() override {
    auto inventory = std::make_shared<model::Inventory>();
    inventory->gpus.resize(gpus_);
    return inventory;
  }
  bool devices_may_block() const override { return may_block_; }
  void read(std::size_t /*device*/, base::WallTime /*tick*/, model::DeviceSample& out) override {
    out.at(Metric::kTemperature) = model::Reading::of(450);
  }
  bool lost() const override { return false; }

 private:
  std::size_t gpus_;
  bool may_block_;
};

void tick(benchmark::State& state, bool may_block) {
  const auto gpus = static_cast<std::size_t>(state.range(0));
  base::SystemClock clock;
  auto source = std::make_shared<FreeSource>(gpus, may_block);
  Trends trends({});
  auto reader = MachineReader::start(clock, source, *source->open(), &trends);
  if (!reader) {
    state.SkipWithError(reader.error().message.c_str());
    return;
  }
  std::uint64_t sequence = 0;
  while (state.KeepRunning()) {
    auto reading = (*reader)->read(++sequence, clock.steady_now() + std::chrono::seconds{1}, {});
    benchmark::DoNotOptimize(reading);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));  // devices
}

void BM_tick_inline(benchmark::State& state) { tick(state, false); }
void BM_tick_workers(benchmark::State& state) { tick(state, true); }

BENCHMARK(BM_tick_inline)->Arg(1)->Arg(8)->Arg(1000)->Arg(10'000);
BENCHMARK(BM_tick_workers)->Arg(1)->Arg(8)->Arg(64)->MeasureProcessCPUTime()->UseRealTime();

}  // namespace
}  // namespace gpuscope::collect
