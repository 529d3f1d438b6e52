#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "device/nvml/nvml_source_testing.h"

namespace gpuscope::device::nvml {
namespace {

using base::ErrorKind;
using model::Absence;
using model::Fact;
using model::Metric;
using model::Reading;
using ::testing::AnyOf;
using ::testing::HasSubstr;

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

TEST_F(NvmlSourceTest, NoticesALostGpuAndItsReturn) {
  fake_.result = [this](std::string_view function, int device) {
    return lost_ && device == 0 && function != "nvmlShutdown" ? NVML_ERROR_GPU_IS_LOST
                                                              : NVML_SUCCESS;
  };
  ASSERT_TRUE(open());
  tick();
  lost_ = true;
  tick();
  EXPECT_EQ(sample_.at(Metric::kTemperature).absence, Absence::kGone);
  EXPECT_EQ(sample_.at(Metric::kFanSpeed).absence, Absence::kGone);
  EXPECT_EQ(sample_.processes_absence, Absence::kGone);
  EXPECT_TRUE(sample_.fans.empty());
  EXPECT_EQ(sample_.at(Metric::kMinorNumber), Reading::of(3)) << "what it was is still known";
  EXPECT_EQ(calls_of_tick(), 1) << "looking for it is cheap";
  EXPECT_FALSE(source_->lost()) << "the driver is fine";

  lost_ = false;
  int most = 0;
  for (int i = 0; i < 15; ++i) most = std::max(most, calls_of_tick());
  EXPECT_LE(most, 16);
  EXPECT_EQ(sample_.at(Metric::kTemperature), Reading::of(560));
  EXPECT_EQ(sample_.fans.size(), 2U);
  for (const model::MetricInfo& row : model::metrics(model::Entity::kGpu)) {
    if (row.id == Metric::kPowerAverage) continue;  // comes beside the ticks
    if (collected(row)) continue;
    EXPECT_THAT(sample_.at(row.id).absence, AnyOf(Absence::kPresent, Absence::kUnsupported))
        << row.key;
  }
}

TEST_F(NvmlSourceTest, AGpuLostFromTheStartComesBackByItself) {
  lost_ = true;
  fake_.devices = 2;
  fake_.result = [this](std::string_view function, int device) {
    return lost_ && device == 0 && function == "nvmlDeviceGetHandleByIndex_v2"
               ? NVML_ERROR_GPU_IS_LOST
               : NVML_SUCCESS;
  };
  auto inventory = open();
  ASSERT_TRUE(inventory);
  ASSERT_EQ((*inventory)->gpus.size(), 2U);
  EXPECT_EQ((*inventory)->gpus[0].fact(Fact::kUuid).absence, Absence::kGone);
  EXPECT_EQ(tick().at(Metric::kTemperature).absence, Absence::kGone);
  EXPECT_FALSE(source_->lost());
  lost_ = false;
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

}  // namespace
}  // namespace gpuscope::device::nvml
