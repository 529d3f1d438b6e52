// A machine that tests of documents look at: two GPUs, of which the second gives little.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "model/snapshot.h"

namespace gpuscope::wire {

inline constexpr std::int64_t kMib = std::int64_t{1} << 20;

inline void fill_whole_gpu(model::GpuInfo& info, model::DeviceSample& device) {
  using model::Fact;
  using model::Metric;
  using model::Reading;
  info.fact(Fact::kName) = model::Text::of("SIM-RTX4090");
  info.fact(Fact::kUuid) = model::Text::of("GPU-0a1b2c3d-4e5f-6172-8192-334455667788");
  info.fact(Fact::kSerial) = model::Text::of("SIM123456");
  info.fact(Fact::kVbios) = model::Text::of("90.00.01.00.AB");
  info.fact(Fact::kDriverVersion) = model::Text::of("525.00");
  device.mark_absent(model::Absence::kUnsupported, false);
  const std::pair<Metric, std::int64_t> values[] = {{Metric::kTemperature, 461},
                                                    {Metric::kFanSpeed, 1050},
                                                    {Metric::kFanSpeedPercent, 3000},
                                                    {Metric::kPower, 102'072},
                                                    {Metric::kSmClock, 2100},
                                                    {Metric::kMemoryClock, 1100},
                                                    {Metric::kGpuUtilization, 3000},
                                                    {Metric::kMemoryUtilization, 2405},
                                                    {Metric::kMemoryUsed, 3000 * kMib},
                                                    {Metric::kMemoryTotal, 24'000 * kMib},
                                                    {Metric::kMemoryUsagePercent, 1250},
                                                    {Metric::kMinorNumber, 0},
                                                    {Metric::kPerformanceState, 0},
                                                    {Metric::kPcieGenerationMax, 4},
                                                    {Metric::kPcieWidthMax, 16},
                                                    {Metric::kPowerLimit, 350'000},
                                                    {Metric::kEccCorrectedVolatile, 0},
                                                    {Metric::kEccUncorrectedVolatile, 0}};
  for (const auto& [metric, value] : values) device.at(metric) = Reading::of(value);
  model::Process process;
  process.pid = 4242;
  process.row[model::column(Metric::kProcessMemory)] = Reading::of(1'288'490'188);
  device.processes.push_back(process);
  process.pid = 4243;
  process.type = model::ProcessType::kGraphics;
  device.processes.push_back(process);
  process.pid = 4244;
  process.type = model::ProcessType::kComputeAndGraphics;
  process.row[model::column(Metric::kProcessMemory)] = Reading::none(model::Absence::kDenied);
  device.processes.push_back(process);
  device.processes_absence = model::Absence::kPresent;
}

inline model::Snapshot test_snapshot() {
  auto inventory = std::make_shared<model::Inventory>();
  inventory->method = "sim";
  inventory->simulated = true;
  inventory->gpus.resize(2);
  model::Snapshot snapshot;
  snapshot.sequence = 1;
  snapshot.time = base::WallTime{std::chrono::microseconds{1'795'339'482'736'284}};
  snapshot.devices.resize(2);
  snapshot.verdicts.resize(2);
  fill_whole_gpu(inventory->gpus[0], snapshot.devices[0]);
  snapshot.verdicts[0].overall = model::Health::kHealthy;
  snapshot.verdicts[0].gpu = model::Health::kHealthy;
  snapshot.verdicts[0].temperature = "Normal";
  snapshot.verdicts[0].memory = "Stable";
  for (model::Text& fact : inventory->gpus[1].facts) {
    fact = model::Text::none(model::Absence::kUnsupported);
  }
  inventory->gpus[1].fact(model::Fact::kUuid) = model::Text::of("GPU-BBBB");
  inventory->gpus[1].fact(model::Fact::kName) = model::Text::of("Odd \"name\" \\ \xff\n");
  snapshot.devices[1].mark_absent(model::Absence::kGone, false);
  snapshot.devices[1].at(model::Metric::kFanSpeedPercent) = model::Reading::of(4200);
  snapshot.devices[1].at(model::Metric::kSmClock) = model::Reading::of(1500);
  snapshot.inventory = std::move(inventory);
  return snapshot;
}

}  // namespace gpuscope::wire
