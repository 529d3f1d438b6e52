#include "config/scenario.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include "device/sim/machine.h"

namespace gpuscope::config {
namespace {

using device::sim::FaultKind;
using device::sim::kBoot;
using device::sim::Machine;
using device::sim::Scenario;
using model::Metric;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr const char* kSmallest = "version: 1\nphases:\n  - duration: 1m\n";

std::string error_of(const std::string& text) {
  const auto scenario = parse_scenario("f.yaml", text);
  return scenario ? "no error" : scenario.error().message;
}

// What one more line at the end of the smallest scenario (line 4) makes of it.
std::string error_with(const std::string& line) { return error_of(kSmallest + line + "\n"); }

TEST(Scenario, ReadsTheSmallest) {
  const auto scenario = parse_scenario("f.yaml", kSmallest);
  ASSERT_TRUE(scenario.has_value()) << scenario.error().message;
  EXPECT_EQ(scenario->name, "f.yaml");
  EXPECT_FALSE(scenario->gpus.has_value());
  EXPECT_FALSE(scenario->card.has_value());
  ASSERT_EQ(scenario->phases.size(), 1U);
  EXPECT_EQ(scenario->phases[0].duration, minutes(1));
}

TEST(Scenario, ReadsEveryKey) {
  const auto scenario = parse_scenario("f.yaml", R"(
version: 1
description: All of it
gpus: 12
lockstep: true
card: {name: SIM-X, memory_mib: 2048, power_limit_watts: 100, idle_power_watts: 5,
       gpu_clock_max_mhz: 1500, memory_clock_mhz: 800, ambient_celsius: 20, rise_celsius: 50,
       temperature_max_celsius: 80, temperature_slowdown_celsius: 85,
       temperature_shutdown_celsius: 90, pcie_generation: 4, pcie_width: 8, fans: 1, nvlinks: 2,
       mig_instances: 3}
phases:
  - {duration: 30s, utilization_percent: 50, wander_percent: 1, power_percent: 60,
     memory_utilization_percent: 20, memory_used_percent: 30, tensor_percent: 10,
     encoder_percent: 1, decoder_percent: 2, pcie_mb_per_second: 3, nvlink_mb_per_second: 4,
     processes: [0, 5]}
  - {duration: 1.5m, processes: 2}
faults:
  - {kind: cooling, gpus: [0, 3], from: 5s, until: 1m, heat_factor: 2}
  - {kind: power_cap, limit_percent: 50}
  - {kind: ecc_corrected, per_minute: 1.5}
  - {kind: ecc_uncorrected, per_minute: 1}
  - {kind: remap_pending}
  - {kind: remap_failure}
  - {kind: lost, from: 0s}
  - {kind: nvlink_down, links: 2}
  - {kind: nvlink_errors, per_minute: 1}
  - {kind: pcie_degraded, lanes: 4}
  - {kind: pcie_replays, per_minute: 1}
unsupported: [fan_speed_rpm, link_tx_bytes]
)");
  ASSERT_TRUE(scenario.has_value()) << scenario.error().message;
  EXPECT_EQ(scenario->gpus, 12);
  EXPECT_TRUE(scenario->lockstep);
  EXPECT_EQ(scenario->card->name, "SIM-X");
  EXPECT_EQ(scenario->card->mig_instances, 3);
  EXPECT_EQ(scenario->phases[0].processes_max, 5);
  EXPECT_EQ(scenario->phases[1].processes_min, 2);
  EXPECT_EQ(scenario->phases[1].duration, seconds(90));
  ASSERT_EQ(scenario->faults.size(), 11U);
  EXPECT_EQ(scenario->faults[0].kind, FaultKind::kCooling);
  EXPECT_EQ(scenario->faults[0].gpus, (std::vector<int>{0, 3}));
  EXPECT_EQ(scenario->faults[0].until, minutes(1));
  EXPECT_EQ(scenario->faults[0].amount, 2);
  EXPECT_EQ(scenario->unsupported, (std::vector{Metric::kFanSpeed, Metric::kLinkTx}));
}

TEST(Scenario, ErrorsNameFileLineKeyAndWhatItTakes) {
  EXPECT_EQ(error_with("gpus: 0"),
            "cannot use the scenario f.yaml:\nf.yaml:4: gpus: '0' is not a whole number from 1 to "
            "10000");
  EXPECT_THAT(error_with("lockstep: yes"), HasSubstr("f.yaml:4: lockstep: 'yes' is not true or"));
  EXPECT_THAT(error_with("    utilization_percent: 101"),
              HasSubstr("f.yaml:4: phases[0].utilization_percent: '101' is not a number from 0 to "
                        "100"));
  EXPECT_THAT(error_with("    power_percent: lots"), HasSubstr("'lots' is not a number from 0"));
  EXPECT_THAT(error_with("    power_percent: [1]"), HasSubstr("takes a number from 0 to 150"));
  EXPECT_THAT(error_with("    processes: [5, 1]"), HasSubstr("the first number is the lower one"));
  EXPECT_THAT(error_with("    processes: {}"), HasSubstr("the least and the most"));
  EXPECT_THAT(error_with("faults: [{kind: cooling}]"),
              HasSubstr("f.yaml:4: faults[0].heat_factor: is missing: a number from 1 to 20"));
  EXPECT_THAT(error_with("faults: [{from: 1s}]"), HasSubstr("faults[0].kind: is missing"));
  EXPECT_THAT(error_with("faults: [{kind: lost, from: 60s}]"), HasSubstr("begins at 60000 ms"));
  EXPECT_THAT(error_with("faults: [{kind: lost, from: 9s, until: 9s}]"), HasSubstr("begins at"));
  EXPECT_THAT(error_with("faults: [{kind: lost, gpus: []}]"), HasSubstr("a list of GPU indexes"));
  EXPECT_THAT(error_with("faults: [{kind: lost, gpus: 1}]"), HasSubstr("a list of GPU indexes"));
  EXPECT_THAT(error_with("card: {idle_power_watts: 800}"), HasSubstr("above power_limit_watts"));
  EXPECT_THAT(error_with("card: {temperature_max_celsius: 140}"), HasSubstr("have to rise"));
  EXPECT_THAT(error_of("version: 2\n"), HasSubstr("'2' is not a whole number from 1 to 1"));
}

TEST(Scenario, SuggestsTheNearestName) {
  EXPECT_THAT(error_with("lock_step: true"), HasSubstr("did you mean 'lockstep'?"));
  EXPECT_THAT(error_with("    utilisation_percent: 5"),
              HasSubstr("did you mean 'utilization_percent'?"));
  EXPECT_THAT(error_with("faults: [{kind: colling}]"), HasSubstr("did you mean 'cooling'?"));
  EXPECT_THAT(error_with("unsupported: [power_wats]"), HasSubstr("did you mean 'power_watts'?"));
  EXPECT_THAT(error_with("zzz: 1"), HasSubstr("there is no such key; there are version, desc"));
  // A number that this kind does not have.
  EXPECT_THAT(error_with("faults: [{kind: lost, per_minute: 1}]"), HasSubstr("no such key"));
}

TEST(Scenario, SaysAllThatIsWrongAtOnce) {
  const std::string error = error_of("gpus: x\nphases: []\nfoo: 1\n");
  EXPECT_THAT(error, HasSubstr("f.yaml:1: gpus:"));
  EXPECT_THAT(error, HasSubstr("f.yaml:2: phases: takes one phase at least"));
  EXPECT_THAT(error, HasSubstr("f.yaml:3: foo:"));
  EXPECT_THAT(error, HasSubstr("version: is missing"));
}

TEST(Scenario, RefusesNumbersThatAreNone) {
  for (const char* number :
       {".nan", "nan", ".inf", "inf", "-inf", "1e999", "0x10", "1_000", "''"}) {
    EXPECT_THAT(error_with("    utilization_percent: " + std::string(number)),
                HasSubstr("is not a number from 0 to 100"))
        << number;
  }
  for (const char* duration : {"0s", "61m", "150ms", "10", "-1s", "forever"}) {
    EXPECT_THAT(error_of("version: 1\nphases: [{duration: " + std::string(duration) + "}]\n"),
                HasSubstr("f.yaml:2: phases[0].duration: '"))
        << duration;
  }
}

TEST(Scenario, IsBounded) {
  EXPECT_THAT(error_of(std::string(kMaxScenarioBytes + 1, ' ')), HasSubstr("longer than"));
  std::string many = "version: 1\nphases:\n";
  for (int i = 0; i < 65; ++i) many += "  - duration: 1s\n";
  EXPECT_THAT(error_of(many), HasSubstr("has 65 items, of 64 at most"));
  EXPECT_THAT(error_of("version: 1\nphases: [{duration: 1h}, {duration: 1s}]\n"),
              HasSubstr("longer than 1h together"));
  EXPECT_THAT(error_with("card: " + std::string(9, '[') + std::string(9, ']')),
              HasSubstr("too deep"));
  EXPECT_THAT(error_with("card: " + std::string(200'000, '[')), HasSubstr("cannot use"));
  std::string caps = "faults:\n";
  for (int i = 0; i < 5; ++i) caps += "  - {kind: power_cap, limit_percent: 50}\n";
  EXPECT_THAT(error_with(caps), HasSubstr("of 4 at most"));
  // What is shown of a long value is cut, and a file full of mistakes gives the first of them.
  EXPECT_LT(error_with("gpus: " + std::string(5000, '1')).size(), 300U);
  std::string wrong = kSmallest;
  for (int i = 0; i < 1000; ++i) wrong += "k" + std::to_string(i) + ": 1\n";
  const std::string error = error_of(wrong);
  EXPECT_EQ(std::ranges::count(error, '\n'), 20);
}

TEST(Scenario, RefusesAliasesAndMore) {
  EXPECT_THAT(error_of("a: &a [1]\nb: [*a, *a]\n"), HasSubstr("f.yaml:2: aliases"));
  EXPECT_THAT(error_of("&a [*a]\n"), HasSubstr("aliases"));
  EXPECT_THAT(error_of(std::string(kSmallest) + "---\nversion: 1\n"), HasSubstr("second document"));
  EXPECT_THAT(error_of("phases: [\n"), HasSubstr("not YAML"));
  EXPECT_THAT(error_of(""), HasSubstr("takes lines of the form"));
  EXPECT_THAT(error_of("- 1\n"), HasSubstr("takes lines of the form"));
  EXPECT_THAT(error_with("gpus: 1\ngpus: 2"),
              HasSubstr("f.yaml:5: gpus: stands here for the second"));
  EXPECT_THAT(error_with("[1]: 2"), HasSubstr("a key is one word"));
  // A value cannot forge lines of its own.
  EXPECT_EQ(std::ranges::count(error_with("gpus: \"1\\nx\\e[31m\""), '\n'), 1);
}

TEST(Scenario, LoadsByNameOrFromAFile) {
  const auto builtin = load_scenario("training");
  ASSERT_TRUE(builtin.has_value()) << builtin.error().message;
  EXPECT_EQ(builtin->name, "training");
  const auto unknown = load_scenario("trainin");
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().kind, base::ErrorKind::kNotFound);
  EXPECT_THAT(unknown.error().message, HasSubstr("did you mean 'training'?"));
  EXPECT_THAT(load_scenario("qqqqqqqq").error().message, HasSubstr("ecc_failing, fallen_off_bus"));
  const std::string path = testing::TempDir() + "/scenario_test.yaml";
  std::ofstream(path) << kSmallest;
  const auto file = load_scenario(path);
  ASSERT_TRUE(file.has_value()) << file.error().message;
  EXPECT_EQ(file->name, path);
  std::filesystem::remove(path);
  EXPECT_FALSE(load_scenario(testing::TempDir()).has_value());  // a directory
}

// ---- those that come with the program

class Builtin : public testing::Test {
 protected:
  static Machine machine(const char* name, int gpus = 2) {
    device::sim::Options options;
    options.gpus = gpus;
    auto scenario = load_scenario(name);
    EXPECT_TRUE(scenario.has_value()) << (scenario ? "" : scenario.error().message);
    if (scenario) options.scenario = *std::move(scenario);
    return Machine(options);
  }
  static std::int64_t value(const Machine& machine, std::size_t gpu, base::WallTime time,
                            Metric metric) {
    model::DeviceSample sample;
    machine.read(gpu, time, sample);
    EXPECT_TRUE(sample.at(metric).present()) << model::info(metric).key;
    return sample.at(metric).value;
  }
  // Begins a period of each of them: their lengths divide it.
  static constexpr base::WallTime kStart = kBoot + hours(24 * 300);
};

TEST_F(Builtin, AllParseAndSayWhatTheyAre) {
  EXPECT_GE(builtin_scenarios().size(), 9U);
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(GPUSCOPE_SOURCE_DIR) +
                                                               "/src/device/sim/scenarios")) {
    files += entry.path().extension() == ".yaml" ? 1U : 0U;
  }
  EXPECT_EQ(files, builtin_scenarios().size());
  for (const BuiltinScenario& builtin : builtin_scenarios()) {
    const auto scenario = load_scenario(std::string(builtin.name));
    ASSERT_TRUE(scenario.has_value()) << scenario.error().message;
    EXPECT_EQ(scenario->name, builtin.name);
    EXPECT_FALSE(scenario->description.empty()) << builtin.name;
  }
}

TEST_F(Builtin, TrainingIsBusyAndInStep) {
  const Machine gpus = machine("training", 8);
  for (std::size_t gpu = 0; gpu < 8; ++gpu) {
    const auto time = kStart + minutes(3);
    EXPECT_GE(value(gpus, gpu, time, Metric::kGpuUtilization), 9400);
    EXPECT_GE(
        value(gpus, gpu, time, Metric::kPower) * 100 / value(gpus, gpu, time, Metric::kPowerLimit),
        80);
    EXPECT_GT(value(gpus, gpu, time, Metric::kTensorActivity), 4000);
  }
  EXPECT_EQ(gpus.info(0).name(), "SIM-RTX4090");
  EXPECT_EQ(gpus.info(3).name(), "SIM-H100");
  EXPECT_EQ(gpus.rules(), model::RuleSet::kHardware);
}

TEST_F(Builtin, InferenceGoesUpAndDown) {
  const Machine gpus = machine("inference");
  std::int64_t least = 10'000;
  std::int64_t most = 0;
  for (int i = 0; i < 540; ++i) {
    const std::int64_t now = value(gpus, 0, kStart + seconds(i), Metric::kGpuUtilization);
    least = std::min(least, now);
    most = std::max(most, now);
  }
  EXPECT_LT(least, 1000);
  EXPECT_GT(most, 8500);
}

TEST_F(Builtin, IdleWithMemoryHoldsMemoryAndDoesNothing) {
  const Machine gpus = machine("idle_with_memory");
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(value(gpus, 0, kStart + seconds(7 * i), Metric::kGpuUtilization), 0);
    EXPECT_GT(value(gpus, 0, kStart + seconds(7 * i), Metric::kMemoryUsagePercent), 7000);
    EXPECT_GE(value(gpus, 0, kStart + seconds(7 * i), Metric::kComputeProcesses), 1);
  }
}

TEST_F(Builtin, HungCollectiveIsBusyAtHardlyAnyPower) {
  const Machine gpus = machine("hung_collective", 4);
  const auto working = kStart + minutes(2);
  const auto hung = kStart + minutes(8);
  for (std::size_t gpu = 0; gpu < 4; ++gpu) {
    EXPECT_EQ(value(gpus, gpu, hung, Metric::kGpuUtilization), 10'000);
    EXPECT_LT(value(gpus, gpu, hung, Metric::kPower) * 3,
              value(gpus, gpu, working, Metric::kPower));
    EXPECT_LT(value(gpus, gpu, hung, Metric::kSmActivity), 2500);
    EXPECT_EQ(value(gpus, gpu, hung, Metric::kComputeProcesses), 1);
  }
}

TEST_F(Builtin, OverheatingStaysAboveTheSlowdownTemperature) {
  const Machine gpus = machine("overheating");
  for (int i = 0; i < 60; ++i) {
    const auto time = kStart + seconds(10 * i);
    EXPECT_GE(value(gpus, 0, time, Metric::kTemperature),
              value(gpus, 0, time, Metric::kTemperatureSlowdown));
    EXPECT_EQ(value(gpus, 0, time, Metric::kClockEventHwThermalSlowdown), 1);
    EXPECT_LT(value(gpus, 1, time, Metric::kTemperature), 800);
  }
  const auto held = [&](base::WallTime time) {
    return value(gpus, 0, time, Metric::kClockEventHwThermalSlowdownSeconds);
  };
  EXPECT_EQ(held(kStart + minutes(10)) - held(kStart), 600'000'000'000);
  EXPECT_LT(value(gpus, 0, kStart, Metric::kSmClock),
            value(gpus, 0, kStart, Metric::kSmClockMax) * 6 / 10);
}

TEST_F(Builtin, EccFailingGetsWorseStepByStep) {
  const Machine gpus = machine("ecc_failing");
  const auto grown = [&](Metric metric, seconds from, seconds to) {
    return value(gpus, 0, kStart + to, metric) - value(gpus, 0, kStart + from, metric);
  };
  EXPECT_EQ(grown(Metric::kEccCorrectedVolatile, seconds(0), seconds(29)), 0);
  EXPECT_GT(grown(Metric::kEccCorrectedVolatile, seconds(30), seconds(180)), 50);
  EXPECT_EQ(grown(Metric::kEccUncorrectedVolatile, seconds(0), seconds(179)), 0);
  EXPECT_GT(grown(Metric::kEccUncorrectedVolatile, seconds(180), seconds(420)), 0);
  EXPECT_EQ(value(gpus, 0, kStart + minutes(4), Metric::kRemappedRowsPending), 0);
  EXPECT_EQ(value(gpus, 0, kStart + minutes(6), Metric::kRemappedRowsPending), 1);
  EXPECT_EQ(value(gpus, 0, kStart + minutes(6), Metric::kRemappedRowsFailure), 0);
  EXPECT_EQ(value(gpus, 0, kStart + minutes(8), Metric::kRemappedRowsFailure), 1);
  EXPECT_EQ(value(gpus, 1, kStart + minutes(8), Metric::kEccCorrectedVolatile), 0);
}

TEST_F(Builtin, FallenOffBusIsGoneFromTwentySecondsOn) {
  const Machine gpus = machine("fallen_off_bus");
  for (int second = 0; second < 240; ++second) {
    EXPECT_EQ(gpus.lost(0, kStart + seconds(second)), second % 120 >= 20) << second;
    EXPECT_FALSE(gpus.lost(1, kStart + seconds(second)));
  }
}

TEST_F(Builtin, ThrottledIsHeldByItsPowerCap) {
  const Machine gpus = machine("throttled");
  const auto held = kStart + minutes(5);
  EXPECT_EQ(value(gpus, 0, held, Metric::kClockEventSwPowerCap), 1);
  EXPECT_LE(value(gpus, 0, held, Metric::kPower),
            value(gpus, 0, held, Metric::kPowerLimitEnforced) + 500);
  EXPECT_LT(value(gpus, 0, held, Metric::kSmClock),
            value(gpus, 0, kStart + minutes(1), Metric::kSmClock));
  EXPECT_EQ(value(gpus, 0, kStart + minutes(1), Metric::kClockEventSwPowerCap), 0);
  EXPECT_EQ(value(gpus, 0, held + minutes(1), Metric::kClockEventSwPowerCapSeconds) -
                value(gpus, 0, held, Metric::kClockEventSwPowerCapSeconds),
            60'000'000'000);
}

TEST_F(Builtin, MigHasInstancesAndNoUtilization) {
  const Machine gpus = machine("mig");
  model::DeviceSample sample;
  gpus.read(0, kStart, sample);
  EXPECT_EQ(sample.mig_instances.size(), 7U);
  EXPECT_EQ(sample.at(Metric::kGpuUtilization), model::Reading::none(model::Absence::kUnsupported));
  EXPECT_TRUE(sample.mig_instances[6].row[column(Metric::kMigSmActivity)].present());
  EXPECT_EQ(gpus.info(0).name(), "SIM-H100");
}

}  // namespace
}  // namespace gpuscope::config
