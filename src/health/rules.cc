#include "health/rules.h"

#include <algorithm>
#include <array>

#include "health/xid_action.h"

namespace gpuscope::health {
namespace {

using model::Health;
using model::Metric;
using enum Component;
using enum Test;
using enum Level;
using enum Raises;

// Readings are integers in their catalogue row's decimals.
constexpr Limit celsius(int degrees) { return {degrees * 10, {}}; }
constexpr Limit percent(int share) { return {share * 100, {}}; }
constexpr Limit count(int n) { return {n, {}}; }
constexpr Limit card(Metric metric) { return {0, metric}; }
constexpr Limit none() { return {}; }

// A rule about XIDs that ask for one action.
constexpr Rule of_xids(std::string_view id, XidAction action, Health severity, Component component,
                       std::string_view reason, std::string_view cure) {
  Rule rule{id,
            component,
            Metric::kXidLast,
            kEquals,
            count(static_cast<int>(action)),
            severity,
            kUsual,
            severity == Health::kCaution ? kGpuAlone : kGpuAndOverall,
            reason,
            cure};
  rule.lately = Lately::kXid;
  return rule;
}
constexpr Rule lately(Rule rule, Lately what) {
  rule.lately = what;
  return rule;
}
constexpr Rule under_load(Rule rule) {
  rule.under_load = true;
  return rule;
}

// Shared by both sets. How full memory is says something about the load and nothing about health.
constexpr Rule kLost{
    "gpu_lost",
    kDevice,
    Metric::kTemperature,
    kIsGone,
    none(),
    Health::kCritical,
    kUsual,
    kGpuAndOverall,
    "GPU is lost: the driver no longer reaches it",
    "stop its jobs, look for XID 79 in the kernel log, restart the machine; if it comes back, have "
    "card, slot and power cables inspected"};
constexpr Rule kSilent{
    "gpu_does_not_answer",
    kDevice,
    Metric::kTemperature,
    kIsTimedOut,
    none(),
    Health::kUnknown,
    kUsual,
    kGpuAndOverall,
    "GPU does not answer before its deadline",
    "look for XID messages in the kernel log; if it lasts, drain the machine and restart it"};
constexpr Rule kMemoryStressed{"memory_usage_stressed",
                               kMemory,
                               Metric::kMemoryUsagePercent,
                               kOver,
                               percent(95),
                               Health::kHealthy,
                               kHigh,
                               kGpuAlone,
                               "memory usage is over 95 %",
                               ""};
constexpr Rule kMemoryHeavy{"memory_usage_heavy",
                            kMemory,
                            Metric::kMemoryUsagePercent,
                            kOver,
                            percent(85),
                            Health::kHealthy,
                            kRaised,
                            kGpuAlone,
                            "memory usage is over 85 %",
                            ""};

// The thresholds that the three default simulated GPUs are known for: existing dashboards and tests
// rely on them.
constexpr std::array kSimulatedDefault{
    kLost,
    Rule{"temperature_high", kTemperature, Metric::kTemperature, kOver, celsius(80),
         Health::kWarning, kHigh, kGpuAndOverall, "temperature is over 80 °C",
         "check cooling and load"},
    Rule{"utilization_high", kUtilization, Metric::kGpuUtilization, kOver, percent(95),
         Health::kWarning, kHigh, kGpuAndOverall, "utilization is over 95 %", "check the load"},
    Rule{"temperature_elevated", kTemperature, Metric::kTemperature, kOver, celsius(70),
         Health::kCaution, kRaised, kGpuAlone, "temperature is over 70 °C",
         "watch cooling and load"},
    Rule{"utilization_elevated", kUtilization, Metric::kGpuUtilization, kOver, percent(85),
         Health::kCaution, kRaised, kGpuAlone, "utilization is over 85 %", "watch the load"},
    kSilent,
    kMemoryStressed,
    kMemoryHeavy,
};

// Real cards. Severities follow DCGM's health watches where it has the rule (its FAIL is critical
// here, its WARN a warning) and gpud's components else (its Degraded is a caution here).
constexpr std::array kHardware{
    kLost,
    // NVML: GPU_THRESHOLD_SHUTDOWN, where the card switches itself off.
    Rule{"temperature_shutdown", kTemperature, Metric::kTemperature, kAtLeast,
         card(Metric::kTemperatureShutdown), Health::kCritical, kHigh, kGpuAndOverall,
         "temperature has reached the card's shutdown limit",
         "stop the load now; check fans, airflow and inlet temperature"},
    // DCGM memory watch: volatile double-bit errors > 0 fail.
    Rule{"ecc_uncorrected", kMemory, Metric::kEccUncorrectedVolatile, kOver, count(0),
         Health::kCritical, kHigh, kGpuAndOverall,
         "memory errors that ECC could not correct since the driver was loaded",
         "drain the GPU and reset it; results computed meanwhile may be wrong"},
    // DCGM memory watch: row remap failure fails; gpud: hardware inspection.
    Rule{"row_remap_failure", kMemory, Metric::kRemappedRowsFailure, kIsSet, none(),
         Health::kCritical, kHigh, kGpuAndOverall, "a broken memory row could not be replaced",
         "take the GPU out of use and have it replaced (RMA)"},
    // DCGM memory watch: 63 retired pages or more fail; the table in the card holds 64.
    Rule{"retired_pages_limit", kMemory, Metric::kRetiredPagesDoubleBit, kAtLeast, count(63),
         Health::kCritical, kHigh, kGpuAndOverall,
         "the card has no room to retire more memory pages",
         "take the GPU out of use and have it replaced (RMA)", Metric::kRetiredPagesSingleBit},
    // nvmlDeviceGpuRecoveryAction_t, driver 570 on; severities as DCGM's.
    Rule{"recovery_reset", kDevice, Metric::kRecoveryAction, kEquals, count(1), Health::kCritical,
         kUsual, kGpuAndOverall, "the driver asks for a reset of this GPU",
         "drain the GPU and reset it: nvidia-smi --gpu-reset"},
    Rule{"recovery_reboot", kDevice, Metric::kRecoveryAction, kEquals, count(2), Health::kCritical,
         kUsual, kGpuAndOverall, "the driver asks for a restart of the machine",
         "drain the machine and restart it"},
    Rule{"recovery_drain_and_reset", kDevice, Metric::kRecoveryAction, kEquals, count(4),
         Health::kCritical, kUsual, kGpuAndOverall,
         "the driver asks to drain this GPU and then reset it",
         "let no new job start on it, wait for the running ones, then nvidia-smi --gpu-reset"},
    // NVIDIA's XID catalogue, by the action that it asks for at once.
    of_xids("xid_restart_machine", XidAction::kRestartMachine, Health::kCritical, kDevice,
            "the driver reported that the GPU has fallen off the bus",
            "stop its jobs and restart the machine; if it comes back, have card, slot and power "
            "cables inspected"),
    of_xids(
        "xid_reset", XidAction::kResetGpu, Health::kCritical, kDevice,
        "the driver reported an error after which the GPU has to be reset",
        "drain the GPU and reset it: nvidia-smi --gpu-reset; restart the machine if that fails"),
    of_xids("xid_nvlink", XidAction::kCheckNvlink, Health::kCritical, kLinks,
            "the driver reported an NVLink error",
            "drain the GPU and reset it; if it comes back, have links and switches inspected"),
    // DCGM NVLink watch: a link that is down fails. A link that never was up is not wired.
    lately({"nvlink_down", kLinks, Metric::kNvlinkActiveLinks, kUnder, none(), Health::kCritical,
            kUsual, kGpuAndOverall, "NVLinks that were up are down",
            "look for XID 74 or 144 to 150 in the kernel log; drain the GPU and reset it"},
           Lately::kLinksOnceUp),

    // NVML: GPU_THRESHOLD_SLOWDOWN, where the hardware halves the clocks.
    Rule{"temperature_slowdown", kTemperature, Metric::kTemperature, kAtLeast,
         card(Metric::kTemperatureSlowdown), Health::kWarning, kHigh, kGpuAndOverall,
         "temperature has reached the card's slowdown limit",
         "check fans, airflow and inlet temperature"},
    // NVML: T.Limit counts down to 0, where throttling begins.
    Rule{"temperature_margin", kTemperature, Metric::kTemperatureMargin, kAtMost, celsius(0),
         Health::kWarning, kHigh, kGpuAndOverall,
         "no thermal margin is left: the GPU throttles (T.Limit)",
         "check fans, airflow and inlet temperature"},
    // NVML clock event reasons; gpud: hw-slowdown.
    Rule{"hw_thermal_slowdown", kTemperature, Metric::kClockEventHwThermalSlowdown, kIsSet, none(),
         Health::kWarning, kHigh, kGpuAndOverall, "the hardware slows down because it is too hot",
         "check fans, airflow and inlet temperature"},
    Rule{"hw_power_brake", kPower, Metric::kClockEventHwPowerBrake, kIsSet, none(),
         Health::kWarning, kUsual, kGpuAndOverall,
         "the machine's power supply slows the GPU down (power brake)",
         "check power supplies and the power budget of chassis and rack"},
    // DCGM memory watch: 512 uncorrectable remaps warn (the most a card has rows for).
    Rule{"remapped_rows_limit", kMemory, Metric::kRemappedRowsUncorrectable, kAtLeast, count(512),
         Health::kWarning, kHigh, kGpuAndOverall, "the card has replaced as many rows as it can",
         "plan for its replacement"},
    // DCGM memory watch: pending remaps and retirements warn; gpud: reboot.
    Rule{"row_remap_pending", kMemory, Metric::kRemappedRowsPending, kIsSet, none(),
         Health::kWarning, kRaised, kGpuAndOverall, "a broken memory row waits to be replaced",
         "drain the GPU and reset it"},
    Rule{"page_retirement_pending", kMemory, Metric::kRetiredPagesPending, kIsSet, none(),
         Health::kWarning, kRaised, kGpuAndOverall, "a broken memory page waits to be retired",
         "drain the GPU and reset it, or restart the machine"},
    Rule{"recovery_drain_peer", kDevice, Metric::kRecoveryAction, kEquals, count(3),
         Health::kWarning, kUsual, kGpuAndOverall,
         "the driver asks to drain peer-to-peer traffic of this GPU",
         "let no new job that spans GPUs start on it, and wait for the running ones"},
    // A value that no driver had when this was written.
    Rule{"recovery_other", kDevice, Metric::kRecoveryAction, kOver, count(4), Health::kWarning,
         kUsual, kGpuAndOverall, "the driver asks for a recovery action that is not known here",
         "see `nvidia-smi -q`, GPU Recovery Action"},
    of_xids("xid_power_cable", XidAction::kCheckCables, Health::kWarning, kPower,
            "the driver reported that auxiliary power is not connected",
            "check the card's power cables"),
    of_xids("xid_update", XidAction::kUpdate, Health::kWarning, kDevice,
            "the driver reported that its software does not fit the card",
            "update the driver and the card's firmware"),
    of_xids("xid_support", XidAction::kSupport, Health::kWarning, kDevice,
            "the driver reported an error for which NVIDIA's catalogue names its support",
            "keep the log (nvidia-bug-report.sh) and ask NVIDIA's support"),
    // NVML's maximum is what card and slot both have, so anything less is a fault of one of them.
    under_load({"pcie_width_degraded", kLinks, Metric::kPcieWidth, kUnder,
                card(Metric::kPcieWidthMax), Health::kWarning, kUsual, kGpuAndOverall,
                "the GPU works over fewer PCIe lanes than card and slot have",
                "reseat the card; if it stays, try another slot, then another riser or card"}),
    // DCGM PCIe watch: a rate of replays per lane, by generation, warns.
    lately({"pcie_replays", kLinks, Metric::kPcieReplays, kOver, none(), Health::kWarning, kUsual,
            kGpuAndOverall, "PCIe transfers are repeated more often than a sound link needs",
            "reseat the card and check risers and cables"},
           Lately::kReplayGrowth),

    // NVML: GPU_THRESHOLD_GPU_MAX and _MEM_MAX, where software throttling begins; gpud: Degraded.
    Rule{"temperature_max", kTemperature, Metric::kTemperature, kOver,
         card(Metric::kTemperatureMax), Health::kCaution, kRaised, kGpuAndOverall,
         "temperature is over the card's maximum operating temperature",
         "check fans, airflow and inlet temperature"},
    Rule{"memory_temperature_max", kTemperature, Metric::kMemoryTemperature, kOver,
         card(Metric::kMemoryTemperatureMax), Health::kCaution, kRaised, kGpuAndOverall,
         "memory is over its maximum operating temperature",
         "check fans, airflow and inlet temperature"},
    Rule{"sw_thermal_slowdown", kTemperature, Metric::kClockEventSwThermalSlowdown, kIsSet, none(),
         Health::kCaution, kRaised, kGpuAndOverall,
         "the driver slows the GPU down to keep it within its operating temperature",
         "check fans, airflow and inlet temperature"},
    // Also set together with the two above it; alone where a card does not give them.
    Rule{"hw_slowdown", kClocks, Metric::kClockEventHwSlowdown, kIsSet, none(), Health::kCaution,
         kUsual, kGpuAndOverall,
         "the hardware slows the GPU down: temperature, power brake or a power spike",
         "check cooling and power supply"},
    // NVIDIA's memory error management: a bank without spare rows fails at its next bad row.
    Rule{"spare_rows_used_up", kMemory, Metric::kRemapBanksNone, kOver, count(0), Health::kCaution,
         kRaised, kGpuAndOverall, "a memory bank has no spare rows left",
         "plan for the card's replacement"},
    under_load({"pcie_generation_degraded", kLinks, Metric::kPcieGeneration, kUnder,
                card(Metric::kPcieGenerationMax), Health::kCaution, kUsual, kGpuAndOverall,
                "the GPU works over an older PCIe generation than card and slot have",
                "check the slot's settings in the firmware, then reseat the card"}),
    // For whoever runs the job; operators have nothing to do.
    of_xids("xid_application", XidAction::kRestartApp, Health::kCaution, kDevice,
            "a job on the GPU failed in a way that is usually its own fault",
            "look at the job; if it happens to different jobs on this GPU, run a diagnosis"),
    kSilent,
    kMemoryStressed,
    kMemoryHeavy,
};

constexpr int rank(Health health) {
  switch (health) {
    case Health::kHealthy:
      return 0;
    case Health::kUnknown:
      return 1;
    case Health::kCaution:
      return 2;
    case Health::kWarning:
      return 3;
    case Health::kCritical:
      return 4;
  }
  return 1;
}

constexpr bool worst_first(std::span<const Rule> rules) {
  return std::ranges::is_sorted(
      rules, [](const Rule& a, const Rule& b) { return rank(a.severity) > rank(b.severity); });
}
static_assert(worst_first(kSimulatedDefault));
static_assert(worst_first(kHardware));

}  // namespace

std::string_view component_name(Component component) {
  switch (component) {
    case kDevice:
      return "Device";
    case kTemperature:
      return "Temperature";
    case kMemory:
      return "Memory";
    case kUtilization:
      return "Utilization";
    case kPower:
      return "Power";
    case kClocks:
      return "Clocks";
    case kLinks:
      return "Links";
  }
  return "Device";
}

std::span<const Rule> rules_of(model::RuleSet set) {
  switch (set) {
    case model::RuleSet::kSimulatedDefault:
      return kSimulatedDefault;
    case model::RuleSet::kHardware:
      return kHardware;
  }
  return kHardware;
}

int severity_rank(model::Health health) { return rank(health); }

}  // namespace gpuscope::health
