#include "config/alert_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "config/settings_testing.h"

namespace gpuscope::config {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(AlertSettings, HaveAlertmanagersDefaults) {
  const auto settings = load_agent({});
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_TRUE(settings->alerts.enabled);
  EXPECT_THAT(settings->alerts.rule_files, IsEmpty());
  const alert::AlertingOptions& options = settings->alerts.options;
  EXPECT_EQ(options.interval, seconds{15});
  EXPECT_EQ(options.dispatch.group_wait, seconds{10});
  EXPECT_EQ(options.dispatch.emergency_wait, seconds{5});
  EXPECT_EQ(options.dispatch.group_interval, seconds{30});
  EXPECT_EQ(options.dispatch.repeat_interval, hours{4});
}

TEST(AlertSettings, AreTakenAsTheyAreGiven) {
  const auto settings = load_agent({{"alerts", "off"},
                                    {"alert-rules", "/a.yml, /b c.yml,"},
                                    {"alert-interval", "1m"},
                                    {"alert-group-wait", "2s"},
                                    {"alert-group-interval", "1s"},
                                    {"alert-repeat-interval", "1d"}});
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_FALSE(settings->alerts.enabled);
  EXPECT_THAT(settings->alerts.rule_files, ElementsAre("/a.yml", "/b c.yml"));
  const alert::AlertingOptions& options = settings->alerts.options;
  EXPECT_EQ(options.interval, seconds{60});
  EXPECT_EQ(options.dispatch.group_wait, seconds{2});
  EXPECT_EQ(options.dispatch.emergency_wait, seconds{2});
  EXPECT_EQ(options.dispatch.group_interval, seconds{1});
  EXPECT_EQ(options.dispatch.repeat_interval, hours{24});
}

TEST(AlertSettings, AreRefusedWhereTheyMakeNoSense) {
  for (const auto& [flag, value] :
       std::map<std::string, std::string>{{"alerts", "maybe"},
                                          {"alert-interval", "500ms"},
                                          {"alert-group-wait", "2h"},
                                          {"alert-group-interval", "x"},
                                          {"alert-repeat-interval", "1s"},
                                          {"sim-speed", "0.5"}}) {
    const auto settings = load_agent({{flag, value}});
    ASSERT_FALSE(settings) << flag;
    EXPECT_THAT(settings.error().message, HasSubstr(flag));
  }
}

TEST(SimSpeed, IsForSimulatedGpusAlone) {
  const auto settings = load_agent({{"sim-speed", "30"}, {"method", "sim"}});
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->sim_speed, 30);
  const auto real = load_agent({{"sim-speed", "30"}, {"method", "nvml"}});
  ASSERT_FALSE(real);
  EXPECT_THAT(real.error().message, HasSubstr("--method sim"));
}

}  // namespace
}  // namespace gpuscope::config
