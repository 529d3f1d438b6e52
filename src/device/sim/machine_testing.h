// What the tests of the simulated machine share.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "device/sim/machine.h"

namespace gpuscope::device::sim {

inline constexpr base::WallTime kNow = kBoot + std::chrono::hours(24 * 200);

// Without a scenario.
inline Options gpus(int count, std::uint64_t seed = 1) {
  Options options;
  options.gpus = count;
  options.seed = seed;
  return options;
}

inline Options with(Scenario scenario, int count = 1) {
  Options options = gpus(count);
  options.scenario = std::move(scenario);
  return options;
}

// One phase of steady load on SIM-H100.
inline Scenario steady(double utilization, double power,
                       std::chrono::seconds duration = std::chrono::seconds(300)) {
  Scenario scenario;
  scenario.card = CardModel{};
  Phase phase;
  phase.duration = duration;
  phase.utilization_percent = utilization;
  phase.power_percent = power;
  phase.memory_utilization_percent = utilization / 2;
  phase.memory_used_percent = 60;
  phase.pcie_mb_per_second = 1000;
  phase.nvlink_mb_per_second = 9000;
  scenario.phases = {phase};
  return scenario;
}

inline Fault make_fault(FaultKind kind, double amount = 0) {
  Fault fault;
  fault.kind = kind;
  fault.amount = amount;
  return fault;
}

inline std::int64_t value(const model::DeviceSample& sample, model::Metric metric) {
  const model::Reading& reading = sample.at(metric);
  EXPECT_TRUE(reading.present()) << model::info(metric).key;
  return reading.value;
}

inline std::int64_t value(const Machine& machine, std::size_t gpu, base::WallTime time,
                          model::Metric metric) {
  model::DeviceSample sample;
  machine.read(gpu, time, sample);
  return value(sample, metric);
}

// Every number and absence in a sample, as text that can be compared and shown.
inline std::string text_of(const model::DeviceSample& sample) {
  std::string text;
  const auto add = [&text](const auto& row) {
    for (const model::Reading& reading : row) {
      text += reading.present() ? std::to_string(reading.value)
                                : std::string(model::absence_name(reading.absence));
      text += ' ';
    }
    text += '\n';
  };
  add(sample.gpu);
  for (const auto& fan : sample.fans) add(fan);
  for (const auto& link : sample.links) add(link);
  for (const auto& instance : sample.mig_instances) {
    text += instance.uuid + ' ' + instance.profile + ' ';
    add(instance.row);
  }
  for (const auto& process : sample.processes) {
    text += std::to_string(process.pid) + ' ' + process.name + ' ';
    add(process.row);
  }
  return text;
}

inline std::string text_of(const Machine& machine, base::WallTime time) {
  std::string text;
  for (std::size_t i = 0; i < machine.size(); ++i) {
    model::DeviceSample sample;
    machine.read(i, time, sample);
    text += text_of(sample);
  }
  return text;
}

// False for what whoever collects counts, what only vGPU hosts and guests have, and what nobody can
// tell of a GPU that is split.
inline bool given(const model::MetricInfo& row, const model::DeviceSample& sample) {
  using model::Metric;
  if (row.json_path == "xid" || row.json_path == "busy" || row.json_path == "vgpu") return false;
  if (row.id == Metric::kNvlinkTxRate || row.id == Metric::kNvlinkRxRate) return false;
  const bool of_the_whole = row.json_path == "util" || row.json_path == "engines";
  return sample.mig_instances.empty() || !of_the_whole;
}

// The rows of the GPU, its fans, links and MIG instances; processes have a right to keep quiet.
inline void expect_all_present(const model::DeviceSample& sample) {
  for (const auto& row : model::metrics(model::Entity::kGpu)) {
    if (!given(row, sample)) continue;
    EXPECT_TRUE(sample.at(row.id).present()) << row.key;
  }
  const auto check = [](model::Entity entity, const auto& rows) {
    for (const auto& row : rows) {
      for (const auto& metric : model::metrics(entity)) {
        EXPECT_TRUE(row[column(metric.id)].present()) << metric.key;
      }
    }
  };
  check(model::Entity::kFan, sample.fans);
  check(model::Entity::kLink, sample.links);
  for (const auto& instance : sample.mig_instances) {
    check(model::Entity::kMigInstance, std::vector{instance.row});
  }
}

}  // namespace gpuscope::device::sim
