// One evaluation of many rules over many GPUs, 64 of which have something to say.
#include <benchmark/benchmark.h>

#include <chrono>
#include <string>
#include <vector>

#include "alert/alert_testing.h"
#include "alert/rule_states.h"
#include "base/clock.h"
#include "query/memory_series.h"

namespace gpuscope::alert {
namespace {

void evaluate_rules(benchmark::State& state) {
  const auto rules = static_cast<int>(state.range(0));
  const auto gpus = static_cast<int>(state.range(1));
  const std::int64_t start = kStart.time_since_epoch() / std::chrono::milliseconds{1};
  query::MemorySeries series;
  for (const char* name : {"t", "p", "u", "m"}) {
    for (int gpu = 0; gpu < gpus; ++gpu) {
      std::vector<model::LabelledSample> samples;
      for (int s = 0; s < 300; ++s) samples.push_back({start + s * 1000, 60.0 + gpu % 7});
      series.add({{"__name__", name},
                  {"gpu_health", "healthy"},
                  {"gpu_index", std::to_string(gpu)},
                  {"gpu_uuid", "GPU-" + std::to_string(gpu)}},
                 std::move(samples));
    }
  }
  std::vector<Rule> made;
  for (int i = 0; i < rules; ++i) {
    const std::string metric(1, "tpum"[i % 4]);
    // One rule in ten alerts of every GPU.
    made.push_back(make_rule("A" + std::to_string(i),
                             "max without (gpu_health) (" + metric + "{gpu_uuid!=\"\"}) > " +
                                 std::to_string(i % 10 == 0 ? 10 : 80 + i),
                             minutes{1}));
  }
  RuleStates states(make_rules(std::move(made)), "");
  const base::SystemClock clock;
  const base::WallTime now = kStart + seconds{299};
  for (auto _ : state) {
    states.apply(evaluate(states.rules(), 0, now, series, clock));
    benchmark::DoNotOptimize(states.take_changes());
  }
}
BENCHMARK(evaluate_rules)->Args({100, 8})->Args({100, 64})->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace gpuscope::alert
