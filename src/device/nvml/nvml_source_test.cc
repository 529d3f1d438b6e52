#include "device/nvml/nvml_source.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <new>
#include <string>
#include <thread>

#include "base/allocation_count.h"
#include "base/fake_clock.h"
#include "device/nvml/fake/fake_nvml.h"

namespace gpuscope::device::nvml {
namespace {

using base::ErrorKind;
using model::Absence;
using model::DeviceSample;
using model::Fact;
using model::Metric;
using model::Reading;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AnyOf;
using ::testing::HasSubstr;

constexpr base::WallTime kStart{seconds{1'780'000'000}};

FakeNvml& renew(const char* library) {
  void* handle = dlopen(library, RTLD_NOW);
  EXPECT_NE(handle, nullptr) << dlerror();
  return reinterpret_cast<FakeNvmlFunction>(dlsym(handle, kFakeNvmlFunction))(true);
}

nvmlProcessInfo_t process(unsigned int pid, unsigned long long memory) {
  nvmlProcessInfo_t info{};
  info.pid = pid;
  info.usedGpuMemory = memory;
  return info;
}

// A machine whose kernel driver is there, and the fake library.
class NvmlSourceTest : public ::testing::Test {
 protected:
  explicit NvmlSourceTest(const char* library = FAKE_NVML) : fake_(renew(library)) {
    root_ =
        std::filesystem::temp_directory_path() / ("gpuscope_nvml_test." + std::to_string(getpid()));
    std::filesystem::create_directories(root_ / "proc/driver/nvidia");
    std::ofstream(root_ / "proc/driver/nvidia/version") << "NVRM version: fake\n";
    options_.library = library;
    options_.root = root_.string();
  }
  ~NvmlSourceTest() override {
    source_.reset();
    std::filesystem::remove_all(root_);
  }

  base::Result<std::shared_ptr<const model::Inventory>> open() {
    if (source_ == nullptr) source_ = make_nvml_source(options_, clock_);
    return source_->open();
  }

  // One tick of the first device.
  const DeviceSample& tick(std::chrono::microseconds apart = seconds{1}) {
    time_ += apart;
    source_->read(0, time_, sample_);
    return sample_;
  }

  // How many calls a tick took.
  int calls_of_tick(std::chrono::microseconds apart = seconds{1}) {
    const int before = fake_.count(0) + fake_.count(-1);
    tick(apart);
    return fake_.count(0) + fake_.count(-1) - before;
  }

  FakeNvml& fake_;
  base::FakeClock clock_;
  Options options_;
  std::filesystem::path root_;
  std::unique_ptr<model::Source> source_;
  base::WallTime time_ = kStart;
  DeviceSample sample_;
};

struct InitCase {
  nvmlReturn_t code;
  ErrorKind kind;
  const char* state;
};

class NvmlInitTest : public NvmlSourceTest, public ::testing::WithParamInterface<InitCase> {};

TEST_P(NvmlInitTest, NamesTheStateOfTheDriver) {
  fake_.result = [](std::string_view function, int /*device*/) {
    return function == "nvmlInit_v2" ? GetParam().code : NVML_SUCCESS;
  };
  const auto inventory = open();
  ASSERT_FALSE(inventory);
  EXPECT_EQ(inventory.error().kind, GetParam().kind);
  EXPECT_THAT(inventory.error().message, HasSubstr("cannot use NVML"));
  EXPECT_THAT(inventory.error().message, HasSubstr(GetParam().state));
  EXPECT_FALSE(source_->lost());
  EXPECT_EQ(fake_.count("nvmlShutdown"), 0);

  fake_.result = nullptr;
  EXPECT_TRUE(open());
}

INSTANTIATE_TEST_SUITE_P(
    States, NvmlInitTest,
    ::testing::Values(
        InitCase{NVML_ERROR_DRIVER_NOT_LOADED, ErrorKind::kUnavailable, "driver is not loaded"},
        InitCase{NVML_ERROR_LIB_RM_VERSION_MISMATCH, ErrorKind::kUnavailable, "reload the driver"},
        InitCase{NVML_ERROR_NO_PERMISSION, ErrorKind::kPermissionDenied, "no permission"},
        InitCase{NVML_ERROR_LIBRARY_NOT_FOUND, ErrorKind::kUnavailable, "a library of its own"},
        InitCase{NVML_ERROR_UNKNOWN, ErrorKind::kUnavailable, "error 999"}));

TEST_F(NvmlSourceTest, SaysThatTheLibraryIsMissing) {
  options_.library = "/nonexistent/libnvidia-ml.so.1";
  const auto inventory = open();
  ASSERT_FALSE(inventory);
  EXPECT_EQ(inventory.error().kind, ErrorKind::kUnavailable);
  EXPECT_THAT(inventory.error().message, HasSubstr("cannot load /nonexistent/libnvidia-ml.so.1"));
  EXPECT_THAT(inventory.error().message, HasSubstr("install the NVIDIA driver"));
}

// The real library would make a device node there.
TEST_F(NvmlSourceTest, DoesNotInitialiseWithoutAKernelDriver) {
  std::filesystem::remove_all(root_ / "proc");
  const auto inventory = open();
  ASSERT_FALSE(inventory);
  EXPECT_THAT(inventory.error().message, HasSubstr("driver is not loaded"));
  EXPECT_EQ(fake_.count("nvmlInit_v2"), 0);

  std::filesystem::create_directories(root_ / "dev");
  std::ofstream(root_ / "dev/dxg") << "";
  EXPECT_TRUE(open()) << "the paravirtual GPU of WSL";
}

TEST_F(NvmlSourceTest, SaysThatThereIsNoGpu) {
  fake_.devices = 0;
  const auto inventory = open();
  ASSERT_FALSE(inventory);
  EXPECT_EQ(inventory.error().kind, ErrorKind::kNotFound);
  EXPECT_THAT(inventory.error().message, HasSubstr("cannot find any NVIDIA GPU"));
  EXPECT_EQ(fake_.count("nvmlShutdown"), 1);
}

TEST_F(NvmlSourceTest, LeavesOutGpusOfOthers) {
  fake_.devices = 3;
  fake_.result = [](std::string_view function, int device) {
    const bool theirs = device == 1 && function == "nvmlDeviceGetHandleByIndex_v2";
    return theirs ? NVML_ERROR_NO_PERMISSION : NVML_SUCCESS;
  };
  const auto inventory = open();
  ASSERT_TRUE(inventory);
  ASSERT_EQ((*inventory)->gpus.size(), 2U);
  EXPECT_EQ((*inventory)->gpus[1].uuid(), "GPU-00000000-0000-0000-0000-000000000002");
}

TEST_F(NvmlSourceTest, KnowsWhatAGpuIs) {
  const auto inventory = open();
  ASSERT_TRUE(inventory);
  EXPECT_EQ((*inventory)->method, "nvml");
  EXPECT_FALSE((*inventory)->simulated);
  ASSERT_EQ((*inventory)->gpus.size(), 1U);
  const model::GpuInfo& gpu = (*inventory)->gpus[0];
  EXPECT_EQ(gpu.name(), "Fake GPU");
  EXPECT_EQ(gpu.fact(Fact::kCudaVersion).value, "12.4");
  EXPECT_EQ(gpu.fact(Fact::kBoardId).value, "0x600");
  EXPECT_EQ(gpu.fact(Fact::kSerial).absence, Absence::kUnsupported) << "it says N/A";
  EXPECT_EQ(gpu.fact(Fact::kBrand).absence, Absence::kUnsupported) << "no such function";
}

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
    EXPECT_NE(sample.at(row.id).absence, Absence::kNotYet) << row.key;
    EXPECT_NE(sample.at(row.id).absence, Absence::kFailed) << row.key;
  }
}

TEST_F(NvmlSourceTest, KeepsToItsBudgetOfCalls) {
  fake_.links = 18;
  fake_.compute = {process(1, 1), process(2, 1)};
  ASSERT_TRUE(open());
  int all = 0;
  for (int i = 0; i < 60; ++i) {
    const int calls = calls_of_tick();
    EXPECT_LE(calls, 16) << "tick " << i;
    all += calls;
  }
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
  std::atomic<int> code{NVML_ERROR_NO_PERMISSION};
  fake_.result = [&](std::string_view function, int /*device*/) {
    return function == "nvmlDeviceGetTemperatureV" ? static_cast<nvmlReturn_t>(code.load())
                                                   : NVML_SUCCESS;
  };
  ASSERT_TRUE(open());
  EXPECT_EQ(tick().at(Metric::kTemperature).absence, Absence::kDenied);
  code = NVML_ERROR_TIMEOUT;
  EXPECT_EQ(tick().at(Metric::kTemperature).absence, Absence::kTimedOut);
  code = NVML_ERROR_UNKNOWN;
  EXPECT_EQ(tick().at(Metric::kTemperature).absence, Absence::kFailed);
  EXPECT_TRUE(sample_.at(Metric::kGpuUtilization).present());
  code = NVML_SUCCESS;
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

TEST_F(NvmlSourceTest, NoticesALostGpuAndItsReturn) {
  std::atomic<bool> lost{false};
  fake_.result = [&](std::string_view function, int device) {
    return lost && device == 0 && function != "nvmlShutdown" ? NVML_ERROR_GPU_IS_LOST
                                                             : NVML_SUCCESS;
  };
  ASSERT_TRUE(open());
  tick();
  lost = true;
  tick();
  EXPECT_EQ(sample_.at(Metric::kTemperature).absence, Absence::kGone);
  EXPECT_EQ(sample_.at(Metric::kFanSpeed).absence, Absence::kGone);
  EXPECT_EQ(sample_.processes_absence, Absence::kGone);
  EXPECT_TRUE(sample_.fans.empty());
  EXPECT_EQ(sample_.at(Metric::kMinorNumber), Reading::of(3)) << "what it was is still known";
  EXPECT_EQ(calls_of_tick(), 1) << "looking for it is cheap";
  EXPECT_FALSE(source_->lost()) << "the driver is fine";

  lost = false;
  int most = 0;
  for (int i = 0; i < 15; ++i) most = std::max(most, calls_of_tick());
  EXPECT_LE(most, 16);
  EXPECT_EQ(sample_.at(Metric::kTemperature), Reading::of(560));
  EXPECT_EQ(sample_.fans.size(), 2U);
  for (const model::MetricInfo& row : model::metrics(model::Entity::kGpu)) {
    if (row.id == Metric::kPowerAverage) continue;  // comes beside the ticks
    EXPECT_THAT(sample_.at(row.id).absence, AnyOf(Absence::kPresent, Absence::kUnsupported))
        << row.key;
  }
}

TEST_F(NvmlSourceTest, AGpuLostFromTheStartComesBackByItself) {
  std::atomic<bool> lost{true};
  fake_.devices = 2;
  fake_.result = [&](std::string_view function, int device) {
    return lost && device == 0 && function == "nvmlDeviceGetHandleByIndex_v2"
               ? NVML_ERROR_GPU_IS_LOST
               : NVML_SUCCESS;
  };
  auto inventory = open();
  ASSERT_TRUE(inventory);
  ASSERT_EQ((*inventory)->gpus.size(), 2U);
  EXPECT_EQ((*inventory)->gpus[0].fact(Fact::kUuid).absence, Absence::kGone);
  EXPECT_EQ(tick().at(Metric::kTemperature).absence, Absence::kGone);
  EXPECT_FALSE(source_->lost());
  lost = false;
  for (int i = 0; i < 12; ++i) tick();
  EXPECT_TRUE(source_->lost()) << "there is a GPU to be opened";
  inventory = open();
  ASSERT_TRUE(inventory);
  EXPECT_FALSE(source_->lost());
  EXPECT_EQ((*inventory)->gpus[0].name(), "Fake GPU");
}

TEST_F(NvmlSourceTest, SaysWhatAGpuThatNeedsAResetNeeds) {
  ASSERT_TRUE(open());
  tick();
  fake_.result = [](std::string_view /*function*/, int /*device*/) {
    return NVML_ERROR_RESET_REQUIRED;
  };
  tick();
  EXPECT_EQ(sample_.at(Metric::kTemperature).absence, Absence::kFailed);
  EXPECT_EQ(sample_.at(Metric::kRecoveryAction), Reading::of(1));
}

TEST_F(NvmlSourceTest, IsLostWhenTheDriverWentAway) {
  ASSERT_TRUE(open());
  tick();
  fake_.result = [](std::string_view /*function*/, int /*device*/) {
    return NVML_ERROR_UNINITIALIZED;
  };
  tick();
  EXPECT_EQ(sample_.at(Metric::kTemperature).absence, Absence::kFailed);
  EXPECT_TRUE(source_->lost());
  EXPECT_FALSE(open());
  fake_.result = nullptr;
  ASSERT_TRUE(open());
  EXPECT_FALSE(source_->lost());
  EXPECT_TRUE(tick().at(Metric::kTemperature).present());
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
  int all = 0;
  for (int i = 0; i < 60; ++i) all += calls_of_tick();
  EXPECT_LE(all, 60 * 11);
}

}  // namespace
}  // namespace gpuscope::device::nvml
