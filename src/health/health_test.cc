#include "health/health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "health/rules.h"

namespace gpuscope::health {
namespace {

using model::Absence;
using model::DeviceSample;
using model::Health;
using model::Metric;
using model::Reading;
using model::RuleSet;
using testing::ElementsAre;

// Values in the units that people use; the catalogue says how they are stored.
using Values = std::vector<std::pair<Metric, double>>;

DeviceSample sample(const Values& values) {
  DeviceSample out;
  out.mark_absent(Absence::kUnsupported, false);
  for (const auto& [metric, value] : values) {
    out.at(metric) =
        Reading::of(std::llround(value * std::pow(10.0, model::info(metric).decimals)));
  }
  return out;
}

std::vector<std::string> rules(const model::Verdict& verdict) {
  std::vector<std::string> out;
  for (const auto& finding : verdict.findings()) out.emplace_back(finding.rule);
  return out;
}

struct SimulatedCase {
  double temperature, utilization, memory;
  Health gpu, overall;
  std::string_view temperature_word, memory_word;
};

class SimulatedDefault : public testing::TestWithParam<SimulatedCase> {};

TEST_P(SimulatedDefault, JudgesByTheFixedThresholds) {
  const auto& c = GetParam();
  const auto verdict =
      judge(RuleSet::kSimulatedDefault, sample({{Metric::kTemperature, c.temperature},
                                                {Metric::kGpuUtilization, c.utilization},
                                                {Metric::kMemoryUsagePercent, c.memory}}));
  EXPECT_EQ(verdict.gpu, c.gpu);
  EXPECT_EQ(verdict.overall, c.overall);
  EXPECT_EQ(verdict.temperature, c.temperature_word);
  EXPECT_EQ(verdict.memory, c.memory_word);
}

INSTANTIATE_TEST_SUITE_P(
    Thresholds, SimulatedDefault,
    testing::Values(
        SimulatedCase{45, 30, 12.5, Health::kHealthy, Health::kHealthy, "Normal", "Stable"},
        SimulatedCase{70, 85, 85, Health::kHealthy, Health::kHealthy, "Normal", "Stable"},
        SimulatedCase{70.1, 85, 85.01, Health::kCaution, Health::kHealthy, "Elevated", "Heavy"},
        SimulatedCase{80, 0, 95, Health::kCaution, Health::kHealthy, "Elevated", "Heavy"},
        SimulatedCase{80.1, 0, 95.01, Health::kWarning, Health::kWarning, "High", "Stressed"},
        SimulatedCase{20, 85.01, 0, Health::kCaution, Health::kHealthy, "Normal", "Stable"},
        SimulatedCase{20, 95, 0, Health::kCaution, Health::kHealthy, "Normal", "Stable"},
        SimulatedCase{20, 95.01, 0, Health::kWarning, Health::kWarning, "Normal", "Stable"},
        SimulatedCase{75, 100, 100, Health::kWarning, Health::kWarning, "Elevated", "Stressed"},
        SimulatedCase{20, 0, 100, Health::kHealthy, Health::kHealthy, "Normal", "Stressed"}));

// A healthy card that gives everything the hardware rules ask for.
const Values kCard{{Metric::kTemperature, 60},
                   {Metric::kTemperatureMax, 87},
                   {Metric::kTemperatureSlowdown, 92},
                   {Metric::kTemperatureShutdown, 95},
                   {Metric::kTemperatureMargin, 27},
                   {Metric::kMemoryTemperature, 70},
                   {Metric::kMemoryTemperatureMax, 95},
                   {Metric::kMemoryUsagePercent, 40},
                   {Metric::kGpuUtilization, 100},
                   {Metric::kEccUncorrectedVolatile, 0},
                   {Metric::kRemappedRowsFailure, 0},
                   {Metric::kRemappedRowsPending, 0},
                   {Metric::kRemappedRowsUncorrectable, 0},
                   {Metric::kRemapBanksNone, 0},
                   {Metric::kRetiredPagesSingleBit, 0},
                   {Metric::kRetiredPagesDoubleBit, 0},
                   {Metric::kRetiredPagesPending, 0},
                   {Metric::kRecoveryAction, 0},
                   {Metric::kClockEventHwSlowdown, 0},
                   {Metric::kClockEventHwThermalSlowdown, 0},
                   {Metric::kClockEventSwThermalSlowdown, 0},
                   {Metric::kClockEventHwPowerBrake, 0}};

DeviceSample card_with(const Values& changes) {
  Values values = kCard;
  values.insert(values.end(), changes.begin(), changes.end());
  return sample(values);
}

TEST(Hardware, AWellCardIsHealthy) {
  const auto verdict = judge(RuleSet::kHardware, card_with({}));
  EXPECT_EQ(verdict.overall, Health::kHealthy);
  EXPECT_EQ(verdict.gpu, Health::kHealthy);
  EXPECT_EQ(verdict.temperature, "Normal");
  EXPECT_EQ(verdict.memory, "Stable");
  EXPECT_TRUE(verdict.findings().empty());
}

struct HardwareCase {
  std::string_view rule;
  Values changes;
  Health health;
  std::string_view temperature_word, memory_word;
};

class Hardware : public testing::TestWithParam<HardwareCase> {};

TEST_P(Hardware, OneFaultIsOneFinding) {
  const auto& c = GetParam();
  const auto verdict = judge(RuleSet::kHardware, card_with(c.changes));
  EXPECT_THAT(rules(verdict), ElementsAre(c.rule));
  EXPECT_EQ(verdict.overall, c.health);
  EXPECT_EQ(verdict.gpu, c.health);
  EXPECT_EQ(verdict.temperature, c.temperature_word);
  EXPECT_EQ(verdict.memory, c.memory_word);
}

const std::vector<HardwareCase> kFaults{
    {"temperature_shutdown", {{Metric::kTemperature, 95}}, Health::kCritical, "High", "Stable"},
    {"temperature_slowdown", {{Metric::kTemperature, 92}}, Health::kWarning, "High", "Stable"},
    {"temperature_max", {{Metric::kTemperature, 87.1}}, Health::kCaution, "Elevated", "Stable"},
    {"temperature_margin", {{Metric::kTemperatureMargin, 0}}, Health::kWarning, "High", "Stable"},
    {"memory_temperature_max",
     {{Metric::kMemoryTemperature, 96}},
     Health::kCaution,
     "Elevated",
     "Stable"},
    {"hw_thermal_slowdown",
     {{Metric::kClockEventHwThermalSlowdown, 1}},
     Health::kWarning,
     "High",
     "Stable"},
    {"sw_thermal_slowdown",
     {{Metric::kClockEventSwThermalSlowdown, 1}},
     Health::kCaution,
     "Elevated",
     "Stable"},
    {"hw_slowdown", {{Metric::kClockEventHwSlowdown, 1}}, Health::kCaution, "Normal", "Stable"},
    {"hw_power_brake",
     {{Metric::kClockEventHwPowerBrake, 1}},
     Health::kWarning,
     "Normal",
     "Stable"},
    {"ecc_uncorrected",
     {{Metric::kEccUncorrectedVolatile, 1}},
     Health::kCritical,
     "Normal",
     "Stressed"},
    {"row_remap_failure",
     {{Metric::kRemappedRowsFailure, 1}},
     Health::kCritical,
     "Normal",
     "Stressed"},
    {"row_remap_pending", {{Metric::kRemappedRowsPending, 1}}, Health::kWarning, "Normal", "Heavy"},
    {"remapped_rows_limit",
     {{Metric::kRemappedRowsUncorrectable, 512}},
     Health::kWarning,
     "Normal",
     "Stressed"},
    {"spare_rows_used_up", {{Metric::kRemapBanksNone, 1}}, Health::kCaution, "Normal", "Heavy"},
    {"page_retirement_pending",
     {{Metric::kRetiredPagesPending, 1}},
     Health::kWarning,
     "Normal",
     "Heavy"},
    {"retired_pages_limit",
     {{Metric::kRetiredPagesSingleBit, 40}, {Metric::kRetiredPagesDoubleBit, 23}},
     Health::kCritical,
     "Normal",
     "Stressed"},
    {"recovery_reset", {{Metric::kRecoveryAction, 1}}, Health::kCritical, "Normal", "Stable"},
    {"recovery_reboot", {{Metric::kRecoveryAction, 2}}, Health::kCritical, "Normal", "Stable"},
    {"recovery_drain_peer", {{Metric::kRecoveryAction, 3}}, Health::kWarning, "Normal", "Stable"},
    {"recovery_drain_and_reset",
     {{Metric::kRecoveryAction, 4}},
     Health::kCritical,
     "Normal",
     "Stable"},
    {"recovery_other", {{Metric::kRecoveryAction, 9}}, Health::kWarning, "Normal", "Stable"}};

INSTANTIATE_TEST_SUITE_P(Rules, Hardware, testing::ValuesIn(kFaults),
                         [](const auto& i) { return std::string{i.param.rule}; });

// Of rules about what was seen lately: the test suite Lately, below.
const std::set<std::string_view> kOfLately{"xid_restart_machine",
                                           "xid_reset",
                                           "xid_nvlink",
                                           "xid_power_cable",
                                           "xid_update",
                                           "xid_support",
                                           "xid_application",
                                           "nvlink_down",
                                           "pcie_width_degraded",
                                           "pcie_replays",
                                           "pcie_generation_degraded"};

TEST(Rules, EveryHardwareRuleHasACase) {
  std::set<std::string_view> tested{"gpu_lost", "gpu_does_not_answer", "memory_usage_stressed",
                                    "memory_usage_heavy"};
  tested.insert(kOfLately.begin(), kOfLately.end());
  for (const auto& fault : kFaults) tested.insert(fault.rule);
  for (const Rule& rule : rules_of(RuleSet::kHardware)) {
    EXPECT_TRUE(tested.contains(rule.id)) << rule.id;
  }
}

TEST(Rules, LimitsAreInTheScaleOfTheirMetric) {
  for (const RuleSet set : {RuleSet::kHardware, RuleSet::kSimulatedDefault}) {
    for (const Rule& rule : rules_of(set)) {
      const auto& metric = model::info(rule.metric);
      SCOPED_TRACE(rule.id);
      EXPECT_FALSE(rule.reason.empty());
      EXPECT_EQ(metric.decimals, metric.unit == model::Unit::kCelsius   ? 1
                                 : metric.unit == model::Unit::kPercent ? 2
                                                                        : 0);
      if (rule.limit.of_card) {
        EXPECT_EQ(model::info(*rule.limit.of_card).decimals, metric.decimals);
      }
      EXPECT_EQ(rule.action.empty(), rule.severity == Health::kHealthy);
    }
  }
}

TEST(Hardware, MemoryThatIsFullIsNoFault) {
  const auto verdict = judge(RuleSet::kHardware, card_with({{Metric::kMemoryUsagePercent, 99}}));
  EXPECT_EQ(verdict.overall, Health::kHealthy);
  EXPECT_EQ(verdict.memory, "Stressed");
  EXPECT_TRUE(verdict.findings().empty());
}

TEST(Hardware, TheWorstOfSeveralWinsAndComesFirst) {
  const auto verdict = judge(RuleSet::kHardware, card_with({{Metric::kRemappedRowsPending, 1},
                                                            {Metric::kTemperature, 88},
                                                            {Metric::kRemappedRowsFailure, 1}}));
  EXPECT_EQ(verdict.overall, Health::kCritical);
  EXPECT_THAT(rules(verdict),
              ElementsAre("row_remap_failure", "row_remap_pending", "temperature_max"));
}

TEST(Hardware, AFindingCarriesItsEvidence) {
  const auto hot = judge(RuleSet::kHardware, card_with({{Metric::kTemperature, 93}}));
  ASSERT_EQ(hot.findings().size(), 1U);
  EXPECT_EQ(hot.findings()[0].metric, Metric::kTemperature);
  EXPECT_EQ(hot.findings()[0].value, Reading::of(930));
  EXPECT_EQ(hot.findings()[0].limit, Reading::of(920));
  EXPECT_EQ(hot.findings()[0].component, "Temperature");
  const auto braked = judge(RuleSet::kHardware, card_with({{Metric::kClockEventHwPowerBrake, 1}}));
  ASSERT_EQ(braked.findings().size(), 1U);
  EXPECT_EQ(braked.findings()[0].value, Reading::of(1));
  EXPECT_FALSE(braked.findings()[0].limit.present());
}

// Numbers by what NVIDIA's catalogue asks for at once, and for how long each counts.
TEST(Lately, XidsCountForAnHourAndAJobsForFiveMinutes) {
  struct Xid {
    std::uint64_t code;
    const char* rule;  // null: none
    std::chrono::seconds counts;
  };
  using std::chrono::hours;
  using std::chrono::minutes;
  constexpr base::WallTime kNow{hours{500'000}};
  for (const Xid& xid :
       {Xid{79, "xid_restart_machine", hours{1}}, Xid{48, "xid_reset", hours{1}},
        Xid{158, "xid_reset", hours{1}}, Xid{74, "xid_nvlink", hours{1}},
        Xid{149, "xid_nvlink", hours{1}}, Xid{54, "xid_power_cable", hours{1}},
        Xid{78, "xid_update", hours{1}}, Xid{12, "xid_support", hours{1}},
        Xid{100'000, "xid_support", hours{1}}, Xid{13, "xid_application", minutes{5}},
        Xid{94, "xid_application", minutes{5}}, Xid{63, nullptr, {}}, Xid{154, nullptr, {}},
        Xid{0, nullptr, {}}}) {
    SCOPED_TRACE(xid.code);
    model::GpuTrend trend;
    const auto fired = [&](base::WallTime last) {
      trend.xids = {{xid.code, 0, 1, last}};
      return rules(judge(RuleSet::kHardware, card_with({}), &trend, kNow));
    };
    if (xid.rule == nullptr) {
      EXPECT_TRUE(fired(kNow).empty());
      continue;
    }
    EXPECT_THAT(fired(kNow), ElementsAre(xid.rule));
    EXPECT_THAT(fired(kNow - xid.counts + std::chrono::seconds{1}), ElementsAre(xid.rule));
    EXPECT_TRUE(fired(kNow - xid.counts).empty());
    EXPECT_TRUE(fired({}).empty()) << "before the devices were opened anew";
    EXPECT_TRUE(rules(judge(RuleSet::kSimulatedDefault, card_with({}), &trend, kNow)).size() <= 1U);
  }
}

TEST(Lately, TheWorstOfSeveralXidsIsTheOneThatIsNamed) {
  constexpr base::WallTime kNow{std::chrono::hours{500'000}};
  model::GpuTrend trend;
  trend.xids = {{13, 1, 1, kNow},
                {62, 1, 1, kNow - std::chrono::minutes{9}},
                {119, 1, 1, kNow - std::chrono::minutes{2}}};
  const auto verdict = judge(RuleSet::kHardware, card_with({}), &trend, kNow);
  ASSERT_THAT(rules(verdict), ElementsAre("xid_reset"));
  EXPECT_EQ(verdict.findings()[0].value, Reading::of(119)) << "the last one that asks for it";
  EXPECT_EQ(verdict.overall, Health::kCritical);
}

TEST(Lately, LinksAreJudgedByWhatTheyOnceWere) {
  model::GpuTrend trend;
  trend.links_up_most = 12;
  const auto fired = [&](const Values& changes) {
    return rules(judge(RuleSet::kHardware, card_with(changes), &trend));
  };
  EXPECT_TRUE(fired({{Metric::kNvlinkActiveLinks, 12}}).empty());
  EXPECT_THAT(fired({{Metric::kNvlinkActiveLinks, 11}}), ElementsAre("nvlink_down"));
  // Third generation, eight lanes: 8 × 0.48 a minute, rounded up, over five minutes.
  const Values link{
      {Metric::kPcieGeneration, 3}, {Metric::kPcieWidth, 8}, {Metric::kPcieReplays, 9000}};
  trend.growth_recent = {20};
  EXPECT_TRUE(fired(link).empty());
  trend.growth_recent = {21};
  EXPECT_THAT(fired(link), ElementsAre("pcie_replays"));
  EXPECT_TRUE(fired({{Metric::kPcieReplays, 9000}}).empty()) << "a link that is not known";
  const Values narrow{{Metric::kPcieWidth, 8},
                      {Metric::kPcieWidthMax, 16},
                      {Metric::kPcieGeneration, 3},
                      {Metric::kPcieGenerationMax, 4}};
  EXPECT_TRUE(fired(narrow).empty()) << "at rest";
  trend.busy_for = std::chrono::minutes{2};
  EXPECT_THAT(fired(narrow), ElementsAre("pcie_width_degraded", "pcie_generation_degraded"));
}

TEST(Absent, NothingReadIsUnknown) {
  for (const RuleSet set : {RuleSet::kHardware, RuleSet::kSimulatedDefault}) {
    for (const Absence why :
         {Absence::kUnsupported, Absence::kDenied, Absence::kFailed, Absence::kNotYet}) {
      DeviceSample device;
      device.mark_absent(why, false);
      const auto verdict = judge(set, device);
      EXPECT_EQ(verdict.overall, Health::kUnknown);
      EXPECT_EQ(verdict.gpu, Health::kUnknown);
      EXPECT_EQ(verdict.temperature, "");
      EXPECT_EQ(verdict.memory, "");
      EXPECT_TRUE(verdict.findings().empty());
    }
  }
}

TEST(Absent, ALostGpuIsCritical) {
  for (const RuleSet set : {RuleSet::kHardware, RuleSet::kSimulatedDefault}) {
    DeviceSample device = card_with({});
    device.mark_absent(Absence::kGone, true);
    const auto verdict = judge(set, device);
    EXPECT_EQ(verdict.overall, Health::kCritical);
    EXPECT_EQ(verdict.gpu, Health::kCritical);
    EXPECT_THAT(rules(verdict), ElementsAre("gpu_lost"));
    EXPECT_EQ(verdict.temperature, "");
    EXPECT_EQ(verdict.memory, "");
  }
}

TEST(Absent, ASilentGpuIsUnknownAndSaysSo) {
  DeviceSample device = card_with({});
  device.mark_absent(Absence::kTimedOut, true);
  const auto verdict = judge(RuleSet::kHardware, device);
  EXPECT_EQ(verdict.overall, Health::kUnknown);
  EXPECT_EQ(verdict.gpu, Health::kUnknown);
  EXPECT_THAT(rules(verdict), ElementsAre("gpu_does_not_answer"));
}

TEST(Absent, ACardWithoutThermometerIsJudgedByTheRest) {
  DeviceSample device = card_with({});
  device.at(Metric::kTemperature) = Reading::none(Absence::kUnsupported);
  EXPECT_EQ(judge(RuleSet::kHardware, device).overall, Health::kHealthy);
}

TEST(Absent, ATemperatureThatFailedToReadLeavesItUnknownUnlessSomethingFires) {
  DeviceSample device = card_with({});
  device.at(Metric::kTemperature) = Reading::none(Absence::kFailed);
  EXPECT_EQ(judge(RuleSet::kHardware, device).overall, Health::kUnknown);
  device.at(Metric::kRemappedRowsPending) = Reading::of(1);
  EXPECT_EQ(judge(RuleSet::kHardware, device).overall, Health::kWarning);
}

TEST(Absent, TemperatureWithoutAnyLimitOfTheCardHasNoWord) {
  const auto verdict =
      judge(RuleSet::kHardware,
            sample({{Metric::kTemperature, 99}, {Metric::kEccUncorrectedVolatile, 0}}));
  EXPECT_EQ(verdict.temperature, "");
  EXPECT_EQ(verdict.overall, Health::kHealthy);
}

TEST(Absent, ALimitOfZeroIsNone) {
  const auto verdict =
      judge(RuleSet::kHardware,
            card_with({{Metric::kTemperatureShutdown, 0}, {Metric::kTemperatureSlowdown, 0}}));
  EXPECT_EQ(verdict.overall, Health::kHealthy);
}

}  // namespace
}  // namespace gpuscope::health
