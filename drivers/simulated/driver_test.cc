// What the built library gives.
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "driver_testing.h"

namespace gpuscope::simulated {
namespace {

TEST_F(DriverTest, SaysThatItIsSimulated) {
  const auto* version =
      static_cast<const char* const*>(dlsym(library(), "gpuscope_simulated_driver"));
  ASSERT_NE(version, nullptr);
  EXPECT_THAT(*version, testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
}

TEST_F(DriverTest, AnswersNothingBeforeInit) {
  unsigned int count = 0;
  EXPECT_EQ(NVML(nvmlDeviceGetCount_v2)(&count), NVML_ERROR_UNINITIALIZED);
  nvmlDevice_t device = nullptr;
  EXPECT_EQ(NVML(nvmlDeviceGetHandleByIndex_v2)(0, &device), NVML_ERROR_UNINITIALIZED);
  EXPECT_EQ(NVML(nvmlShutdown)(), NVML_ERROR_UNINITIALIZED);
}

TEST_F(DriverTest, CountsInitialisations) {
  init();
  ASSERT_EQ(NVML(nvmlInit)(), NVML_SUCCESS);
  EXPECT_EQ(NVML(nvmlShutdown)(), NVML_SUCCESS);
  const nvmlDevice_t gpu = device(0);
  EXPECT_EQ(NVML(nvmlShutdown)(), NVML_SUCCESS);
  EXPECT_EQ(power(gpu), NVML_ERROR_UNINITIALIZED);
}

TEST_F(DriverTest, HasTheThreeDefaultGpus) {
  init();
  unsigned int count = 0;
  ASSERT_EQ(NVML(nvmlDeviceGetCount)(&count), NVML_SUCCESS);
  EXPECT_EQ(count, 3U);
  std::array<char, NVML_DEVICE_NAME_BUFFER_SIZE> text{};
  ASSERT_EQ(NVML(nvmlDeviceGetName)(device(1), text.data(), text.size()), NVML_SUCCESS);
  EXPECT_STREQ(text.data(), "SIM-RTX3080");
  unsigned int limit = 0;
  ASSERT_EQ(NVML(nvmlDeviceGetEnforcedPowerLimit)(device(1), &limit), NVML_SUCCESS);
  EXPECT_EQ(limit, 250'000U);
  unsigned int width = 0;
  ASSERT_EQ(NVML(nvmlDeviceGetMaxPcieLinkWidth)(device(2), &width), NVML_SUCCESS);
  EXPECT_EQ(width, 4U);
  nvmlMemory_v2_t memory{};
  memory.version = nvmlMemory_v2;
  ASSERT_EQ(NVML(nvmlDeviceGetMemoryInfo_v2)(device(0), &memory), NVML_SUCCESS);
  EXPECT_EQ(memory.total, 24'000ULL << 20U);
  EXPECT_EQ(memory.total, memory.reserved + memory.free + memory.used);
}

TEST_F(DriverTest, HasAsManyGpusAsItIsTold) {
  set("GPUSCOPE_SIM_GPUS", "300");
  init();
  unsigned int count = 0;
  ASSERT_EQ(NVML(nvmlDeviceGetCount_v2)(&count), NVML_SUCCESS);
  EXPECT_EQ(count, 300U);
  nvmlPciInfo_t pci{};
  ASSERT_EQ(NVML(nvmlDeviceGetPciInfo_v3)(device(299), &pci), NVML_SUCCESS);
  EXPECT_STREQ(pci.busId, "00000001:2D:00.0");
  EXPECT_STREQ(pci.busIdLegacy, "0001:2D:00.0");
  EXPECT_EQ(pci.domain, 1U);
  EXPECT_EQ(pci.bus, 0x2DU);
}

TEST_F(DriverTest, FindsAGpuInEveryWay) {
  init();
  const auto same = [](nvmlDevice_t found) {
    unsigned int index = ~0U;
    EXPECT_EQ(NVML(nvmlDeviceGetIndex)(found, &index), NVML_SUCCESS);
    return index == 1;
  };
  nvmlDevice_t found = nullptr;
  ASSERT_EQ(NVML(nvmlDeviceGetHandleByUUID)("GPU-1b2c3d4e-5f6a-7b8c-9d0e-112233445566", &found),
            NVML_SUCCESS);
  EXPECT_TRUE(same(found));
  ASSERT_EQ(NVML(nvmlDeviceGetHandleBySerial)("SIM654321", &found), NVML_SUCCESS);
  EXPECT_TRUE(same(found));
  for (const char* id : {"00000000:02:00.0", "0000:02:00.0", "02:00.0"}) {
    ASSERT_EQ(NVML(nvmlDeviceGetHandleByPciBusId_v2)(id, &found), NVML_SUCCESS) << id;
    EXPECT_TRUE(same(found)) << id;
  }
  EXPECT_EQ(NVML(nvmlDeviceGetHandleByUUID)("GPU-none", &found), NVML_ERROR_NOT_FOUND);
  EXPECT_EQ(NVML(nvmlDeviceGetHandleByPciBusId)("2:00.0", &found), NVML_ERROR_NOT_FOUND);
  EXPECT_EQ(NVML(nvmlDeviceGetHandleByIndex)(3, &found), NVML_ERROR_INVALID_ARGUMENT);
}

TEST_F(DriverTest, RefusesArgumentsAsTheRealOneDoes) {
  init();
  const nvmlDevice_t gpu = device(0);
  unsigned int value = 0;
  int local = 0;
  EXPECT_EQ(power(nullptr), NVML_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(power(reinterpret_cast<nvmlDevice_t>(&local)), NVML_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(NVML(nvmlDeviceGetPowerUsage)(gpu, nullptr), NVML_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(NVML(nvmlDeviceGetTemperature)(gpu, static_cast<nvmlTemperatureSensors_t>(9), &value),
            NVML_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(NVML(nvmlDeviceGetClockInfo)(gpu, static_cast<nvmlClockType_t>(4), &value),
            NVML_ERROR_INVALID_ARGUMENT);
  std::array<char, 4> small{};
  EXPECT_EQ(NVML(nvmlDeviceGetUUID)(gpu, small.data(), small.size()), NVML_ERROR_INSUFFICIENT_SIZE);
  nvmlMemory_v2_t memory{};
  EXPECT_EQ(NVML(nvmlDeviceGetMemoryInfo_v2)(gpu, &memory), NVML_ERROR_ARGUMENT_VERSION_MISMATCH);
}

TEST_F(DriverTest, GivesListsOnlyWhole) {
  set("GPUSCOPE_SIM_GPUS", "40");
  init();
  bool seen = false;
  for (unsigned int i = 0; i < 40; ++i) {
    unsigned int count = 0;
    const nvmlReturn_t first =
        NVML(nvmlDeviceGetComputeRunningProcesses_v3)(device(i), &count, nullptr);
    if (count == 0) {
      EXPECT_EQ(first, NVML_SUCCESS);
      continue;
    }
    seen = true;
    EXPECT_EQ(first, NVML_ERROR_INSUFFICIENT_SIZE);
    std::vector<nvmlProcessInfo_t> infos(count);
    unsigned int room = count - 1;
    EXPECT_EQ(NVML(nvmlDeviceGetComputeRunningProcesses_v2)(device(i), &room, infos.data()),
              NVML_ERROR_INSUFFICIENT_SIZE);
    ASSERT_EQ(NVML(nvmlDeviceGetComputeRunningProcesses_v3)(device(i), &count, infos.data()),
              NVML_SUCCESS);
    for (const nvmlProcessInfo_t& info : infos) {
      EXPECT_NE(info.pid, 0U);
      EXPECT_EQ(info.gpuInstanceId, kNvmlNoInstance);
      std::array<char, 64> name{};
      EXPECT_EQ(NVML(nvmlSystemGetProcessName)(info.pid, name.data(), name.size()), NVML_SUCCESS);
      EXPECT_NE(name[0], '\0');
    }
    std::vector<nvmlProcessInfo_v1_t> old(count);
    ASSERT_EQ(NVML(nvmlDeviceGetComputeRunningProcesses)(device(i), &count, old.data()),
              NVML_SUCCESS);
    for (unsigned int k = 0; k < count; ++k) EXPECT_NE(old[k].usedGpuMemory, ~0ULL);
  }
  EXPECT_TRUE(seen);
}

TEST_F(DriverTest, GivesProcessUtilizationOnce) {
  set("GPUSCOPE_SIM_SCENARIO", "training");
  init();
  const nvmlDevice_t gpu = device(0);
  unsigned int count = 0;
  ASSERT_EQ(NVML(nvmlDeviceGetProcessUtilization)(gpu, nullptr, &count, 0),
            NVML_ERROR_INSUFFICIENT_SIZE);
  ASSERT_GT(count, 0U);
  std::vector<nvmlProcessUtilizationSample_t> samples(count);
  ASSERT_EQ(NVML(nvmlDeviceGetProcessUtilization)(gpu, samples.data(), &count, 0), NVML_SUCCESS);
  EXPECT_LE(samples[0].smUtil, 100U);
  const unsigned long long future = samples[0].timeStamp + 1'000'000'000ULL;
  EXPECT_EQ(NVML(nvmlDeviceGetProcessUtilization)(gpu, samples.data(), &count, future),
            NVML_ERROR_NOT_FOUND);
}

TEST_F(DriverTest, AnswersABatchFieldByField) {
  init();
  std::array<nvmlFieldValue_t, 6> values{};
  values[0].fieldId = NVML_FI_DEV_POWER_INSTANT;
  values[1].fieldId = NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION;
  values[2].fieldId = NVML_FI_DEV_NVLINK_GET_STATE;
  values[2].scopeId = 3;
  values[3].fieldId = NVML_FI_DEV_NVLINK_GET_STATE;
  values[3].scopeId = 99;
  values[4].fieldId = NVML_FI_DEV_C2C_LINK_COUNT;
  values[5].fieldId = 0;
  ASSERT_EQ(NVML(nvmlDeviceGetFieldValues)(device(0), values.size(), values.data()), NVML_SUCCESS);
  EXPECT_EQ(values[0].nvmlReturn, NVML_SUCCESS);
  EXPECT_EQ(values[0].valueType, NVML_VALUE_TYPE_UNSIGNED_INT);
  unsigned int milliwatts = 0;
  ASSERT_EQ(NVML(nvmlDeviceGetPowerUsage)(device(0), &milliwatts), NVML_SUCCESS);
  EXPECT_EQ(values[0].value.uiVal, milliwatts);
  EXPECT_EQ(values[1].valueType, NVML_VALUE_TYPE_UNSIGNED_LONG_LONG);
  EXPECT_GT(values[1].timestamp, 0);
  EXPECT_EQ(values[2].value.uiVal, 1U);
  EXPECT_EQ(values[3].nvmlReturn, NVML_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(values[4].nvmlReturn, NVML_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(values[5].nvmlReturn, NVML_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(NVML(nvmlDeviceGetFieldValues)(device(0), 0, values.data()),
            NVML_ERROR_INVALID_ARGUMENT);
}

TEST_F(DriverTest, AddsUpLinksForTheScopeOfAll) {
  set("GPUSCOPE_SIM_SCENARIO", "training");
  init();
  std::vector<nvmlFieldValue_t> values(19);
  for (unsigned int i = 0; i < values.size(); ++i) {
    values[i].fieldId = NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_TX;
    values[i].scopeId = i < 18 ? i : ~0U;
  }
  ASSERT_EQ(NVML(nvmlDeviceGetFieldValues)(device(0), 19, values.data()), NVML_SUCCESS);
  unsigned long long sum = 0;
  for (unsigned int i = 0; i < 18; ++i) sum += values[i].value.ullVal;
  EXPECT_GT(sum, 0ULL);
  EXPECT_NEAR(static_cast<double>(values[18].value.ullVal), static_cast<double>(sum), 18);
}

TEST_F(DriverTest, SaysNotSupportedForAllElse) {
  init();
  for (const char* name : {"nvmlDeviceSetPersistenceMode", "nvmlDeviceGetVgpuUtilization",
                           "nvmlUnitGetHandleByIndex"}) {
    auto* function =
        reinterpret_cast<nvmlReturn_t (*)(nvmlDevice_t, int, void*)>(dlsym(library(), name));
    ASSERT_NE(function, nullptr) << name;
    EXPECT_EQ(function(device(0), 1, nullptr), NVML_ERROR_NOT_SUPPORTED) << name;
  }
}

TEST_F(DriverTest, SaysHowGpusReachEachOther) {
  init();
  const auto status = [&](unsigned int one, unsigned int other, nvmlGpuP2PCapsIndex_t how) {
    nvmlGpuP2PStatus_t found = NVML_P2P_STATUS_UNKNOWN;
    EXPECT_EQ(NVML(nvmlDeviceGetP2PStatus)(device(one), device(other), how, &found), NVML_SUCCESS);
    return found;
  };
  EXPECT_EQ(status(0, 2, NVML_P2P_CAPS_INDEX_NVLINK), NVML_P2P_STATUS_OK);
  EXPECT_EQ(status(0, 2, NVML_P2P_CAPS_INDEX_READ), NVML_P2P_STATUS_OK);
  EXPECT_EQ(NVML(nvmlDeviceGetP2PStatus)(device(0), nullptr, NVML_P2P_CAPS_INDEX_NVLINK, nullptr),
            NVML_ERROR_INVALID_ARGUMENT);
}

TEST_F(DriverTest, SaysThatGpusWithoutLinksDoNotReachEachOther) {
  set("GPUSCOPE_SIM_SCENARIO", "unified_memory");
  set("GPUSCOPE_SIM_GPUS", "2");
  init();
  nvmlGpuP2PStatus_t found = NVML_P2P_STATUS_UNKNOWN;
  ASSERT_EQ(NVML(nvmlDeviceGetP2PStatus)(device(0), device(1), NVML_P2P_CAPS_INDEX_NVLINK, &found),
            NVML_SUCCESS);
  EXPECT_EQ(found, NVML_P2P_STATUS_NOT_SUPPORTED);
}

TEST_F(DriverTest, HasMigInstancesWhereTheScenarioHas) {
  set("GPUSCOPE_SIM_SCENARIO", "mig");
  init();
  unsigned int mode = 0;
  unsigned int pending = 0;
  ASSERT_EQ(NVML(nvmlDeviceGetMigMode)(device(0), &mode, &pending), NVML_SUCCESS);
  EXPECT_EQ(mode, NVML_DEVICE_MIG_ENABLE);
  unsigned int count = 0;
  ASSERT_EQ(NVML(nvmlDeviceGetMaxMigDeviceCount)(device(0), &count), NVML_SUCCESS);
  ASSERT_EQ(count, 7U);
  nvmlDevice_t mig = nullptr;
  ASSERT_EQ(NVML(nvmlDeviceGetMigDeviceHandleByIndex)(device(0), 6, &mig), NVML_SUCCESS);
  unsigned int is_mig = 0;
  ASSERT_EQ(NVML(nvmlDeviceIsMigDeviceHandle)(mig, &is_mig), NVML_SUCCESS);
  EXPECT_EQ(is_mig, 1U);
  std::array<char, NVML_DEVICE_UUID_V2_BUFFER_SIZE> uuid{};
  ASSERT_EQ(NVML(nvmlDeviceGetUUID)(mig, uuid.data(), uuid.size()), NVML_SUCCESS);
  EXPECT_THAT(uuid.data(), testing::StartsWith("MIG-"));
  nvmlMemory_t memory{};
  ASSERT_EQ(NVML(nvmlDeviceGetMemoryInfo)(mig, &memory), NVML_SUCCESS);
  EXPECT_GT(memory.total, 0ULL);
  EXPECT_EQ(power(mig), NVML_ERROR_INVALID_ARGUMENT);
  nvmlDevice_t parent = nullptr;
  ASSERT_EQ(NVML(nvmlDeviceGetDeviceHandleFromMigDeviceHandle)(mig, &parent), NVML_SUCCESS);
  EXPECT_EQ(parent, device(0));
  EXPECT_EQ(NVML(nvmlDeviceGetMigDeviceHandleByIndex)(device(0), 7, &mig), NVML_ERROR_NOT_FOUND);
}

// Two answers of a machine that stands still are of one instant: no rate comes out of them.
TEST_F(DriverTest, FieldsAreOfTheMomentThatTimeIsFrozenAt) {
  set("GPUSCOPE_SIM_TIME", "2026-01-01T00:01:00Z");
  init();
  nvmlFieldValue_t value{};
  value.fieldId = NVML_FI_DEV_PCIE_COUNT_TX_BYTES;
  ASSERT_EQ(NVML(nvmlDeviceGetFieldValues)(device(0), 1, &value), NVML_SUCCESS);
  ASSERT_EQ(value.nvmlReturn, NVML_SUCCESS);
  EXPECT_EQ(value.timestamp, 1'767'225'660'000'000);
}

TEST_F(DriverTest, SaysThatAGpuOfTheScenarioIsLost) {
  set("GPUSCOPE_SIM_SCENARIO", "fallen_off_bus");
  // Every two minutes, from 20 s on.
  set("GPUSCOPE_SIM_TIME", "2026-01-01T00:01:00Z");
  init();
  nvmlDevice_t found = nullptr;
  EXPECT_EQ(NVML(nvmlDeviceGetHandleByIndex_v2)(0, &found), NVML_ERROR_GPU_IS_LOST);
  EXPECT_EQ(power(device(1)), NVML_SUCCESS);
}

TEST_F(DriverTest, FailsAtInitOnDemand) {
  set("GPUSCOPE_SIM_FAULTS", "init=mismatch");
  EXPECT_EQ(NVML(nvmlInit_v2)(), NVML_ERROR_LIB_RM_VERSION_MISMATCH);
  EXPECT_STREQ(NVML(nvmlErrorString)(NVML_ERROR_LIB_RM_VERSION_MISMATCH),
               "Driver/library version mismatch");
  unsigned int count = 0;
  EXPECT_EQ(NVML(nvmlDeviceGetCount_v2)(&count), NVML_ERROR_UNINITIALIZED);
}

TEST_F(DriverTest, FailsOneCallOfOneGpuOnDemand) {
  set("GPUSCOPE_SIM_FAULTS", "1:nvmlDeviceGetPowerUsage=error:999; 2:field/186=no_permission");
  init();
  EXPECT_EQ(power(device(0)), NVML_SUCCESS);
  EXPECT_EQ(power(device(1)), NVML_ERROR_UNKNOWN);
  nvmlFieldValue_t value{};
  value.fieldId = NVML_FI_DEV_POWER_INSTANT;
  ASSERT_EQ(NVML(nvmlDeviceGetFieldValues)(device(2), 1, &value), NVML_SUCCESS);
  EXPECT_EQ(value.nvmlReturn, NVML_ERROR_NO_PERMISSION);
}

TEST_F(DriverTest, RefusesWhatItCannotUnderstand) {
  for (const auto& [name, value] : {std::pair("GPUSCOPE_SIM_FAULTS", "1:*=explode"),
                                    {"GPUSCOPE_SIM_LATENCY", "soon"},
                                    {"GPUSCOPE_SIM_GPUS", "-3"},
                                    {"GPUSCOPE_SIM_CALLS", "/nowhere/calls"}}) {
    set(name, value);
    testing::internal::CaptureStderr();
    EXPECT_EQ(NVML(nvmlInit_v2)(), NVML_ERROR_INVALID_ARGUMENT) << name;
    EXPECT_THAT(testing::internal::GetCapturedStderr(),
                testing::MatchesRegex("gpuscope simulated driver: cannot [^\n]*\n"))
        << name;
    unsetenv(name);
  }
}

// A GPU breaks and mends while the program runs.
TEST_F(DriverTest, FollowsAFileOfFaults) {
  const std::string path = temporary_file("faults");
  set("GPUSCOPE_SIM_FAULTS_FILE", path);
  init();
  const nvmlDevice_t gpu = device(0);
  EXPECT_EQ(power(gpu), NVML_SUCCESS);
  std::ofstream(path) << "0:*=lost\n";
  while (power(gpu) == NVML_SUCCESS) {
  }
  EXPECT_EQ(power(gpu), NVML_ERROR_GPU_IS_LOST);
  EXPECT_EQ(power(device(1)), NVML_SUCCESS);
  std::filesystem::remove(path);
  while (power(gpu) != NVML_SUCCESS) {
  }
}

// A stuck call holds up no other GPU, and ends when the fault does.
TEST_F(DriverTest, BlocksUntilTheFaultIsGone) {
  const std::string path = temporary_file("faults");
  std::ofstream(path) << "0:nvmlDeviceGetPowerUsage=block\n";
  set("GPUSCOPE_SIM_FAULTS_FILE", path);
  init();
  const nvmlDevice_t stuck = device(0);
  std::atomic<int> result{-1};
  std::thread thread([&] { result = static_cast<int>(power(stuck)); });
  EXPECT_EQ(power(device(1)), NVML_SUCCESS);
  EXPECT_EQ(result.load(), -1);
  std::filesystem::remove(path);
  thread.join();
  EXPECT_EQ(result.load(), NVML_SUCCESS);
}

TEST_F(DriverTest, LetsStuckCallsGoAtShutdown) {
  set("GPUSCOPE_SIM_FAULTS", "0:nvmlDeviceGetPowerUsage=block");
  init();
  const nvmlDevice_t stuck = device(0);
  std::atomic<bool> about{false};
  nvmlReturn_t result = NVML_SUCCESS;
  std::thread thread([&] {
    about = true;
    result = power(stuck);
  });
  while (!about) std::this_thread::yield();
  ASSERT_EQ(NVML(nvmlShutdown)(), NVML_SUCCESS);
  thread.join();
  EXPECT_EQ(result, NVML_ERROR_UNINITIALIZED);
}

TEST_F(DriverTest, TellsOfALostGpuByAnEvent) {
  const std::string path = temporary_file("faults");
  set("GPUSCOPE_SIM_FAULTS_FILE", path);
  init();
  nvmlEventSet_t events = nullptr;
  ASSERT_EQ(NVML(nvmlEventSetCreate)(&events), NVML_SUCCESS);
  ASSERT_EQ(NVML(nvmlDeviceRegisterEvents)(device(1), nvmlEventTypeXidCriticalError, events),
            NVML_SUCCESS);
  nvmlEventData_t event{};
  EXPECT_EQ(NVML(nvmlEventSetWait_v2)(events, &event, 0), NVML_ERROR_TIMEOUT);
  const nvmlDevice_t gpu = device(1);
  std::ofstream(path) << "1:*=lost\n";
  ASSERT_EQ(NVML(nvmlEventSetWait_v2)(events, &event, 60'000), NVML_SUCCESS);
  EXPECT_EQ(event.eventData, 79ULL);
  EXPECT_EQ(event.device, gpu);
  EXPECT_EQ(NVML(nvmlEventSetFree)(events), NVML_SUCCESS);
  EXPECT_EQ(NVML(nvmlEventSetFree)(events), NVML_ERROR_INVALID_ARGUMENT);
}

TEST_F(DriverTest, CountsCallsInAFile) {
  const std::string path = temporary_file("calls");
  set("GPUSCOPE_SIM_CALLS", path);
  init();
  const nvmlDevice_t gpu = device(0);
  for (int i = 0; i < 5; ++i) power(gpu);
  std::ifstream in(path, std::ios::binary);
  std::array<char, 64> row{};
  std::uint64_t counted = 0;
  std::uint64_t before = 0;
  while (in.read(row.data(), row.size()) && row[0] != '\0') {
    std::uint64_t count = 0;
    std::memcpy(&count, row.data() + 56, sizeof(count));
    if (std::strcmp(row.data(), "nvmlDeviceGetPowerUsage") == 0) counted = count;
    ++before;
  }
  EXPECT_GE(counted, 5U);
  EXPECT_GE(before, 2U);
}

TEST_F(DriverTest, ServesManyThreads) {
  set("GPUSCOPE_SIM_GPUS", "4");
  unsetenv("GPUSCOPE_SIM_TIME");
  init();
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (unsigned int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 300; ++i) {
        if (NVML(nvmlInit_v2)() != NVML_SUCCESS) ++failures;
        if (power(device((t + static_cast<unsigned int>(i)) % 4)) != NVML_SUCCESS) ++failures;
        if (NVML(nvmlShutdown)() != NVML_SUCCESS) ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures.load(), 0);
}

}  // namespace
}  // namespace gpuscope::simulated
