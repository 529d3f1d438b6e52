// GPM, the driver's samples, MIG's activity, virtual GPUs and events of the built library.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <string>
#include <vector>

#include "driver_testing.h"

namespace gpuscope::simulated {
namespace {

using GpmTest = DriverTest;

nvmlGpmMetricsGet_t request(nvmlGpmSample_t first, nvmlGpmSample_t second,
                            std::initializer_list<unsigned int> metrics) {
  nvmlGpmMetricsGet_t get{};
  get.version = NVML_GPM_METRICS_GET_VERSION;
  get.sample1 = first;
  get.sample2 = second;
  for (const unsigned int metric : metrics) get.metrics[get.numMetrics++].metricId = metric;
  return get;
}

TEST_F(GpmTest, GivesMetricsBetweenTwoSamplesOnHopperAlone) {
  set("GPUSCOPE_SIM_GPUS", "4");
  set("GPUSCOPE_SIM_TIME", "2026-11-22T10:03:00Z");
  init();
  nvmlGpmSupport_t support{};
  support.version = NVML_GPM_SUPPORT_VERSION;
  ASSERT_EQ(NVML(nvmlGpmQueryDeviceSupport)(device(0), &support), NVML_SUCCESS);
  EXPECT_EQ(support.isSupportedDevice, 0U) << "SIM-RTX4090";
  ASSERT_EQ(NVML(nvmlGpmQueryDeviceSupport)(device(3), &support), NVML_SUCCESS);
  EXPECT_EQ(support.isSupportedDevice, 1U) << "SIM-H100";

  std::array<nvmlGpmSample_t, 2> samples{};
  for (nvmlGpmSample_t& sample : samples) {
    ASSERT_EQ(NVML(nvmlGpmSampleAlloc)(&sample), NVML_SUCCESS);
  }
  nvmlGpmMetricsGet_t get = request(samples[0], samples[1], {NVML_GPM_METRIC_SM_UTIL});
  EXPECT_EQ(NVML(nvmlGpmMetricsGet)(&get), NVML_ERROR_INVALID_ARGUMENT) << "nothing taken yet";
  EXPECT_EQ(NVML(nvmlGpmSampleGet)(device(0), samples[0]), NVML_ERROR_NOT_SUPPORTED);
  for (const nvmlGpmSample_t sample : samples) {
    ASSERT_EQ(NVML(nvmlGpmSampleGet)(device(3), sample), NVML_SUCCESS);
  }
  get = request(samples[0], samples[1],
                {NVML_GPM_METRIC_SM_UTIL, NVML_GPM_METRIC_SM_OCCUPANCY,
                 NVML_GPM_METRIC_PCIE_RX_PER_SEC, NVML_GPM_METRIC_NVLINK_TOTAL_TX_PER_SEC, 30});
  ASSERT_EQ(NVML(nvmlGpmMetricsGet)(&get), NVML_SUCCESS);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(get.metrics[i].nvmlReturn, NVML_SUCCESS) << i;
  EXPECT_GT(get.metrics[0].value, get.metrics[1].value);
  EXPECT_LE(get.metrics[0].value, 100);
  EXPECT_EQ(get.metrics[4].nvmlReturn, NVML_ERROR_NOT_SUPPORTED) << "one video engine";
  get.version = 2;
  EXPECT_EQ(NVML(nvmlGpmMetricsGet)(&get), NVML_ERROR_ARGUMENT_VERSION_MISMATCH);
  for (const nvmlGpmSample_t sample : samples) {
    EXPECT_EQ(NVML(nvmlGpmSampleFree)(sample), NVML_SUCCESS);
    EXPECT_EQ(NVML(nvmlGpmSampleFree)(sample), NVML_ERROR_INVALID_ARGUMENT);
  }
}

TEST_F(GpmTest, GivesMetricsOfMigInstances) {
  set("GPUSCOPE_SIM_SCENARIO", "mig");
  init();
  nvmlGpmSample_t one = nullptr;
  nvmlGpmSample_t other = nullptr;
  ASSERT_EQ(NVML(nvmlGpmSampleAlloc)(&one), NVML_SUCCESS);
  ASSERT_EQ(NVML(nvmlGpmSampleAlloc)(&other), NVML_SUCCESS);
  const auto activity = [&](unsigned int instance) {
    EXPECT_EQ(NVML(nvmlGpmMigSampleGet)(device(0), instance, one), NVML_SUCCESS);
    EXPECT_EQ(NVML(nvmlGpmMigSampleGet)(device(0), instance, other), NVML_SUCCESS);
    nvmlGpmMetricsGet_t get = request(one, other, {NVML_GPM_METRIC_SM_UTIL});
    EXPECT_EQ(NVML(nvmlGpmMetricsGet)(&get), NVML_SUCCESS);
    EXPECT_EQ(get.metrics[0].nvmlReturn, NVML_SUCCESS);
    return get.metrics[0].value;
  };
  EXPECT_GT(activity(7), activity(13)) << "no two tenants work alike";
  EXPECT_EQ(NVML(nvmlGpmMigSampleGet)(device(0), 99, one), NVML_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(NVML(nvmlGpmSampleFree)(one), NVML_SUCCESS);
  EXPECT_EQ(NVML(nvmlGpmSampleFree)(other), NVML_SUCCESS);

  nvmlDevice_t mig = nullptr;
  ASSERT_EQ(NVML(nvmlDeviceGetMigDeviceHandleByIndex)(device(0), 0, &mig), NVML_SUCCESS);
  nvmlDeviceAttributes_t attributes{};
  ASSERT_EQ(NVML(nvmlDeviceGetAttributes_v2)(mig, &attributes), NVML_SUCCESS);
  EXPECT_GT(attributes.memorySizeMB, 9000U);
  unsigned long long errors = 1;
  EXPECT_EQ(
      NVML(nvmlDeviceGetMemoryErrorCounter)(mig, NVML_MEMORY_ERROR_TYPE_UNCORRECTED,
                                            NVML_VOLATILE_ECC, NVML_MEMORY_LOCATION_SRAM, &errors),
      NVML_SUCCESS);
  EXPECT_EQ(errors, 0U);
  nvmlUtilization_t utilization{};
  EXPECT_EQ(NVML(nvmlDeviceGetUtilizationRates)(device(0), &utilization), NVML_ERROR_NOT_SUPPORTED);
}

TEST_F(DriverTest, KeepsSamples) {
  set("GPUSCOPE_SIM_SCENARIO", "training");
  unset("GPUSCOPE_SIM_TIME");
  init();
  unsigned int count = 0;
  nvmlValueType_t type{};
  ASSERT_EQ(
      NVML(nvmlDeviceGetSamples)(device(0), NVML_TOTAL_POWER_SAMPLES, 0, &type, &count, nullptr),
      NVML_SUCCESS);
  EXPECT_EQ(count, 100U);
  std::vector<nvmlSample_t> samples(count);
  ASSERT_EQ(NVML(nvmlDeviceGetSamples)(device(0), NVML_TOTAL_POWER_SAMPLES, 0, &type, &count,
                                       samples.data()),
            NVML_SUCCESS);
  EXPECT_EQ(type, NVML_VALUE_TYPE_UNSIGNED_INT);
  for (std::size_t i = 1; i < count; ++i) {
    EXPECT_EQ(samples[i].timeStamp - samples[i - 1].timeStamp, 100'000U);
    EXPECT_GT(samples[i].sampleValue.uiVal, 50'000U) << "milliwatts";
  }
  // Only what is newer.
  const unsigned long long last = samples[count - 3].timeStamp;
  count = 100;
  ASSERT_EQ(NVML(nvmlDeviceGetSamples)(device(0), NVML_TOTAL_POWER_SAMPLES, last, &type, &count,
                                       samples.data()),
            NVML_SUCCESS);
  EXPECT_GE(count, 2U);
  EXPECT_LT(count, 100U);
  for (std::size_t i = 0; i < count; ++i) EXPECT_GT(samples[i].timeStamp, last);
  EXPECT_EQ(NVML(nvmlDeviceGetSamples)(device(0), NVML_TOTAL_POWER_SAMPLES, last + 1'000'000'000ULL,
                                       &type, &count, samples.data()),
            NVML_ERROR_NOT_FOUND);
}

TEST_F(DriverTest, TellsOfVirtualGpus) {
  init();
  nvmlGpuVirtualizationMode_t mode{};
  ASSERT_EQ(NVML(nvmlDeviceGetVirtualizationMode)(device(0), &mode), NVML_SUCCESS);
  EXPECT_EQ(mode, NVML_GPU_VIRTUALIZATION_MODE_NONE);
  unsigned int count = 0;
  EXPECT_EQ(NVML(nvmlDeviceGetActiveVgpus)(device(0), &count, nullptr), NVML_ERROR_NOT_SUPPORTED);
  while (NVML(nvmlShutdown)() == NVML_SUCCESS) {
  }
  set("GPUSCOPE_SIM_SCENARIO", "vgpu_host");
  init();
  ASSERT_EQ(NVML(nvmlDeviceGetVirtualizationMode)(device(0), &mode), NVML_SUCCESS);
  EXPECT_EQ(mode, NVML_GPU_VIRTUALIZATION_MODE_HOST_VGPU);
  nvmlHostVgpuMode_t host{};
  ASSERT_EQ(NVML(nvmlDeviceGetHostVgpuMode)(device(0), &host), NVML_SUCCESS);
  EXPECT_EQ(host, NVML_HOST_VGPU_MODE_SRIOV);
  EXPECT_EQ(NVML(nvmlDeviceGetActiveVgpus)(device(0), &count, nullptr),
            NVML_ERROR_INSUFFICIENT_SIZE);
  ASSERT_EQ(count, 4U);
  std::array<nvmlVgpuInstance_t, 4> instances{};
  EXPECT_EQ(NVML(nvmlDeviceGetActiveVgpus)(device(0), &count, instances.data()), NVML_SUCCESS);
  EXPECT_NE(instances[0], instances[3]);
}

TEST_F(DriverTest, AGpuThatSharesTheHostsMemoryDoesNotTellOfAny) {
  set("GPUSCOPE_SIM_SCENARIO", "unified_memory");
  init();
  nvmlMemory_t memory{};
  EXPECT_EQ(NVML(nvmlDeviceGetMemoryInfo)(device(0), &memory), NVML_ERROR_NOT_SUPPORTED);
  nvmlMemory_v2_t memory_v2{};
  memory_v2.version = nvmlMemory_v2;
  EXPECT_EQ(NVML(nvmlDeviceGetMemoryInfo_v2)(device(0), &memory_v2), NVML_ERROR_NOT_SUPPORTED);
  nvmlBAR1Memory_t window{};
  EXPECT_EQ(NVML(nvmlDeviceGetBAR1MemoryInfo)(device(0), &window), NVML_ERROR_NOT_SUPPORTED);
}

TEST_F(DriverTest, TellsOfWhatTheScenarioMakesHappen) {
  const std::string path = temporary_file("scenario.yaml");
  std::ofstream(path) << "version: 1\ncard: {}\nphases:\n  - {duration: 2s}\n"
                         "faults:\n  - {kind: nvlink_down, links: 2, from: 1s}\n";
  set("GPUSCOPE_SIM_SCENARIO", path);
  unset("GPUSCOPE_SIM_TIME");
  init();
  unsigned long long types = 0;
  ASSERT_EQ(NVML(nvmlDeviceGetSupportedEventTypes)(device(0), &types), NVML_SUCCESS);
  EXPECT_EQ(types, nvmlEventTypeXidCriticalError | nvmlEventTypeClock);
  nvmlEventSet_t events = nullptr;
  ASSERT_EQ(NVML(nvmlEventSetCreate)(&events), NVML_SUCCESS);
  ASSERT_EQ(NVML(nvmlDeviceRegisterEvents)(device(0), nvmlEventTypeXidCriticalError, events),
            NVML_SUCCESS);
  nvmlEventData_t event{};
  ASSERT_EQ(NVML(nvmlEventSetWait_v2)(events, &event, 60'000), NVML_SUCCESS);
  EXPECT_EQ(event.eventType, nvmlEventTypeXidCriticalError);
  EXPECT_EQ(event.eventData, 74U);
  EXPECT_EQ(NVML(nvmlEventSetFree)(events), NVML_SUCCESS);
}

}  // namespace
}  // namespace gpuscope::simulated
