#include "config/fleet_settings.h"
#include "config/settings_testing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace gpuscope::config {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
base::Result<FleetSettings> load_fleet(Variables variables, const Variables& flags = {}) {
  variables.try_emplace("HOME", "/home/ada");
  return load_fleet_settings(flags, environment(std::move(variables)), false);
}

TEST(FleetSettings, HaveTheDefaultsOfTheEarlierSystem) {
  const auto settings = load_fleet({});
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->http.host, "127.0.0.1");
  EXPECT_EQ(settings->http.port, 8080);
  EXPECT_EQ(settings->reader.engine.url, "http://prometheus:9090");
  EXPECT_EQ(settings->reader.condition, R"({pod!=""})");
  EXPECT_EQ(settings->max_workers, 8);
  EXPECT_EQ(settings->analysis.interval, seconds(300));
  EXPECT_EQ(settings->analysis.window, seconds(600));
  EXPECT_EQ(settings->analysis.step, seconds(30));
  EXPECT_EQ(settings->analysis.score.low_below, 20);
  EXPECT_EQ(settings->analysis.score.gpu_util_weight, 0.5);
  EXPECT_EQ(settings->data_dir, "/home/ada/.local/state/gpuscope");
}

TEST(FleetSettings, TakeTheEnvironmentOverTheFile) {
  const std::string path = testing::TempDir() + "fleet.yaml";
  std::ofstream(path) << R"(
prometheus: {url: "http://file:9090", query_condition: '{job="x"}', time_window_min: 5, step: 15s, shard: 1/4}
scoring: {gpu_util_weight: 0.4, power_weight: 0.2}
thresholds: {low_utilization: 30, idle: 5}
scheduler: {interval: 60, max_workers: 3}
gpu_defaults: {memory_mb: 80000, power_w: 700, power_source: card}
logging: {level: DEBUG, format: "%(asctime)s - %(message)s"}
)";
  const auto settings =
      load_fleet({{"PROM_URL", "http://env:1"}, {"THRESHOLD", "40"}, {"PORT", "0"}},
                 {{"config", path}, {"host", "::"}});
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->reader.engine.url, "http://env:1");
  EXPECT_EQ(settings->reader.condition, "{job=\"x\"}");
  EXPECT_EQ(settings->reader.shard.index, 1);
  EXPECT_EQ(settings->reader.shard.count, 4);
  EXPECT_EQ(settings->http.host, "::");
  EXPECT_EQ(settings->http.port, 0);
  EXPECT_EQ(settings->log_level, base::LogLevel::kDebug);
  const analyze::Options& analysis = settings->analysis;
  EXPECT_EQ(analysis.window, seconds(300));
  EXPECT_EQ(analysis.step, seconds(15));
  EXPECT_EQ(analysis.interval, seconds(60));
  EXPECT_EQ(analysis.score.low_below, 40);
  EXPECT_EQ(analysis.score.idle_below, 5);
  EXPECT_EQ(analysis.score.gpu_util_weight, 0.4);
  EXPECT_EQ(analysis.score.power_watts, 700);
  EXPECT_EQ(analysis.score.power_source, analyze::PowerSource::kCard);
}

TEST(FleetSettings, SayWhatTheyTake) {
  const struct {
    std::string name;
    std::string value;
    std::string words;
  } kCases[] = {
      {"THRESHOLD", "101", "cannot use THRESHOLD: '101' is not a whole number from 0 to 100"},
      {"THRESHOLD", "many", "cannot use THRESHOLD: 'many' is not a whole number from 0 to 100"},
      {"THRESHOLD", "19.5", "a whole number"},
      {"INTERVAL", "0", "cannot use INTERVAL: '0' is not seconds"},
      {"PROM_URL", "prometheus", "cannot use PROM_URL"},
      {"QUERY_CONDITION", "pod", "a selector's braces"},
      {"MAX_WORKERS", "0", "a number from 1 to 256"},
      {"SHARD", "4/4", "a part such as 0/4"},
      {"LOG_LEVEL", "LOUD", "one of DEBUG"},
      {"PORT", "70000", "a number from 0 to 65535"},
  };
  for (const auto& each : kCases) {
    const auto settings = load_fleet({{each.name, each.value}});
    ASSERT_FALSE(settings) << each.name;
    EXPECT_THAT(settings.error().message, HasSubstr(each.words));
  }
  const auto secret = load_fleet({{"PROM_PASSWORD", "hidden"}});
  ASSERT_FALSE(secret);
  EXPECT_THAT(secret.error().message, HasSubstr("PROM_USERNAME"));
  EXPECT_THAT(secret.error().message, testing::Not(HasSubstr("hidden")));
  EXPECT_FALSE(load_fleet({{"PROM_USERNAME", "a"}, {"PROM_BEARER_TOKEN", "b"}}));
}

TEST(FleetSettings, AreAllInTheDocumentation) {
  std::ifstream file(std::string(GPUSCOPE_SOURCE_DIR) + "/docs/fleet.md");
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_THAT(text.str(), HasSubstr(settings_markdown(fleet_settings_table())))
      << "docs/fleet.md lists the settings; they are:\n"
      << settings_markdown(fleet_settings_table());
}

}  // namespace
}  // namespace gpuscope::config
