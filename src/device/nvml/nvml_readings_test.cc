#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string_view>

#include "base/allocation_count.h"
#include "device/nvml/nvml_source_testing.h"

namespace gpuscope::device::nvml {
namespace {

using model::Absence;
using model::DeviceSample;
using model::Fact;
using model::Metric;
using model::Reading;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_F(NvmlSourceTest, GivesEveryValueAtTheFirstTick) {
  fake_.compute = {process(42, 1 << 20)};
  ASSERT_TRUE(open());
  const DeviceSample& sample = tick();
  const auto value = [&](Metric metric) {
    EXPECT_TRUE(sample.at(metric).present()) << model::info(metric).key;
    return sample.at(metric).value;
  };
  EXPECT_EQ(value(Metric::kGpuUtilization), 5000);
  EXPECT_EQ(value(Metric::kMemoryUsed), 350);
  EXPECT_EQ(value(Metric::kMemoryReserved), 50);
  EXPECT_EQ(value(Metric::kMemoryUsagePercent), 3500);
  EXPECT_EQ(value(Metric::kTemperature), 560);
  EXPECT_EQ(value(Metric::kTemperatureMargin), -20);
  EXPECT_EQ(value(Metric::kTemperatureSlowdown), 910);
  EXPECT_EQ(value(Metric::kMemoryTemperature), 820);
  EXPECT_EQ(value(Metric::kPower), 186);
  EXPECT_EQ(value(Metric::kPowerLimit), 250'000);
  EXPECT_EQ(value(Metric::kPowerLimitMax), 300'000);
  EXPECT_EQ(value(Metric::kSmClock), 1001);
  EXPECT_EQ(value(Metric::kVideoClock), 1003);
  EXPECT_EQ(value(Metric::kClockEventIdle), 1);
  EXPECT_EQ(value(Metric::kClockEventSwPowerCap), 0);
  EXPECT_EQ(value(Metric::kViolationPowerSeconds), 74);
  EXPECT_EQ(value(Metric::kEccSramUncorrectedAggregate), 711);
  EXPECT_EQ(value(Metric::kRemapBanksMax), 640);
  EXPECT_EQ(value(Metric::kFanSpeedPercent), 3100) << "the fastest";
  EXPECT_EQ(value(Metric::kFanSpeed), 1001);
  EXPECT_EQ(value(Metric::kMinorNumber), 3);
  EXPECT_EQ(value(Metric::kNvlinkTx), 138 * 1024);
  EXPECT_EQ(value(Metric::kComputeProcesses), 1);
  EXPECT_EQ(sample.at(Metric::kSmActivity).absence, Absence::kUnsupported);
  ASSERT_EQ(sample.fans.size(), 2U);
  EXPECT_EQ(sample.fans[0][model::column(Metric::kFanRpm)], Reading::of(1000));
  ASSERT_EQ(sample.links.size(), 2U);
  EXPECT_EQ(sample.links[1][model::column(Metric::kLinkCrcDataErrors)], Reading::of(40));

  tick();
  for (const model::MetricInfo& row : model::metrics(model::Entity::kGpu)) {
    if (collected(row)) continue;
    EXPECT_NE(sample.at(row.id).absence, Absence::kNotYet) << row.key;
    EXPECT_NE(sample.at(row.id).absence, Absence::kFailed) << row.key;
  }
}

TEST_F(NvmlSourceTest, KeepsToItsBudgetOfCalls) {
  fake_.links = 18;
  fake_.compute = {process(1, 1), process(2, 1)};
  ASSERT_TRUE(open());
  const int before = fake_.count_all();
  for (int i = 0; i < 60; ++i) EXPECT_LE(calls_of_tick(), 16) << "tick " << i;
  const int all = fake_.count_all() - before;
  EXPECT_LE(all, 60 * 11);
  RecordProperty("calls_in_60_ticks", all);
  EXPECT_EQ(fake_.count("nvmlDeviceGetHandleByIndex_v2"), 1);
  // The thirteenth link has no field of its own for these errors.
  EXPECT_EQ(sample_.links[12][model::column(Metric::kLinkCrcFlitErrors)], Reading::of(122));
}

TEST_F(NvmlSourceTest, GoesByTimeAndNotByTicks) {
  ASSERT_TRUE(open());
  tick();
  const int lists = fake_.count("nvmlDeviceGetComputeRunningProcesses_v3");
  for (int i = 0; i < 100; ++i) EXPECT_LE(calls_of_tick(milliseconds{100}), 16);
  EXPECT_EQ(fake_.count("nvmlDeviceGetComputeRunningProcesses_v3") - lists, 2) << "in ten seconds";

  // At one tick in 20 s, nothing starves.
  const int modes = fake_.count("nvmlDeviceGetPersistenceMode");
  for (int i = 0; i < 15; ++i) tick(seconds{20});
  EXPECT_GE(fake_.count("nvmlDeviceGetPersistenceMode") - modes, 4) << "in five minutes";
}

TEST_F(NvmlSourceTest, BearsAClockThatIsSetBack) {
  ASSERT_TRUE(open());
  tick();
  const int lists = fake_.count("nvmlDeviceGetComputeRunningProcesses_v3");
  tick(-std::chrono::hours{24});
  for (int i = 0; i < 15; ++i) tick();
  EXPECT_GE(fake_.count("nvmlDeviceGetComputeRunningProcesses_v3") - lists, 2);
}

TEST_F(NvmlSourceTest, AsksOnceForWhatIsNotSupported) {
  fake_.result = [](std::string_view function, int /*device*/) {
    return function == "nvmlDeviceGetEncoderUtilization" ||
                   function == "nvmlDeviceGetRowRemapperHistogram"
               ? NVML_ERROR_NOT_SUPPORTED
               : NVML_SUCCESS;
  };
  std::atomic<int> energy{0};
  fake_.field = [&](int /*device*/, nvmlFieldValue_t& value) {
    if (value.fieldId != NVML_FI_DEV_MEMORY_TEMP) return NVML_SUCCESS;
    ++energy;
    return NVML_ERROR_NOT_SUPPORTED;
  };
  ASSERT_TRUE(open());
  for (int i = 0; i < 130; ++i) tick();
  EXPECT_EQ(fake_.count("nvmlDeviceGetEncoderUtilization"), 1);
  EXPECT_EQ(fake_.count("nvmlDeviceGetRowRemapperHistogram"), 1);
  EXPECT_EQ(energy, 1);
  EXPECT_EQ(sample_.at(Metric::kEncoderUtilization).absence, Absence::kUnsupported);
  EXPECT_EQ(sample_.at(Metric::kMemoryTemperature).absence, Absence::kUnsupported);
}

TEST_F(NvmlSourceTest, MapsErrorsAndAsksAgain) {
  code_ = NVML_ERROR_NO_PERMISSION;
  fake_.result = [this](std::string_view function, int /*device*/) {
    return function == "nvmlDeviceGetTemperatureV" ? static_cast<nvmlReturn_t>(code_.load())
                                                   : NVML_SUCCESS;
  };
  ASSERT_TRUE(open());
  EXPECT_EQ(tick().at(Metric::kTemperature).absence, Absence::kDenied);
  code_ = NVML_ERROR_TIMEOUT;
  EXPECT_EQ(tick().at(Metric::kTemperature).absence, Absence::kTimedOut);
  code_ = NVML_ERROR_UNKNOWN;
  EXPECT_EQ(tick().at(Metric::kTemperature).absence, Absence::kFailed);
  EXPECT_TRUE(sample_.at(Metric::kGpuUtilization).present());
  code_ = NVML_SUCCESS;
  EXPECT_EQ(tick().at(Metric::kTemperature), Reading::of(560));
}

TEST_F(NvmlSourceTest, TakesTheOlderFunctionWhereAFieldIsRefused) {
  fake_.field = [](int /*device*/, nvmlFieldValue_t& value) {
    return value.fieldId == NVML_FI_DEV_POWER_INSTANT ? NVML_ERROR_INVALID_ARGUMENT : NVML_SUCCESS;
  };
  ASSERT_TRUE(open());
  EXPECT_EQ(tick().at(Metric::kPower), Reading::of(123'456));
  EXPECT_EQ(sample_.at(Metric::kEnergy), Reading::of(83));
}

TEST_F(NvmlSourceTest, MergesTheListsOfProcesses) {
  fake_.compute = {process(30, 300), process(10, ~0ULL)};
  fake_.graphics = {process(30, 300), process(20, 200)};
  ASSERT_TRUE(open());
  tick();
  ASSERT_EQ(sample_.processes.size(), 3U);
  const auto memory = [&](std::size_t i) {
    return sample_.processes[i].row[model::column(Metric::kProcessMemory)];
  };
  EXPECT_EQ(sample_.processes[0].pid, 10U);
  EXPECT_EQ(memory(0), Reading::none(Absence::kUnsupported));
  EXPECT_EQ(sample_.processes[1].type, model::ProcessType::kGraphics);
  EXPECT_EQ(sample_.processes[2].type, model::ProcessType::kComputeAndGraphics);
  EXPECT_EQ(memory(2), Reading::of(300));
  EXPECT_EQ(sample_.processes[2].name, "a-program-with-a-long-name-30");
  EXPECT_EQ(sample_.at(Metric::kComputeProcesses), Reading::of(2));
  EXPECT_EQ(sample_.at(Metric::kGraphicsProcesses), Reading::of(2));
  EXPECT_EQ(sample_.processes_absence, Absence::kPresent);

  // More than fit, then fewer; names are asked for once.
  for (unsigned int pid = 100; pid < 300; ++pid) fake_.compute.push_back(process(pid, pid));
  for (int i = 0; i < 120; ++i) EXPECT_LE(calls_of_tick(), 17);
  EXPECT_EQ(sample_.processes.size(), 203U);
  EXPECT_EQ(sample_.processes.back().name, "a-program-with-a-long-name-299");
  EXPECT_EQ(fake_.count("nvmlSystemGetProcessName"), 203);
  fake_.compute.clear();
  fake_.graphics.clear();
  for (int i = 0; i < 11; ++i) tick();
  EXPECT_TRUE(sample_.processes.empty());
  EXPECT_EQ(sample_.processes_absence, Absence::kPresent);
}

TEST_F(NvmlSourceTest, AllocatesNothingWhileTheSameProcessesRun) {
  fake_.compute = {process(1, 1), process(2, 2), process(3, 3)};
  fake_.graphics = {process(2, 2)};
  ASSERT_TRUE(open());
  for (int i = 0; i < 30; ++i) tick();
  const std::size_t before = base::thread_allocation_count();
  for (int i = 0; i < 120; ++i) tick();
  EXPECT_EQ(base::thread_allocation_count() - before, 0U);
}

TEST_F(NvmlSourceTest, TellsPcieRatesFromTheCountersTimes) {
  std::atomic<unsigned long long> sent{1'000'000};
  std::atomic<long long> micros{5'000'000};
  fake_.field = [&](int /*device*/, nvmlFieldValue_t& value) {
    value.timestamp = micros;
    if (value.fieldId == NVML_FI_DEV_PCIE_COUNT_TX_BYTES) value.value.ullVal = sent;
    if (value.fieldId == NVML_FI_DEV_PCIE_COUNT_RX_BYTES) {
      value.valueType = NVML_VALUE_TYPE_UNSIGNED_INT;
    }
    return NVML_SUCCESS;
  };
  ASSERT_TRUE(open());
  tick();
  sent += 3'000'000;
  micros += 2'000'000;
  tick();
  EXPECT_EQ(sample_.at(Metric::kPcieTxTotal), Reading::of(4'000'000));
  EXPECT_EQ(sample_.at(Metric::kPcieTx), Reading::of(1'500'000));
  EXPECT_EQ(sample_.at(Metric::kPcieRxTotal), Reading::none(Absence::kUnsupported))
      << "32 bits are too few";
  EXPECT_EQ(sample_.at(Metric::kPcieRx), Reading::none(Absence::kUnsupported));
  sent = 500'000;
  tick();
  EXPECT_EQ(sample_.at(Metric::kPcieTx), Reading::none(Absence::kUnsupported)) << "it wrapped";
}

// A library from before fields, versioned structures and fans by number.
class OldNvmlTest : public NvmlSourceTest {
 protected:
  OldNvmlTest() : NvmlSourceTest(FAKE_NVML_OLD_LIBRARY) {}
};

TEST_F(OldNvmlTest, GivesWhatThereIs) {
  fake_.compute = {process(42, 1000)};
  const auto inventory = open();
  ASSERT_TRUE(inventory) << inventory.error().message;
  EXPECT_EQ((*inventory)->gpus[0].fact(Fact::kCudaVersion).absence, Absence::kUnsupported);
  tick();
  EXPECT_EQ(sample_.at(Metric::kMemoryUsed), Reading::of(400));
  EXPECT_EQ(sample_.at(Metric::kMemoryReserved), Reading::none(Absence::kUnsupported));
  EXPECT_EQ(sample_.at(Metric::kTemperature), Reading::of(550));
  EXPECT_EQ(sample_.at(Metric::kPower), Reading::of(123'456));
  EXPECT_EQ(sample_.at(Metric::kEnergy), Reading::none(Absence::kUnsupported));
  EXPECT_EQ(sample_.at(Metric::kClockEventSwPowerCap), Reading::of(1));
  EXPECT_EQ(sample_.at(Metric::kClockEventDisplayClocks), Reading::of(1));
  EXPECT_EQ(sample_.at(Metric::kClockEventIdle), Reading::of(0));
  EXPECT_EQ(sample_.at(Metric::kEccUncorrectedVolatile), Reading::of(10));
  EXPECT_EQ(sample_.at(Metric::kPcieReplays), Reading::of(7));
  EXPECT_EQ(sample_.at(Metric::kEccMode), Reading::of(1));
  EXPECT_EQ(sample_.at(Metric::kFanSpeedPercent), Reading::of(3300));
  EXPECT_EQ(sample_.at(Metric::kFanSpeed), Reading::none(Absence::kUnsupported));
  ASSERT_EQ(sample_.processes.size(), 1U);
  EXPECT_EQ(sample_.processes[0].row[model::column(Metric::kProcessMemory)], Reading::of(1000));
  const int before = fake_.count_all();
  for (int i = 0; i < 60; ++i) tick();
  EXPECT_LE(fake_.count_all() - before, 60 * 11);
}

}  // namespace
}  // namespace gpuscope::device::nvml
