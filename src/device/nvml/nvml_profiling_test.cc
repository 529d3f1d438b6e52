// Profiling metrics, the driver's own samples, MIG instances, virtual GPUs and shared memory.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string_view>

#include "base/allocation_count.h"
#include "device/nvml/host_engine.h"
#include "device/nvml/host_memory.h"
#include "device/nvml/nvml_source_testing.h"

namespace gpuscope::device::nvml {
namespace {

using model::Absence;
using model::Metric;
using model::Reading;
using std::chrono::milliseconds;
using std::chrono::seconds;

nvmlSample_t driver_sample(base::WallTime time, unsigned int value) {
  nvmlSample_t sample{};
  sample.timeStamp = static_cast<unsigned long long>(time.time_since_epoch().count());
  sample.sampleValue.uiVal = value;
  return sample;
}

TEST_F(NvmlSourceTest, GivesActivityBetweenTwoSamples) {
  fake_.gpm = true;
  ASSERT_TRUE(open());
  EXPECT_EQ(tick().at(Metric::kSmActivity), Reading::none(Absence::kNotYet)) << "there was one";
  tick();
  EXPECT_EQ(sample_.at(Metric::kSmActivity), Reading::of(NVML_GPM_METRIC_SM_UTIL * 100));
  EXPECT_EQ(sample_.at(Metric::kDramActivity), Reading::of(NVML_GPM_METRIC_DRAM_BW_UTIL * 100));
  EXPECT_EQ(sample_.at(Metric::kNvlinkTxRate),
            Reading::of(std::int64_t{NVML_GPM_METRIC_NVLINK_TOTAL_TX_PER_SEC} << 20U));
  EXPECT_EQ(fake_.gpm_samples, 2) << "allocated once, and swapped";
  for (int i = 0; i < 30; ++i) tick();
  EXPECT_EQ(fake_.gpm_samples, 2);
  EXPECT_EQ(fake_.count("nvmlGpmSampleGet"), 32);
  EXPECT_EQ(fake_.count("nvmlGpmMetricsGet"), 31) << "all metrics in one call";
  source_.reset();
  EXPECT_EQ(fake_.gpm_samples, 0);
}

TEST_F(NvmlSourceTest, PcieRatesComeFromActivityWhereNoCounterGivesThem) {
  fake_.gpm = true;
  fake_.field = [](int /*device*/, nvmlFieldValue_t& value) {
    const bool counter = value.fieldId == NVML_FI_DEV_PCIE_COUNT_TX_BYTES ||
                         value.fieldId == NVML_FI_DEV_PCIE_COUNT_RX_BYTES;
    return counter ? NVML_ERROR_NOT_SUPPORTED : NVML_SUCCESS;
  };
  ASSERT_TRUE(open());
  for (int i = 0; i < 30; ++i) tick();
  EXPECT_EQ(sample_.at(Metric::kPcieTx),
            Reading::of(std::int64_t{NVML_GPM_METRIC_PCIE_TX_PER_SEC} << 20U));
  EXPECT_EQ(fake_.count("nvmlDeviceGetPcieThroughput"), 0) << "it blocks, and is not needed";
}

TEST_F(NvmlSourceTest, ActivityThatIsNoNumberIsAbsent) {
  fake_.gpm = true;
  fake_.gpm_metric = [](nvmlGpmMetric_t& metric) {
    if (metric.metricId == NVML_GPM_METRIC_SM_UTIL) {
      metric.value = std::numeric_limits<double>::quiet_NaN();
    }
    if (metric.metricId == NVML_GPM_METRIC_FP64_UTIL) metric.value = -1;
    return metric.metricId == NVML_GPM_METRIC_FP32_UTIL ? NVML_ERROR_NOT_SUPPORTED : NVML_SUCCESS;
  };
  ASSERT_TRUE(open());
  tick();
  tick();
  EXPECT_EQ(sample_.at(Metric::kSmActivity), Reading::none(Absence::kFailed));
  EXPECT_EQ(sample_.at(Metric::kFp64Activity), Reading::none(Absence::kFailed));
  EXPECT_EQ(sample_.at(Metric::kFp32Activity), Reading::none(Absence::kUnsupported));
  EXPECT_EQ(sample_.at(Metric::kFp16Activity), Reading::of(1300));
}

TEST_F(NvmlSourceTest, ActivityBeginsAnewAfterAnError) {
  fake_.gpm = true;
  fake_.result = [this](std::string_view function, int /*device*/) {
    return function == "nvmlGpmSampleGet" ? static_cast<nvmlReturn_t>(code_.load()) : NVML_SUCCESS;
  };
  ASSERT_TRUE(open());
  tick();
  tick();
  code_ = NVML_ERROR_NO_PERMISSION;
  EXPECT_EQ(tick().at(Metric::kSmActivity), Reading::none(Absence::kDenied));
  EXPECT_TRUE(sample_.at(Metric::kTemperature).present());
  code_ = NVML_SUCCESS;
  EXPECT_EQ(tick().at(Metric::kSmActivity), Reading::none(Absence::kNotYet));
  EXPECT_TRUE(tick().at(Metric::kSmActivity).present());
  code_ = NVML_ERROR_NOT_SUPPORTED;
  tick();
  const int asked = fake_.count("nvmlGpmSampleGet");
  EXPECT_EQ(tick().at(Metric::kSmActivity), Reading::none(Absence::kUnsupported));
  EXPECT_EQ(fake_.count("nvmlGpmSampleGet"), asked) << "refused once is refused";
}

TEST_F(NvmlSourceTest, LeavesActivityAloneWhenToldTo) {
  fake_.gpm = true;
  options_.gpm = false;
  ASSERT_TRUE(open());
  tick();
  tick();
  EXPECT_EQ(sample_.at(Metric::kSmActivity), Reading::none(Absence::kUnsupported));
  EXPECT_EQ(fake_.count("nvmlGpmSampleGet"), 0);
  EXPECT_EQ(fake_.gpm_samples, 0);
}

TEST_F(NvmlSourceTest, KeepsToItsBudgetWithEverythingThereIs) {
  fake_.gpm = true;
  fake_.links = 18;
  fake_.compute = {process(1, 1), process(2, 1)};
  const auto busy_tick = [&] {
    for (const nvmlSamplingType_t type :
         {NVML_GPU_UTILIZATION_SAMPLES, NVML_MEMORY_UTILIZATION_SAMPLES,
          NVML_ENC_UTILIZATION_SAMPLES, NVML_DEC_UTILIZATION_SAMPLES, NVML_TOTAL_POWER_SAMPLES,
          NVML_PROCESSOR_CLK_SAMPLES}) {
      fake_.driver_samples[type] = {driver_sample(time_, 50)};
    }
    return calls_of_tick();
  };
  // How busy it is as a whole is not told of a GPU that is split.
  fake_.result = [this](std::string_view function, int /*device*/) {
    const bool of_the_whole = function == "nvmlDeviceGetSamples" ||
                              function == "nvmlDeviceGetUtilizationRates" ||
                              function.ends_with("coderUtilization");
    return of_the_whole && fake_.instances > 0 ? NVML_ERROR_NOT_SUPPORTED : NVML_SUCCESS;
  };
  for (const unsigned int instances : {0U, 7U}) {
    fake_.instances = instances;
    ASSERT_TRUE(open());
    for (int i = 0; i < 20; ++i) busy_tick();
    fake_.calls.clear();
    int all = 0;
    for (int i = 0; i < 60; ++i) {
      const int calls = busy_tick();
      EXPECT_LE(calls, 16) << "tick " << i;
      all += calls;
    }
    EXPECT_LE(all, 60 * 11) << instances << " instances:\n" << fake_.report();
    RecordProperty("calls_with_" + std::to_string(instances), all);
  }
}

TEST_F(NvmlSourceTest, UtilizationIsTheMeanOfTheDriversSamples) {
  auto& samples = fake_.driver_samples[NVML_GPU_UTILIZATION_SAMPLES];
  samples = {driver_sample(kStart - seconds{20}, 7), driver_sample(kStart - milliseconds{600}, 20),
             driver_sample(kStart - milliseconds{300}, 40)};
  ASSERT_TRUE(open());
  tick();
  EXPECT_EQ(sample_.at(Metric::kGpuUtilization), Reading::of(3000)) << "of the last second";
  for (const unsigned int value : {90U, 100U, 100U, 4'000'000'000U}) {
    samples.push_back(driver_sample(time_ + milliseconds{samples.size()}, value));
  }
  EXPECT_EQ(tick().at(Metric::kGpuUtilization), Reading::of(9667)) << "290 / 3: one is no percent";
  EXPECT_EQ(tick(milliseconds{100}).at(Metric::kGpuUtilization), Reading::of(9667))
      << "nothing new yet";
  // The driver has stopped to sample: then what it says now counts.
  tick(seconds{3});
  EXPECT_EQ(sample_.at(Metric::kGpuUtilization), Reading::of(5000));
  EXPECT_EQ(sample_.at(Metric::kMemoryUtilization), Reading::of(2000));
}

TEST_F(NvmlSourceTest, SaysHowFarTheDriversSamplesReach) {
  auto& busy = fake_.driver_samples[NVML_GPU_UTILIZATION_SAMPLES];
  auto& power = fake_.driver_samples[NVML_TOTAL_POWER_SAMPLES];
  ASSERT_TRUE(open());
  const auto spread = [this](Metric metric) {
    const auto* const place = std::ranges::find(model::kSampledMetrics, metric);
    return sample_.spreads[static_cast<std::size_t>(place - model::kSampledMetrics.begin())];
  };
  for (int i = 0; i < 4; ++i) tick();
  busy = {driver_sample(time_ + milliseconds{100}, 0), driver_sample(time_ + milliseconds{300}, 97),
          driver_sample(time_ + milliseconds{500}, 3)};
  power = {driver_sample(time_ + milliseconds{100}, 90'000),
           driver_sample(time_ + milliseconds{300}, 655'350)};
  model::Spread of_power;
  tick();
  EXPECT_EQ(spread(Metric::kGpuUtilization), (model::Spread{true, 0, 9700}));
  EXPECT_EQ(sample_.at(Metric::kGpuUtilization), Reading::of(3333));
  for (int i = 0; i < 4 && !of_power.present; ++i) {
    of_power = spread(Metric::kPower);
    tick();
  }
  EXPECT_EQ(of_power, (model::Spread{true, 90'000, 655'350}));
  EXPECT_EQ(sample_.at(Metric::kPower), tick().at(Metric::kPower)) << "as of the tick, as before";
  EXPECT_EQ(spread(Metric::kGpuUtilization), model::Spread{}) << "once";
  EXPECT_EQ(spread(Metric::kSmClock), model::Spread{}) << "not given";
}

TEST_F(NvmlSourceTest, GivesMigInstances) {
  fake_.gpm = true;
  fake_.instances = 3;
  ASSERT_TRUE(open());
  tick();
  ASSERT_EQ(sample_.mig_instances.size(), 3U);
  const model::MigInstance& second = sample_.mig_instances[1];
  EXPECT_EQ(second.uuid, "MIG-1001");
  EXPECT_EQ(second.profile, "1g.10gb");
  EXPECT_EQ(second.gpu_instance_id, 8U);
  const auto value = [&](Metric metric) {
    return sample_.mig_instances[1].row[model::column(metric)];
  };
  EXPECT_EQ(value(Metric::kMigMemoryTotal), Reading::of(1000));
  EXPECT_EQ(value(Metric::kMigEccUncorrected), Reading::of(710));
  EXPECT_EQ(value(Metric::kMigSmActivity), Reading::none(Absence::kNotYet));
  for (int i = 0; i < 8; ++i) tick();
  EXPECT_EQ(value(Metric::kMigSmActivity), Reading::of(200)) << "after two rounds";

  // One goes, then all; then there are two.
  fake_.instances = 2;
  for (int i = 0; i < 40; ++i) tick();
  EXPECT_EQ(sample_.mig_instances.size(), 2U);
  fake_.instances = 0;
  for (int i = 0; i < 100; ++i) tick();
  EXPECT_TRUE(sample_.mig_instances.empty());
  EXPECT_EQ(sample_.at(Metric::kMigMode), Reading::of(0));
  fake_.instances = 2;
  int most = 0;
  for (int i = 0; i < 100; ++i) most = std::max(most, calls_of_tick());
  EXPECT_LE(most, 16);
  EXPECT_EQ(sample_.mig_instances.size(), 2U);
}

TEST_F(NvmlSourceTest, SaysWhyAnInstanceDoesNotGiveSomething) {
  fake_.instances = 1;
  fake_.result = [](std::string_view function, int device) {
    return device >= 1000 && function == "nvmlDeviceGetMemoryInfo" ? NVML_ERROR_NO_PERMISSION
                                                                   : NVML_SUCCESS;
  };
  ASSERT_TRUE(open());
  tick();
  ASSERT_EQ(sample_.mig_instances.size(), 1U);
  const auto value = [&](Metric metric) {
    return sample_.mig_instances[0].row[model::column(metric)];
  };
  EXPECT_EQ(value(Metric::kMigMemoryUsed), Reading::none(Absence::kDenied));
  EXPECT_EQ(value(Metric::kMigSmActivity), Reading::none(Absence::kUnsupported)) << "no GPM";
}

TEST_F(NvmlSourceTest, AllocatesNothingWithEverythingThereIs) {
  fake_.gpm = true;
  fake_.instances = 2;
  fake_.driver_samples[NVML_GPU_UTILIZATION_SAMPLES] = {driver_sample(kStart, 50)};
  ASSERT_TRUE(open());
  for (int i = 0; i < 100; ++i) tick();
  const std::size_t before = base::thread_allocation_count();
  for (int i = 0; i < 120; ++i) tick();
  EXPECT_EQ(base::thread_allocation_count() - before, 0U);
}

TEST_F(NvmlSourceTest, KnowsWhatCarriesVirtualGpusAndWhatIsOne) {
  ASSERT_TRUE(open());
  tick();
  EXPECT_EQ(sample_.at(Metric::kVirtualizationMode), Reading::of(0));
  EXPECT_EQ(sample_.at(Metric::kVgpuInstances), Reading::none(Absence::kUnsupported));
  EXPECT_EQ(sample_.at(Metric::kVgpuLicense), Reading::none(Absence::kUnsupported));

  fake_.virtualization = NVML_GPU_VIRTUALIZATION_MODE_HOST_VGPU;
  fake_.vgpus = 4;
  ASSERT_TRUE(open());
  tick();
  EXPECT_EQ(sample_.at(Metric::kVirtualizationMode), Reading::of(4)) << "with SR-IOV";
  EXPECT_EQ(sample_.at(Metric::kVgpuInstances), Reading::of(4));
  fake_.vgpus = 0;
  for (int i = 0; i < 30; ++i) tick();
  EXPECT_EQ(sample_.at(Metric::kVgpuInstances), Reading::of(0));

  fake_.virtualization = NVML_GPU_VIRTUALIZATION_MODE_VGPU;
  fake_.licensed = true;
  ASSERT_TRUE(open());
  tick();
  EXPECT_EQ(sample_.at(Metric::kVirtualizationMode), Reading::of(2));
  EXPECT_EQ(sample_.at(Metric::kVgpuLicense), Reading::of(1));
  EXPECT_EQ(sample_.at(Metric::kVgpuInstances), Reading::none(Absence::kUnsupported));
}

// A GPU without memory of its own, as far as NVML tells.
class SharedMemoryTest : public NvmlSourceTest {
 protected:
  void refuse(bool bar1) {
    fake_.result = [bar1](std::string_view function, int /*device*/) {
      const bool memory = function.starts_with("nvmlDeviceGetMemoryInfo");
      return memory || (bar1 && function == "nvmlDeviceGetBAR1MemoryInfo")
                 ? NVML_ERROR_NOT_SUPPORTED
                 : NVML_SUCCESS;
    };
  }
  void write_meminfo(std::string_view text) { std::ofstream(root_ / "proc/meminfo") << text; }
};

TEST_F(SharedMemoryTest, IsTheHosts) {
  refuse(true);
  write_meminfo("MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 750 kB\n");
  ASSERT_TRUE(open());
  tick();
  EXPECT_EQ(sample_.at(Metric::kUnifiedMemory), Reading::of(1));
  EXPECT_EQ(sample_.at(Metric::kMemoryTotal), Reading::of(1'024'000));
  EXPECT_EQ(sample_.at(Metric::kMemoryUsed), Reading::of(256'000));
  EXPECT_EQ(sample_.at(Metric::kMemoryUsagePercent), Reading::of(2500));
  EXPECT_EQ(sample_.at(Metric::kMemoryReserved), Reading::none(Absence::kUnsupported));
  write_meminfo("MemTotal: 1000 kB\nMemAvailable: 500 kB\n");
  EXPECT_EQ(tick().at(Metric::kMemoryUsed), Reading::of(512'000)) << "every tick";
}

TEST_F(SharedMemoryTest, IsNeverInventedOfACardThatHasItsOwn) {
  write_meminfo("MemTotal: 1000 kB\nMemAvailable: 750 kB\n");
  refuse(false);  // a card with a window to its memory, whose driver does not tell of it
  ASSERT_TRUE(open());
  tick();
  EXPECT_EQ(sample_.at(Metric::kMemoryTotal), Reading::none(Absence::kUnsupported));
  EXPECT_EQ(sample_.at(Metric::kUnifiedMemory), Reading::none(Absence::kUnsupported));
  fake_.result = nullptr;
  ASSERT_TRUE(open());
  EXPECT_EQ(tick().at(Metric::kUnifiedMemory), Reading::of(0));
}

TEST_F(SharedMemoryTest, IsAbsentWhereTheHostDoesNotTell) {
  refuse(true);
  ASSERT_TRUE(open());
  EXPECT_EQ(tick().at(Metric::kMemoryTotal), Reading::none(Absence::kFailed));
  EXPECT_EQ(sample_.at(Metric::kUnifiedMemory), Reading::of(1));
}

TEST(HostMemory, TakesOnlyWhatIsWhole) {
  EXPECT_TRUE(parse_meminfo("MemTotal: 4 kB\nMemAvailable: 3 kB"));
  for (const char* text :
       {"", "MemTotal: 4 kB\n", "MemTotal: 4 kB\nMemAvailable: 5 kB\n",
        "MemTotal: 4 MB\nMemAvailable: 3 kB\n", "MemTotal: -4 kB\nMemAvailable: -5 kB\n",
        "MemTotal: 99999999999999999999 kB\nMemAvailable: 3 kB\n",
        "MemTotal: x\nMemAvailable: 3"}) {
    EXPECT_FALSE(parse_meminfo(text)) << text;
  }
}

TEST_F(NvmlSourceTest, FindsDcgmsHostEngine) {
  EXPECT_EQ(find_host_engine(options_.root), std::nullopt);
  std::filesystem::create_directories(root_ / "proc/17");
  std::ofstream(root_ / "proc/17/comm") << "bash\n";
  std::filesystem::create_directories(root_ / "proc/4711");
  std::ofstream(root_ / "proc/4711/comm") << "nv-hostengine\n";
  std::filesystem::create_directories(root_ / "proc/self");
  EXPECT_EQ(find_host_engine(options_.root), 4711);
  fake_.gpm = true;
  ::testing::internal::CaptureStderr();
  ASSERT_TRUE(open());
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("nv-hostengine, pid 4711"),
            std::string::npos);
}

}  // namespace
}  // namespace gpuscope::device::nvml
