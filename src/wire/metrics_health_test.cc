#include "wire/metrics_health.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace gpuscope::wire {
namespace {

using model::Health;
using model::Metric;
using model::Reading;
using model::RuleSet;

// "MEM 20 DCGM_FR_…", one line per watch that somebody has judged.
std::string summary(const WatchResults& results) {
  std::string text;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (!results[i].judged()) continue;
    text.append(health_watch_names()[i]).append(" ");
    text.append(std::to_string(results[i].value)).append(" ").append(results[i].code).append("\n");
  }
  return text;
}

// Those of them that do not pass.
std::string failures(const WatchResults& results) {
  WatchResults kept = results;
  for (WatchResult& result : kept) {
    if (result.value == 0) result.code = {};
  }
  return summary(kept);
}

model::Verdict verdict_with(Health overall, std::string_view rule = {},
                            std::string_view component = "Device") {
  model::Verdict verdict;
  verdict.overall = overall;
  verdict.gpu = overall;
  verdict.temperature = "Normal";
  if (!rule.empty()) {
    verdict.add({.rule = rule,
                 .component = component,
                 .severity = overall,
                 .reason = {},
                 .action = {},
                 .metric = Metric::kPower,
                 .value = {},
                 .limit = {}});
  }
  return verdict;
}

model::DeviceSample device_saying(Health health, std::string text) {
  model::DeviceSample device;
  device.source_verdict = {health, std::move(text)};
  return device;
}

std::string failures_of(Health health, std::string text) {
  return failures(watch_results(RuleSet::kHardware, device_saying(health, std::move(text)), {}));
}

TEST(HealthWatches, NobodyHasJudgedAGpuWithoutAVerdict) {
  model::DeviceSample device;
  device.at(Metric::kRecoveryAction) = Reading::of(0);
  EXPECT_EQ(summary(watch_results(RuleSet::kHardware, device, {})), "");
  device.source_verdict = {Health::kUnknown, "dcgmi does not know this GPU"};
  EXPECT_EQ(summary(watch_results(RuleSet::kHardware, device, {})), "");
}

TEST(HealthWatches, OursPassWhereTheyHadSomethingToLookAt) {
  model::DeviceSample device;
  const model::Verdict healthy = verdict_with(Health::kHealthy);
  EXPECT_EQ(summary(watch_results(RuleSet::kHardware, device, healthy)),
            "THERMAL 0 DCGM_FR_OK\nALL 0 DCGM_FR_OK\n");
  device.at(Metric::kEccUncorrectedVolatile) = Reading::of(0);
  device.at(Metric::kClockEventHwPowerBrake) = Reading::of(0);
  device.at(Metric::kRecoveryAction) = Reading::of(0);
  EXPECT_EQ(summary(watch_results(RuleSet::kHardware, device, healthy)),
            "MEM 0 DCGM_FR_OK\nTHERMAL 0 DCGM_FR_OK\nPOWER 0 DCGM_FR_OK\nDRIVER 0 DCGM_FR_OK\n"
            "ALL 0 DCGM_FR_OK\n");
  device.at(Metric::kPcieReplays) = Reading::of(7);
  device.at(Metric::kNvlinkActiveLinks) = Reading::of(4);
  EXPECT_EQ(summary(watch_results(RuleSet::kHardware, device, healthy)),
            "PCIE 0 DCGM_FR_OK\nNVLINK 0 DCGM_FR_OK\nMEM 0 DCGM_FR_OK\nTHERMAL 0 DCGM_FR_OK\n"
            "POWER 0 DCGM_FR_OK\nDRIVER 0 DCGM_FR_OK\nALL 0 DCGM_FR_OK\n");
  // The rules of the default simulated GPUs look at temperature and load alone.
  EXPECT_EQ(summary(watch_results(RuleSet::kSimulatedDefault, device, healthy)),
            "THERMAL 0 DCGM_FR_OK\nALL 0 DCGM_FR_OK\n");
  model::Verdict no_temperature = healthy;
  no_temperature.temperature = {};
  EXPECT_EQ(summary(watch_results(RuleSet::kSimulatedDefault, device, no_temperature)),
            "ALL 0 DCGM_FR_OK\n");
}

TEST(HealthWatches, AFindingFailsItsWatch) {
  struct Case {
    std::string_view rule;
    std::string_view component;
    Health severity;
    std::string_view want;
  };
  for (const Case& each : {
           Case{"gpu_lost", "Device", Health::kCritical, "ALL 20 DCGM_FR_FALLEN_OFF_BUS\n"},
           {"ecc_uncorrected", "Memory", Health::kCritical,
            "MEM 20 DCGM_FR_VOLATILE_DBE_DETECTED\n"},
           {"row_remap_pending", "Memory", Health::kWarning, "MEM 10 DCGM_FR_PENDING_ROW_REMAP\n"},
           {"hw_power_brake", "Power", Health::kWarning, "POWER 10 DCGM_FR_CLOCK_THROTTLE_POWER\n"},
           {"recovery_reset", "Device", Health::kCritical,
            "DRIVER 20 DCGM_FR_GPU_RECOVERY_RESET\n"},
           {"temperature_high", "Temperature", Health::kWarning,
            "THERMAL 10 DCGM_FR_TEMP_VIOLATION\n"},
           {"nvlink_down", "Links", Health::kCritical, "NVLINK 20 DCGM_FR_NVLINK_DOWN\n"},
           {"pcie_replays", "Links", Health::kWarning, "PCIE 10 DCGM_FR_PCI_REPLAY_RATE\n"},
           {"pcie_width_degraded", "Links", Health::kWarning, "PCIE 10 DCGM_FR_PCIE_WIDTH\n"},
           {"xid_reset", "Device", Health::kCritical, "ALL 20 DCGM_FR_XID_ERROR\n"},
           // Less than DCGM warns of.
           {"sw_thermal_slowdown", "Temperature", Health::kCaution, ""},
           // Load is no matter of health there.
           {"utilization_high", "Utilization", Health::kWarning, ""},
           // A rule to come falls under its component.
           {"new_rule", "Memory", Health::kCritical, "MEM 20 DCGM_FR_UNKNOWN\n"},
           {"new_rule", "Power", Health::kWarning, "POWER 10 DCGM_FR_UNKNOWN\n"},
           {"new_rule", "Fabric", Health::kWarning, "ALL 10 DCGM_FR_UNKNOWN\n"},
       }) {
    const auto results = watch_results(RuleSet::kHardware, {},
                                       verdict_with(each.severity, each.rule, each.component));
    EXPECT_EQ(failures(results), each.want) << each.rule;
  }
}

TEST(HealthWatches, ASourcesVerdictIsOfEveryWatch) {
  const model::DeviceSample healthy = device_saying(Health::kHealthy, "");
  const WatchResults results = watch_results(RuleSet::kHardware, healthy, {});
  EXPECT_EQ(summary(results),
            "PCIE 0 DCGM_FR_OK\nNVLINK 0 DCGM_FR_OK\nPMU 0 DCGM_FR_OK\nMCU 0 DCGM_FR_OK\n"
            "MEM 0 DCGM_FR_OK\nSM 0 DCGM_FR_OK\nINFOROM 0 DCGM_FR_OK\nTHERMAL 0 DCGM_FR_OK\n"
            "POWER 0 DCGM_FR_OK\nDRIVER 0 DCGM_FR_OK\nALL 0 DCGM_FR_OK\n");
}

TEST(HealthWatches, ASourcesVerdictFailsTheSystemsThatItNames) {
  EXPECT_EQ(failures_of(Health::kWarning, "Power system: Detected clocks event in GPU 0."),
            "POWER 10 DCGM_FR_UNKNOWN\n");
  EXPECT_EQ(failures_of(Health::kCritical, "PCIe system: replays; NVLink system: a link is down"),
            "PCIE 20 DCGM_FR_UNKNOWN\nNVLINK 20 DCGM_FR_UNKNOWN\n");
  EXPECT_EQ(failures_of(Health::kCritical, "Driver: reset; Internal error: XID 79"),
            "DRIVER 20 DCGM_FR_UNKNOWN\nALL 20 DCGM_FR_UNKNOWN\n");
  // Named in a message is not named as a system.
  EXPECT_EQ(failures_of(Health::kWarning, "Thermal system: see the Power system: it is hot"),
            "THERMAL 10 DCGM_FR_UNKNOWN\n");
  // One that names none is not lost.
  EXPECT_EQ(failures_of(Health::kCritical, ""), "ALL 20 DCGM_FR_UNKNOWN\n");
}

TEST(HealthWatches, TheWorseOfBothCounts) {
  const model::Verdict reset = verdict_with(Health::kCritical, "recovery_reset");
  EXPECT_EQ(failures(watch_results(RuleSet::kHardware, device_saying(Health::kHealthy, ""), reset)),
            "DRIVER 20 DCGM_FR_GPU_RECOVERY_RESET\n");
  // As bad, and with a reason.
  EXPECT_EQ(failures(watch_results(RuleSet::kHardware,
                                   device_saying(Health::kCritical, "Driver: a reset"), reset)),
            "DRIVER 20 DCGM_FR_GPU_RECOVERY_RESET\n");
  EXPECT_EQ(failures(watch_results(RuleSet::kHardware,
                                   device_saying(Health::kCritical, "Power system: unreadable"),
                                   verdict_with(Health::kWarning, "hw_power_brake", "Power"))),
            "POWER 20 DCGM_FR_UNKNOWN\n");
}

}  // namespace
}  // namespace gpuscope::wire
