#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
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

nvmlProcessUtilizationSample_t share(unsigned int pid, base::WallTime time, unsigned int sm) {
  nvmlProcessUtilizationSample_t sample{};
  sample.pid = pid;
  sample.timeStamp = static_cast<unsigned long long>(time.time_since_epoch().count());
  sample.smUtil = sm;
  sample.memUtil = sm / 2;
  return sample;
}

TEST_F(NvmlSourceTest, ReadsBesideTheTicksWhatBlocks) {
  fake_.compute = {process(30, 1), process(40, 1)};
  fake_.samples = {share(30, kStart, 30), share(40, kStart - seconds{60}, 90),
                   share(30, kStart - seconds{1}, 10), share(30, kStart, 4'000'000'000)};
  fake_.field = [](int /*device*/, nvmlFieldValue_t& value) {
    const bool counter = value.fieldId == NVML_FI_DEV_PCIE_COUNT_TX_BYTES ||
                         value.fieldId == NVML_FI_DEV_PCIE_COUNT_RX_BYTES;
    return counter ? NVML_ERROR_NOT_SUPPORTED : NVML_SUCCESS;
  };
  ASSERT_TRUE(open());
  tick();
  EXPECT_EQ(sample_.at(Metric::kPowerAverage), Reading::of(185));
  EXPECT_EQ(sample_.at(Metric::kPcieTx), Reading::of(70'000));
  EXPECT_EQ(sample_.at(Metric::kPcieRx), Reading::of(71'000));
  EXPECT_EQ(sample_.at(Metric::kPcieTxTotal), Reading::none(Absence::kUnsupported));
  const auto of_process = [&](std::size_t i, Metric metric) {
    return sample_.processes[i].row[model::column(metric)];
  };
  ASSERT_EQ(sample_.processes.size(), 2U);
  EXPECT_EQ(of_process(0, Metric::kProcessSmUtilization), Reading::of(2000)) << "the mean";
  EXPECT_EQ(of_process(0, Metric::kProcessMemoryUtilization), Reading::of(1000));
  EXPECT_EQ(of_process(1, Metric::kProcessSmUtilization), Reading::of(0)) << "long ago";

  // The next rounds come while ticks go on, and see only what is new.
  while (fake_.count("nvmlDeviceGetPcieThroughput") < 4 ||
         of_process(0, Metric::kProcessSmUtilization) != Reading::of(0)) {
    tick();
    std::this_thread::yield();
  }
}

TEST_F(NvmlSourceTest, TicksGoOnWhileACallBesideThemHangs) {
  std::promise<void> let_go;
  auto gate = let_go.get_future().share();
  ASSERT_TRUE(open());
  fake_.result = [gate](std::string_view function, int /*device*/) {
    if (function == "nvmlDeviceGetProcessUtilization") gate.wait();
    return NVML_SUCCESS;
  };
  for (int i = 0; i < 60; ++i) tick();
  EXPECT_TRUE(sample_.at(Metric::kTemperature).present());
  EXPECT_EQ(sample_.at(Metric::kPowerAverage).absence, Absence::kTimedOut);
  let_go.set_value();
}

TEST_F(NvmlSourceTest, OutlivesACallThatNeverCameBack) {
  ASSERT_TRUE(open());
  std::promise<void> entered;
  std::promise<void> let_go;
  auto gate = let_go.get_future().share();
  fake_.result = [&entered, gate](std::string_view function, int /*device*/) {
    if (function == "nvmlDeviceGetUtilizationRates") {
      entered.set_value();
      gate.wait();
    }
    return NVML_SUCCESS;
  };
  std::thread stuck([&source = *source_, this] { source.read(0, kStart, sample_); });
  entered.get_future().wait();
  source_.reset();
  EXPECT_EQ(fake_.count("nvmlShutdown"), 0) << "not under a call";
  let_go.set_value();
  stuck.join();
  EXPECT_EQ(fake_.count("nvmlShutdown"), 1);
}

TEST_F(NvmlSourceTest, OneGpuThatHangsAtOpenHoldsUpNobody) {
  std::promise<void> let_go;
  auto gate = let_go.get_future().share();
  fake_.devices = 2;
  fake_.result = [gate](std::string_view function, int device) {
    if (device == 1 && function == "nvmlDeviceGetName") gate.wait();
    return NVML_SUCCESS;
  };
  base::SystemClock clock;
  options_.open_deadline = milliseconds{50};
  source_ = make_nvml_source(options_, clock);
  auto inventory = source_->open();
  ASSERT_TRUE(inventory);
  ASSERT_EQ((*inventory)->gpus.size(), 2U);
  EXPECT_EQ((*inventory)->gpus[0].name(), "Fake GPU");
  EXPECT_EQ((*inventory)->gpus[1].fact(Fact::kUuid).absence, Absence::kTimedOut);
  EXPECT_TRUE(tick().at(Metric::kTemperature).present());
  DeviceSample other;
  source_->read(1, time_, other);
  EXPECT_EQ(other.at(Metric::kTemperature).absence, Absence::kTimedOut);
  EXPECT_FALSE(source_->lost());

  let_go.set_value();
  while (!source_->lost()) std::this_thread::yield();
  options_.open_deadline = seconds{60};
  source_ = make_nvml_source(options_, clock);
  inventory = source_->open();
  ASSERT_TRUE(inventory);
  EXPECT_EQ((*inventory)->gpus[1].name(), "Fake GPU");
}

TEST_F(NvmlSourceTest, ReadsManyGpusAtOnce) {
  fake_.devices = 4;
  ASSERT_TRUE(open());
  std::vector<std::thread> workers;
  for (std::size_t gpu = 0; gpu < 4; ++gpu) {
    workers.emplace_back([this, gpu] {
      DeviceSample sample;
      for (int i = 0; i < 50; ++i) source_->read(gpu, kStart + seconds{i}, sample);
      EXPECT_TRUE(sample.at(Metric::kTemperature).present());
    });
  }
  for (std::thread& worker : workers) worker.join();
}

}  // namespace
}  // namespace gpuscope::device::nvml
