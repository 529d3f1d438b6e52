// How fast a recording is read: seconds of recording a second, and what a tick takes in the file.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <string>

#include "device/replay/encoder.h"
#include "device/replay/recording_file.h"
#include "device/replay/recording_reader.h"
#include "device/replay/replay_source.h"
#include "device/sim/machine.h"

namespace gpuscope::device::replay {
namespace {

constexpr int kTicks = 600;

// Ten minutes of a machine of so many GPUs under changing load, a tick a second.
class Recording {
 public:
  explicit Recording(int gpus) : path_("/tmp/gpuscope-bench-" + std::to_string(getpid())) {
    sim::Scenario scenario;
    scenario.card = sim::CardModel{};
    for (const double load : {95.0, 40.0, 5.0}) {
      sim::Phase phase;
      phase.duration = std::chrono::seconds{40};
      phase.utilization_percent = load;
      phase.power_percent = load;
      phase.memory_used_percent = 60;
      phase.pcie_mb_per_second = 1000;
      phase.nvlink_mb_per_second = 9000;
      phase.processes_max = 4;
      scenario.phases.push_back(phase);
    }
    const sim::Machine machine(
        sim::Options{.gpus = gpus, .seed = 1, .scenario = scenario, .frozen_at = {}});
    auto inventory = std::make_shared<model::Inventory>();
    for (std::size_t i = 0; i < machine.size(); ++i) inventory->gpus.push_back(machine.info(i));
    model::Snapshot snapshot;
    snapshot.inventory = inventory;
    snapshot.devices.resize(machine.size());
    snapshot.time = base::WallTime{std::chrono::seconds{1'780'000'000}};
    Encoder encoder;
    std::string records;
    std::filesystem::remove(path_);
    auto writer = FrameWriter::open(path_);
    for (int tick = 0; tick < kTicks; ++tick) {
      for (std::size_t i = 0; i < machine.size(); ++i) {
        machine.read(i, snapshot.time, snapshot.devices[i]);
      }
      encoder.append(snapshot, records);
      snapshot.time += std::chrono::seconds{1};
      ++snapshot.sequence;
      if (tick % 5 != 4) continue;
      if (!writer || !writer->append(records)) std::abort();
      records.clear();
    }
    bytes_ = writer->bytes();
  }
  ~Recording() { std::filesystem::remove(path_); }
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  const std::string& path() const { return path_; }
  double bytes_a_tick() const { return static_cast<double>(bytes_) / kTicks; }

 private:
  std::string path_;
  std::uint64_t bytes_ = 0;
};

void report(benchmark::State& state, const Recording& recording) {
  state.counters["recorded_s_per_s"] = benchmark::Counter(
      static_cast<double>(state.iterations()) * kTicks, benchmark::Counter::kIsRate);
  state.counters["bytes_per_tick"] = recording.bytes_a_tick();
}

void read_recording(benchmark::State& state) {
  const Recording recording(static_cast<int>(state.range(0)));
  for (auto _ : state) {
    auto reader = RecordingReader::open(recording.path());
    if (!reader) std::abort();
    int ticks = 1;
    while ((*reader)->next()) ++ticks;
    if (ticks != kTicks) std::abort();
  }
  report(state, recording);
}
BENCHMARK(read_recording)->Arg(1)->Arg(8)->Arg(100)->Unit(benchmark::kMillisecond);

// As a sampler reads it, every tick of it.
void replay_source(benchmark::State& state) {
  const Recording recording(static_cast<int>(state.range(0)));
  std::vector<model::DeviceSample> devices(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    const auto source = make_replay_source(
        {.path = recording.path(), .speed = std::nullopt, .loop = false, .from_end = false});
    if (!source->open()) std::abort();
    base::WallTime now{std::chrono::seconds{1'790'000'000}};
    for (int tick = 0; tick < kTicks; ++tick) {
      now += std::chrono::seconds{1};
      for (std::size_t i = 0; i < devices.size(); ++i) source->read(i, now, devices[i]);
    }
  }
  report(state, recording);
}
BENCHMARK(replay_source)->Arg(8)->Arg(100)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace gpuscope::device::replay
