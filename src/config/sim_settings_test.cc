#include "config/sim_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

namespace gpuscope::config {
namespace {

using testing::HasSubstr;

base::Result<device::sim::Options> from(const std::map<std::string, std::string>& variables) {
  return sim_options_from_environment([&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
}

TEST(SimSettings, HasDefaults) {
  const auto options = sim_options({});
  ASSERT_TRUE(options.has_value());
  EXPECT_EQ(options->gpus, 3);
  EXPECT_EQ(options->seed, 1U);
  EXPECT_FALSE(options->scenario.has_value());
  EXPECT_FALSE(options->frozen_at.has_value());
}

TEST(SimSettings, ReadsTheEnvironment) {
  const auto options = from({{"GPUSCOPE_SIM_GPUS", "8"},
                             {"GPUSCOPE_SIM_SEED", "18446744073709551615"},
                             {"GPUSCOPE_SIM_SCENARIO", "training"},
                             {"GPUSCOPE_SIM_TIME", "2026-11-22T09:24:42Z"}});
  ASSERT_TRUE(options.has_value()) << options.error().message;
  EXPECT_EQ(options->gpus, 8);
  EXPECT_EQ(options->seed, 18446744073709551615U);
  EXPECT_EQ(options->scenario->name, "training");
  EXPECT_EQ(options->frozen_at, base::parse_time("1795339482"));
}

TEST(SimSettings, AnEmptyVariableIsNone) {
  const auto options = from({{"GPUSCOPE_SIM_GPUS", ""}, {"GPUSCOPE_SIM_SCENARIO", ""}});
  ASSERT_TRUE(options.has_value());
  EXPECT_EQ(options->gpus, 3);
}

TEST(SimSettings, ErrorsNameTheSettingAndWhatItTakes) {
  const auto error = [](const std::string& name, const std::string& text) {
    const auto options = from({{name, text}});
    return options ? "no error" : options.error().message;
  };
  EXPECT_EQ(error("GPUSCOPE_SIM_GPUS", "0"),
            "cannot use GPUSCOPE_SIM_GPUS: '0' is not a whole number from 1 to 10000");
  EXPECT_THAT(error("GPUSCOPE_SIM_GPUS", "10001"), HasSubstr("'10001' is not"));
  EXPECT_THAT(error("GPUSCOPE_SIM_GPUS", "3 "), HasSubstr("'3 ' is not"));
  EXPECT_THAT(error("GPUSCOPE_SIM_SEED", "-1"), HasSubstr("GPUSCOPE_SIM_SEED: '-1' is not"));
  EXPECT_THAT(error("GPUSCOPE_SIM_TIME", "noon"), HasSubstr("a UTC time such as"));
  EXPECT_THAT(error("GPUSCOPE_SIM_SCENARIO", "trainig"), HasSubstr("did you mean 'training'?"));
}

TEST(SimSettings, TheScenarioSaysHowManyWhereNobodyDoes) {
  const std::string path = testing::TempDir() + "/sim_settings_test.yaml";
  std::FILE* file = std::fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr);
  std::fputs("version: 1\ngpus: 16\nphases: [{duration: 1s}]\n", file);
  std::fclose(file);
  EXPECT_EQ(sim_options({.scenario = path})->gpus, 16);
  EXPECT_EQ(sim_options({.gpus = "2", .scenario = path})->gpus, 2);
  std::remove(path.c_str());
}

}  // namespace
}  // namespace gpuscope::config
