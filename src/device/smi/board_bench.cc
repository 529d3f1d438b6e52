// What a tick costs: one GPU of a data centre, read from what the tools said last.
#include <benchmark/benchmark.h>

#include "base/clock.h"
#include "device/smi/board.h"
#include "device/smi/query.h"

namespace gpuscope::device::smi {
namespace {

void read_one_gpu(benchmark::State& state) {
  const base::SystemClock clock;
  const Query query("");
  Board board(clock, 1, query.metrics(), std::chrono::hours{1});
  model::DeviceSample sample;
  sample.mark_absent(model::Absence::kUnsupported, false);
  sample.processes.resize(8);
  for (model::Process& process : sample.processes) process.name = "python3";
  board.put_report(0, sample, std::chrono::hours{1});
  board.put_row(0, sample.gpu);
  model::DeviceSample out;
  for (auto _ : state) {
    board.read(0, {}, out);
    benchmark::DoNotOptimize(out);
  }
}
BENCHMARK(read_one_gpu);

}  // namespace
}  // namespace gpuscope::device::smi
