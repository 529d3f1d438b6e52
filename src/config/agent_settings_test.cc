#include "config/agent_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "config/advise_settings.h"
#include "config/fleet_settings.h"
#include "config/settings_testing.h"

namespace gpuscope::config {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::StartsWith;

std::string why_not(const std::string& flag, const std::string& value) {
  const auto settings = load_agent({{flag, value}});
  return settings ? "" : settings.error().message;
}

TEST(AgentSettings, HaveDefaults) {
  const auto settings = load_agent({});
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->method, "auto");
  EXPECT_EQ(settings->http.host, "127.0.0.1");
  EXPECT_EQ(settings->http.port, 9555);
  EXPECT_EQ(settings->collect.interval, milliseconds{1000});
  EXPECT_EQ(settings->collect.window, std::chrono::seconds{30});
  EXPECT_EQ(settings->hostname, "");
  EXPECT_EQ(settings->dcgm_names, model::DcgmNames::kOld);
  EXPECT_EQ(settings->dcgm_hostname_label, "Hostname");
  EXPECT_EQ(settings->dcgm_counters, "");
  EXPECT_EQ(settings->data_dir, "/home/ada/.local/state/gpuscope");
  EXPECT_TRUE(settings->history.enabled);
  EXPECT_EQ(settings->history.keep_ticks, std::chrono::days{15});
  EXPECT_EQ(settings->history.keep_rollups, std::chrono::days{365});
  EXPECT_EQ(settings->history.max_bytes, 2'147'483'648U);
  EXPECT_EQ(settings->log_level, base::LogLevel::kInfo);
  EXPECT_EQ(settings->smi.nvidia_smi, "nvidia-smi");
  EXPECT_EQ(settings->smi.dcgmi, "dcgmi");
  EXPECT_EQ(settings->sim.gpus, 3);
  EXPECT_EQ(settings->sim.seed, 1U);
  EXPECT_FALSE(settings->sim.scenario);
  EXPECT_FALSE(settings->sim.frozen_at);
}

TEST(AgentSettings, TakeEveryFlag) {
  const auto settings = load_agent({{"method", "bash"},
                                    {"listen", "[::1]:0"},
                                    {"interval", "250ms"},
                                    {"window", "10m"},
                                    {"hostname", "node-7"},
                                    {"dcgm-names", "both"},
                                    {"dcgm-hostname-label", "hostname"},
                                    {"dcgm-counters", "/etc/counters.csv"},
                                    {"data-dir", "/d"},
                                    {"history", "off"},
                                    {"history-keep", "2d12h"},
                                    {"history-keep-rollups", "1000d"},
                                    {"history-size", "500MB"},
                                    {"log-level", "error"},
                                    {"log-format", "json"},
                                    {"nvidia-smi", "/opt/nvidia-smi"},
                                    {"gpm", "off"},
                                    {"dcgmi", "/opt/dcgmi"},
                                    {"sim-gpus", "10000"},
                                    {"sim-seed", "18446744073709551615"},
                                    {"sim-scenario", "training"},
                                    {"sim-time", "1767225600.5"}});
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->method, "bash");
  EXPECT_EQ(settings->http.host, "::1");
  EXPECT_EQ(settings->http.port, 0);
  EXPECT_EQ(settings->collect.interval, milliseconds{250});
  EXPECT_EQ(settings->collect.window, std::chrono::minutes{10});
  EXPECT_EQ(settings->hostname, "node-7");
  EXPECT_EQ(settings->dcgm_names, model::DcgmNames::kBoth);
  EXPECT_EQ(settings->dcgm_hostname_label, "hostname");
  EXPECT_EQ(settings->dcgm_counters, "/etc/counters.csv");
  EXPECT_EQ(settings->data_dir, "/d");
  EXPECT_FALSE(settings->history.enabled);
  EXPECT_EQ(settings->history.keep_ticks, std::chrono::hours{60});
  EXPECT_EQ(settings->history.keep_rollups, std::chrono::hours{24'000});
  EXPECT_EQ(settings->history.max_bytes, 500'000'000U);
  EXPECT_EQ(settings->log_level, base::LogLevel::kError);
  EXPECT_EQ(settings->log_format, base::LogFormat::kJson);
  EXPECT_FALSE(settings->nvml.gpm);
  EXPECT_EQ(settings->smi.nvidia_smi, "/opt/nvidia-smi");
  EXPECT_EQ(settings->smi.dcgmi, "/opt/dcgmi");
  EXPECT_EQ(settings->smi.interval, milliseconds{250});
  EXPECT_EQ(settings->sim.gpus, 10000);
  EXPECT_EQ(settings->sim.seed, 18446744073709551615U);
  ASSERT_TRUE(settings->sim.scenario.has_value());
  EXPECT_EQ(settings->sim.scenario.value_or(device::sim::Scenario{}).name, "training");
  EXPECT_EQ(settings->sim.frozen_at, base::WallTime{std::chrono::milliseconds{1'767'225'600'500}});
}

TEST(AgentSettings, ReplayWhereARecordingIsNamed) {
  const auto settings =
      load_agent({{"replay", "/r"}, {"replay-speed", "2.5"}, {"replay-loop", "on"}});
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->method, "replay");
  const auto replay_of = [](const AgentSettings& of) {
    return of.replay.value_or(device::replay::Options{});
  };
  const device::replay::Options replay = replay_of(*settings);
  EXPECT_EQ(replay.path, "/r");
  EXPECT_EQ(replay.speed, 2.5);
  EXPECT_TRUE(replay.loop);
  EXPECT_FALSE(replay.from_end);
  EXPECT_EQ(replay_of(*load_agent({{"replay", "/r"}, {"replay-speed", "max"}})).speed,
            std::nullopt);
  EXPECT_EQ(replay_of(*load_agent({{"replay", "/r"}})).speed, 1.0);
  EXPECT_EQ(load_agent({{"replay", "/r"}, {"method", "sim"}})->method, "sim");
  EXPECT_EQ(load_agent({{"method", "replay"}}).error().message,
            "cannot replay GPUs: no recording is named; give --replay FILE");
  EXPECT_FALSE(load_agent({})->replay);
  EXPECT_EQ(load_agent({{"record", "/w"}})->record, "/w");
  EXPECT_EQ(load_agent({{"stream-listeners", "7"}})->http.max_streams, 7U);
}

TEST(AgentSettings, RefuseWhatTheyCannotUse) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> wrong{
      {"method", {"", "magic", "NVML", "nvml "}},
      {"listen",
       {"", "9555", ":9555", "host:", "host:65536", "host:-1", "a b:1", "::1:80", "[]:80",
        "http://host:80", "host:80/"}},
      {"interval", {"", "99ms", "61s", "1h", "-1s", "1", "s", "nan"}},
      {"window", {"", "999ms", "11m", "30"}},
      {"hostname", {""}},
      {"dcgm-names", {"", "OLD", "all"}},
      {"dcgm-hostname-label", {"", "host"}},
      {"dcgm-counters", {""}},
      {"data-dir", {""}},
      {"history", {"", "yes", "1"}},
      {"history-keep", {"", "59m", "15", "forever", "-1d"}},
      {"history-keep-rollups", {"", "59m", "1y"}},
      {"history-size", {"", "15MiB", "2G", "1000000000", "-1GiB"}},
      {"log-level", {"", "loud", "warn"}},
      {"log-format", {"xml"}},
      {"gpm", {"", "yes", "ON", "1"}},
      {"record", {""}},
      {"replay", {""}},
      {"replay-speed", {"", "0", "-1", "0.0001", "100001", "1x", "MAX", "nan", "inf", "1e3"}},
      {"replay-loop", {"", "yes", "true"}},
      {"stream-listeners", {"", "-1", "100001", "1.5", "many"}},
      {"sim-gpus", {"", "0", "10001", "-3", "3.5", "three", "99999999999999999999"}},
      {"sim-seed", {"", "-1", "18446744073709551616", "0x1"}},
      {"sim-scenario", {"nonesuch"}},
      {"sim-time", {"", "noon", "2026-13-01T00:00:00Z", "nan"}},
  };
  for (const auto& [flag, values] : wrong) {
    for (const std::string& value : values) {
      EXPECT_THAT(why_not(flag, value), StartsWith("cannot use --" + flag + ": ")) << value;
    }
  }
}

TEST(AgentSettings, PutFlagsOverEnvironmentOverFile) {
  const std::string path = testing::TempDir() + "gpuscope-agent-settings.yaml";
  std::ofstream(path) << "method: sim\ninterval: 2s\nsim:\n  gpus: 5\n  seed: 9\n";
  const auto settings = load_agent_settings({{"sim-gpus", "7"}},
                                            environment({{"GPUSCOPE_CONFIG", path},
                                                         {"GPUSCOPE_INTERVAL", "3s"},
                                                         {"GPUSCOPE_SIM_GPUS", "6"},
                                                         {"XDG_STATE_HOME", "/state"}}),
                                            false);
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->method, "sim");
  EXPECT_EQ(settings->collect.interval, milliseconds{3000});
  EXPECT_EQ(settings->sim.gpus, 7);
  EXPECT_EQ(settings->sim.seed, 9U);
  EXPECT_EQ(settings->data_dir, "/state/gpuscope");
}

TEST(AgentSettings, TellEveryMistakeOfTheirFile) {
  const std::string path = testing::TempDir() + "gpuscope-wrong-settings.yaml";
  std::ofstream(path) << "methode: sim\ninterval: 5ms\n";
  const auto settings = load_agent({{"config", path}, {"interval", "1s"}});
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().message,
            "cannot use the settings in " + path + ":\n  " + path +
                ":1: methode: there is no such setting; did you mean 'method'?\n  " + path +
                ":2: interval: '5ms' is not a duration from 100ms to 60s, such as 1s");
}

TEST(AgentSettings, NameTheVariableThatIsWrong) {
  const auto options = load_device_settings({}, environment({{"GPUSCOPE_SIM_GPUS", "0"}}));
  ASSERT_FALSE(options);
  EXPECT_EQ(options.error().message,
            "cannot use GPUSCOPE_SIM_GPUS: '0' is not a whole number from 1 to 10000");
}

TEST(AgentSettings, RememberWhatIsReadAndNotWhatIsReplayed) {
  EXPECT_TRUE(load_agent({{"history", "true"}})->history.enabled);
  EXPECT_FALSE(load_agent({{"history", "false"}})->history.enabled);
  EXPECT_FALSE(load_agent({{"replay", "/r"}})->history.enabled);
  EXPECT_TRUE(load_agent({{"replay", "/r"}, {"history", "on"}})->history.enabled);
  EXPECT_TRUE(load_agent({{"replay", "/r"}, {"method", "sim"}})->history.enabled);
}

TEST(AgentSettings, GoOnWithoutAPlaceForData) {
  const auto settings = load_agent_settings(
      {}, Environment([](const std::string&) { return std::optional<std::string>{}; }), false);
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->data_dir, "");
  EXPECT_THAT(settings->data_dir_trouble, HasSubstr("--data-dir"));
}

TEST(DataDir, FollowsWhoeverRunsTheAgent) {
  EXPECT_EQ(*default_data_dir(environment(), true), "/var/lib/gpuscope");
  EXPECT_EQ(*default_data_dir(environment({{"XDG_STATE_HOME", "relative"}, {"HOME", "/h"}}), false),
            "/h/.local/state/gpuscope");
  EXPECT_THAT(default_data_dir(environment({}), false).error().message, HasSubstr("--data-dir"));
}

TEST(SettingsTable, IsConsistent) {
  std::set<std::string_view> seen;
  std::set<std::string_view> of_analysis;
  for (const Setting& row : analysis_settings_table()) of_analysis.insert(row.flag);
  for (const Setting& row : advise_settings_table()) of_analysis.insert(row.flag);
  for (const Setting& row : agent_settings_table()) {
    EXPECT_TRUE(seen.insert(row.flag).second) << row.flag;
    std::string variable = "GPUSCOPE_" + std::string(row.flag);
    for (char& c : variable) c = c == '-' ? '_' : static_cast<char>(std::toupper(c));
    // Those of mail and of the analysis have the names that others gave them long ago.
    const bool is_old = row.env.starts_with("SMTP_") || row.env.starts_with("EMAIL_TO") ||
                        of_analysis.contains(row.flag);
    EXPECT_TRUE(is_old || row.env == variable) << row.env;
    EXPECT_FALSE(row.takes.empty() || row.help.empty() || row.argument.empty());
  }
  EXPECT_EQ(device_settings_table().front().flag, "replay");
  for (const Setting& row : device_settings_table().last(4)) {
    EXPECT_THAT(row.flag, StartsWith("sim-"));
  }
}

TEST(SettingsTable, StandsInTheDocumentation) {
  std::ifstream file(GPUSCOPE_SOURCE_DIR "/docs/configuration.md");
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_THAT(text.str(), HasSubstr(settings_markdown(agent_settings_table())))
      << "docs/configuration.md is behind the table:\n"
      << settings_markdown(agent_settings_table());
}

}  // namespace
}  // namespace gpuscope::config
