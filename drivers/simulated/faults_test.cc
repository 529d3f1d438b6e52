#include "faults.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gpuscope::simulated {
namespace {

using testing::HasSubstr;

FaultPlan plan_of(std::string_view text) {
  auto plan = FaultPlan::parse(text);
  EXPECT_TRUE(plan.has_value()) << text << ": " << (plan ? "" : plan.error().message);
  return plan.value_or(FaultPlan());
}

CallSite call(std::string_view function, std::optional<std::size_t> gpu) {
  return {.function = function, .gpu = gpu, .init = false};
}
const CallSite kInit{.function = "nvmlInit_v2", .gpu = std::nullopt, .init = true};

TEST(Faults, StrikeOneFunctionOfOneGpu) {
  const FaultPlan plan = plan_of("1:nvmlDeviceGetTemperature=error:999");
  EXPECT_EQ(plan.at(call("nvmlDeviceGetTemperature", 1), {}).error, NVML_ERROR_UNKNOWN);
  EXPECT_EQ(plan.at(call("nvmlDeviceGetTemperature", 0), {}).error, NVML_SUCCESS);
  EXPECT_EQ(plan.at(call("nvmlDeviceGetPowerUsage", 1), {}).error, NVML_SUCCESS);
  EXPECT_EQ(plan.at(call("nvmlDeviceGetTemperature", std::nullopt), {}).error, NVML_SUCCESS);
  EXPECT_EQ(plan.at(kInit, {}).error, NVML_SUCCESS);
}

TEST(Faults, StrikeNamesThatBeginAlike) {
  const FaultPlan plan = plan_of("*:nvmlDeviceGetNvLink*=not_supported");
  EXPECT_EQ(plan.at(call("nvmlDeviceGetNvLinkState", 7), {}).error, NVML_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(plan.at(call("nvmlDeviceGetName", 7), {}).error, NVML_SUCCESS);
}

TEST(Faults, StrikeAFieldOnlyByItsName) {
  const FaultPlan plan = plan_of("0:*=slow:1s; 0:field/186=no_permission");
  EXPECT_EQ(plan.at(call("field/186", 0), {}).error, NVML_ERROR_NO_PERMISSION);
  EXPECT_EQ(plan.at(call("field/186", 0), {}).delay, Milliseconds(0));
  EXPECT_EQ(plan.at(call("field/83", 0), {}).error, NVML_SUCCESS);
}

TEST(Faults, StrikeAFunctionWhetherOfAGpuOrNot) {
  const FaultPlan plan = plan_of("nvmlSystemGetDriverVersion=timeout");
  EXPECT_EQ(plan.at(call("nvmlSystemGetDriverVersion", std::nullopt), {}).error,
            NVML_ERROR_TIMEOUT);
}

TEST(Faults, KeepToTheirWindow) {
  const FaultPlan plan = plan_of("3:*=lost@10s..20s");
  const auto at = [&](int ms) { return plan.at(call("nvmlDeviceGetName", 3), Milliseconds(ms)); };
  EXPECT_EQ(at(9'999).error, NVML_SUCCESS);
  EXPECT_EQ(at(10'000).error, NVML_ERROR_GPU_IS_LOST);
  EXPECT_EQ(at(19'999).error, NVML_ERROR_GPU_IS_LOST);
  EXPECT_EQ(at(20'000).error, NVML_SUCCESS);
}

TEST(Faults, BlockForTheirLengthFromTheirBeginning) {
  const FaultPlan plan = plan_of("2:*=block:30s@5s");
  const auto at = [&](int ms) { return plan.at(call("nvmlDeviceGetName", 2), Milliseconds(ms)); };
  EXPECT_FALSE(at(4'999).blocked);
  EXPECT_TRUE(at(5'000).blocked);
  EXPECT_TRUE(at(34'999).blocked);
  EXPECT_FALSE(at(35'000).blocked);
}

TEST(Faults, TheFirstErrorAndTheLongestDelayWin) {
  const FaultPlan plan = plan_of("# all at once\n*:*=slow:2ms\n0:*=slow:1m; 0:*=lost; *:*=unknown");
  const Outcome outcome = plan.at(call("nvmlDeviceGetName", 0), {});
  EXPECT_EQ(outcome.error, NVML_ERROR_GPU_IS_LOST);
  EXPECT_EQ(outcome.delay, std::chrono::minutes(1));
}

TEST(Faults, OfInitStrikeInitAlone) {
  for (const auto& [text, code] : {std::pair("init=mismatch", NVML_ERROR_LIB_RM_VERSION_MISMATCH),
                                   std::pair("init=not_loaded", NVML_ERROR_DRIVER_NOT_LOADED),
                                   std::pair("init=no_permission", NVML_ERROR_NO_PERMISSION)}) {
    const FaultPlan plan = plan_of(text);
    EXPECT_EQ(plan.at(kInit, {}).error, code) << text;
    EXPECT_EQ(plan.at(call("nvmlDeviceGetName", 0), {}).error, NVML_SUCCESS) << text;
  }
}

TEST(Faults, NothingIsAPlanWithoutFaults) {
  EXPECT_TRUE(plan_of("").empty());
  EXPECT_TRUE(plan_of(" ;;\n # nothing\n").empty());
}

TEST(Faults, NameTheRuleThatIsWrong) {
  for (const char* text :
       {"nonsense", "1:nvmlX", "x:*=lost", "1:gettemp=lost", "1:*=error", "1:*=error:0",
        "1:*=error:1000", "1:*=lost:5s", "1:*=slow", "1:*=slow:5", "1:*=slow:-1ms", "1:*=explode",
        "1:*=lost@", "1:*=lost@20s..10s", "1:*=block:5s@1s..2s", "1:*=slow:99999999s",
        "18446744073709551616:*=lost", "=lost"}) {
    const auto plan = FaultPlan::parse(text);
    ASSERT_FALSE(plan.has_value()) << text;
    EXPECT_THAT(plan.error().message, testing::StartsWith("cannot understand")) << text;
    EXPECT_THAT(plan.error().message, HasSubstr(text));
  }
}

}  // namespace
}  // namespace gpuscope::simulated
