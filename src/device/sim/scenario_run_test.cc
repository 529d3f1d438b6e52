#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "device/sim/machine.h"
#include "device/sim/machine_testing.h"

namespace gpuscope::device::sim {
namespace {

using base::WallTime;
using model::Absence;
using model::Metric;
using model::Reading;
using std::chrono::minutes;
using std::chrono::seconds;

// ---- physics

TEST(ScenarioRun, PowerHeatAndFansFollowLoad) {
  const Machine idle(with(steady(0, 10)));
  const Machine busy(with(steady(95, 90)));
  for (const Metric metric : {Metric::kPower, Metric::kTemperature, Metric::kFanSpeed,
                              Metric::kSmClock, Metric::kMemoryTemperature, Metric::kSmActivity}) {
    EXPECT_GT(value(busy, 0, kNow, metric), value(idle, 0, kNow, metric))
        << model::info(metric).key;
  }
  EXPECT_EQ(value(idle, 0, kNow, Metric::kClockEventIdle), 1);
  EXPECT_EQ(value(busy, 0, kNow, Metric::kClockEventIdle), 0);
  EXPECT_LE(value(busy, 0, kNow, Metric::kPower), 700'000);
  EXPECT_GT(value(busy, 0, kNow, Metric::kTemperatureMargin), 0);
}

TEST(ScenarioRun, PowerCapHoldsPowerAndClocks) {
  Scenario scenario = steady(98, 95);
  const Machine free(with(scenario));
  scenario.faults = {make_fault(FaultKind::kPowerCap, 50)};
  const Machine capped(with(scenario));
  EXPECT_EQ(value(capped, 0, kNow, Metric::kPowerLimitEnforced), 350'000);
  EXPECT_EQ(value(capped, 0, kNow, Metric::kPowerLimitDefault), 700'000);
  EXPECT_LE(value(capped, 0, kNow, Metric::kPower), 350'500);
  EXPECT_GT(value(capped, 0, kNow, Metric::kPower), 300'000);
  EXPECT_LT(value(capped, 0, kNow, Metric::kSmClock), value(free, 0, kNow, Metric::kSmClock));
  EXPECT_EQ(value(capped, 0, kNow, Metric::kClockEventSwPowerCap), 1);
  const auto held = [&](const Machine& machine) {
    return value(machine, 0, kNow + minutes(5), Metric::kClockEventSwPowerCapSeconds) -
           value(machine, 0, kNow, Metric::kClockEventSwPowerCapSeconds);
  };
  EXPECT_NEAR(static_cast<double>(held(capped)), 300e9, 30e9);
  EXPECT_EQ(held(free), 0);
}

TEST(ScenarioRun, BadCoolingThrottles) {
  Scenario scenario = steady(98, 95);
  Fault hot = make_fault(FaultKind::kCooling, 5.4);
  hot.gpus = {1};
  scenario.faults = {hot};
  const Machine machine(with(scenario, 2));
  EXPECT_GE(value(machine, 1, kNow, Metric::kTemperature), 900);
  EXPECT_LT(value(machine, 1, kNow, Metric::kTemperature), 950);
  EXPECT_LE(value(machine, 1, kNow, Metric::kTemperatureMargin), 0);
  EXPECT_EQ(value(machine, 1, kNow, Metric::kClockEventHwThermalSlowdown), 1);
  EXPECT_EQ(value(machine, 1, kNow, Metric::kClockEventHwSlowdown), 1);
  EXPECT_LT(value(machine, 1, kNow, Metric::kSmClock), 1000);
  EXPECT_GT(value(machine, 1, kNow + minutes(1), Metric::kViolationThermalSeconds),
            value(machine, 1, kNow, Metric::kViolationThermalSeconds));
  EXPECT_LT(value(machine, 0, kNow, Metric::kTemperature), 750);
  EXPECT_EQ(value(machine, 0, kNow, Metric::kClockEventHwThermalSlowdown), 0);
}

// ---- faults

TEST(ScenarioRun, LosesAGpuInItsWindow) {
  Scenario scenario = steady(50, 50, seconds(120));
  Fault lost = make_fault(FaultKind::kLost);
  lost.gpus = {1};
  lost.from = seconds(20);
  scenario.faults = {lost};
  const Machine machine(with(scenario, 2));
  const WallTime start = kBoot + seconds(120) * 1000;
  for (int second = 0; second < 240; ++second) {
    const bool gone = second % 120 >= 20;
    EXPECT_EQ(machine.lost(1, start + seconds(second)), gone) << second;
    EXPECT_FALSE(machine.lost(0, start + seconds(second)));
  }
  model::DeviceSample sample;
  machine.read(1, start + seconds(60), sample);
  EXPECT_EQ(sample.at(Metric::kPower), Reading::none(Absence::kGone));
  EXPECT_TRUE(sample.at(Metric::kPowerLimitMax).present());  // what it was is still known
  EXPECT_TRUE(sample.links.empty());
  EXPECT_EQ(sample.processes_absence, Absence::kGone);
  machine.read(1, start + seconds(121), sample);
  expect_all_present(sample);
}

TEST(ScenarioRun, CountsErrorsWhileTheFaultLasts) {
  Scenario scenario = steady(50, 50, seconds(120));
  Fault corrected = make_fault(FaultKind::kEccCorrected, 60);
  corrected.from = seconds(30);
  corrected.until = seconds(90);
  Fault uncorrected = make_fault(FaultKind::kEccUncorrected, 6);
  uncorrected.from = seconds(60);
  Fault pending = make_fault(FaultKind::kRemapPending);
  pending.from = seconds(60);
  scenario.faults = {corrected, uncorrected, pending};
  const Machine machine(with(scenario));
  const auto at = [&](int second, Metric metric) {
    return value(machine, 0, kBoot + seconds(second), metric);
  };
  EXPECT_EQ(at(30, Metric::kEccCorrectedVolatile), 0);
  EXPECT_EQ(at(60, Metric::kEccCorrectedVolatile), 30);
  EXPECT_EQ(at(119, Metric::kEccCorrectedVolatile), 60);
  EXPECT_EQ(at(240, Metric::kEccCorrectedVolatile), 120);
  EXPECT_EQ(at(59, Metric::kEccUncorrectedVolatile), 0);
  EXPECT_EQ(at(120, Metric::kEccUncorrectedVolatile), 6);
  EXPECT_EQ(at(120, Metric::kRemappedRowsUncorrectable), 6);
  EXPECT_EQ(at(59, Metric::kRemappedRowsPending), 0);
  EXPECT_EQ(at(61, Metric::kRemappedRowsPending), 1);
  EXPECT_EQ(at(61, Metric::kRecoveryAction), 1);
}

TEST(ScenarioRun, LinkThatIsDownStandsStill) {
  Scenario scenario = steady(50, 50, seconds(60));
  Fault down = make_fault(FaultKind::kNvlinkDown, 2);
  down.from = seconds(30);
  scenario.faults = {down};
  const Machine machine(with(scenario));
  model::DeviceSample early;
  model::DeviceSample late;
  machine.read(0, kBoot + seconds(6031), early);
  machine.read(0, kBoot + seconds(6055), late);
  EXPECT_EQ(value(late, Metric::kNvlinkActiveLinks), 16);
  EXPECT_EQ(late.links[1][column(Metric::kLinkState)], Reading::of(0));
  EXPECT_EQ(late.links[1][column(Metric::kLinkTx)], early.links[1][column(Metric::kLinkTx)]);
  EXPECT_GT(late.links[2][column(Metric::kLinkTx)].value,
            early.links[2][column(Metric::kLinkTx)].value);
  machine.read(0, kBoot + seconds(6065), late);
  EXPECT_EQ(value(late, Metric::kNvlinkActiveLinks), 18);
}

TEST(ScenarioRun, KeepsStepInLockstepOnly) {
  Scenario scenario = steady(90, 90, seconds(60));
  Phase rest;
  rest.duration = seconds(60);
  scenario.phases.push_back(rest);
  const auto busy = [](const Machine& machine, int second) {
    std::size_t count = 0;
    for (std::size_t gpu = 0; gpu < machine.size(); ++gpu) {
      count +=
          value(machine, gpu, kBoot + seconds(second), Metric::kGpuUtilization) > 5000 ? 1U : 0U;
    }
    return count;
  };
  const Machine alone(with(scenario, 40));
  EXPECT_GT(busy(alone, 30), 5U);
  EXPECT_LT(busy(alone, 30), 35U);
  scenario.lockstep = true;
  const Machine together(with(scenario, 40));
  EXPECT_EQ(busy(together, 30), 40U);
  EXPECT_EQ(busy(together, 90), 0U);
}

TEST(ScenarioRun, SplitsIntoMigInstances) {
  Scenario scenario = steady(50, 50);
  scenario.card->mig_instances = 7;
  const Machine machine(with(scenario));
  model::DeviceSample sample;
  machine.read(0, kNow, sample);
  ASSERT_EQ(sample.mig_instances.size(), 7U);
  EXPECT_EQ(value(sample, Metric::kMigMode), 1);
  EXPECT_EQ(sample.mig_instances[0].profile, "1g.10gb");
  EXPECT_NE(sample.mig_instances[0].uuid, sample.mig_instances[1].uuid);
  // What NVML does not tell of a GPU that is split.
  EXPECT_EQ(sample.at(Metric::kGpuUtilization), Reading::none(Absence::kUnsupported));
  EXPECT_TRUE(sample.at(Metric::kSmActivity).present());
  std::int64_t sum = 0;
  for (const model::MigInstance& instance : sample.mig_instances) {
    for (const Reading& reading : instance.row) EXPECT_TRUE(reading.present());
    sum += instance.row[column(Metric::kMigSmActivity)].value;
  }
  EXPECT_NEAR(static_cast<double>(sum) / 7, static_cast<double>(value(sample, Metric::kSmActivity)),
              10);
}

TEST(ScenarioRun, KnowsVirtualizationAndUnifiedMemory) {
  Scenario scenario = steady(50, 50);
  const auto read = [&](Metric metric) {
    const Machine machine(with(scenario));
    model::DeviceSample sample;
    machine.read(0, kNow, sample);
    return sample.at(metric);
  };
  EXPECT_EQ(read(Metric::kVirtualizationMode), Reading::of(0));
  EXPECT_EQ(read(Metric::kUnifiedMemory), Reading::of(0));
  EXPECT_EQ(read(Metric::kVgpuInstances), Reading::none(Absence::kUnsupported));
  EXPECT_EQ(read(Metric::kVgpuLicense), Reading::none(Absence::kUnsupported));
  scenario.card->virtualization_mode = 4;
  scenario.card->vgpu_instances = 3;
  EXPECT_EQ(read(Metric::kVgpuInstances), Reading::of(3));
  scenario.card->virtualization_mode = 2;
  scenario.card->vgpu_licensed = true;
  EXPECT_EQ(read(Metric::kVgpuLicense), Reading::of(1));
  scenario.card->unified_memory = true;
  EXPECT_EQ(read(Metric::kUnifiedMemory), Reading::of(1));
  EXPECT_EQ(read(Metric::kBar1Total), Reading::none(Absence::kUnsupported));
}

TEST(ScenarioRun, BearsPoorCards) {
  Scenario scenario = steady(100, 150, seconds(1));
  scenario.phases[0].duration = kStep;
  scenario.card->fans = 0;
  scenario.card->nvlinks = 0;
  scenario.card->idle_power_watts = scenario.card->power_limit_watts;
  scenario.faults = {make_fault(FaultKind::kPowerCap, 10), make_fault(FaultKind::kPcieDegraded, 4)};
  const Machine machine(with(scenario));
  model::DeviceSample sample;
  machine.read(0, kNow, sample);
  EXPECT_EQ(sample.at(Metric::kFanSpeed), Reading::none(Absence::kUnsupported));
  EXPECT_EQ(sample.at(Metric::kNvlinkTx), Reading::none(Absence::kUnsupported));
  EXPECT_TRUE(sample.fans.empty());
  EXPECT_EQ(value(sample, Metric::kPcieWidth), 4);
}

}  // namespace
}  // namespace gpuscope::device::sim
