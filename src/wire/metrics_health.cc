#include "wire/metrics_health.h"

#include <algorithm>
#include <optional>

namespace gpuscope::wire {
namespace {

using model::Finding;
using model::Health;
using model::Metric;

enum Watch : std::uint8_t {
  kPcie,
  kNvlink,
  kPmu,
  kMcu,
  kMem,
  kSm,
  kInforom,
  kThermal,
  kPower,
  kDriver,
  kAll
};

constexpr std::array<std::string_view, kHealthWatchCount> kNames{
    "PCIE", "NVLINK", "PMU", "MCU", "MEM", "SM", "INFOROM", "THERMAL", "POWER", "DRIVER", "ALL"};
// What dcgmi health calls them.
constexpr std::array<std::string_view, kHealthWatchCount> kSystems{
    "PCIe system",    "NVLink system",  "PMU system",   "MCU system", "Memory system", "SM system",
    "InfoROM system", "Thermal system", "Power system", "Driver",     "Internal error"};

constexpr std::string_view kOk = "DCGM_FR_OK";
constexpr std::string_view kUnknownCode = "DCGM_FR_UNKNOWN";
constexpr std::int64_t kWarn = 10;
constexpr std::int64_t kFail = 20;

struct OfRule {
  std::string_view rule;
  Watch watch;
  std::string_view code;
};

// Rules that DCGM has a code for.
constexpr std::array kRules{
    OfRule{"gpu_lost", kAll, "DCGM_FR_FALLEN_OFF_BUS"},
    OfRule{"ecc_uncorrected", kMem, "DCGM_FR_VOLATILE_DBE_DETECTED"},
    OfRule{"row_remap_failure", kMem, "DCGM_FR_ROW_REMAP_FAILURE"},
    OfRule{"retired_pages_limit", kMem, "DCGM_FR_RETIRED_PAGES_LIMIT"},
    OfRule{"remapped_rows_limit", kMem, "DCGM_FR_UNCORRECTABLE_ROW_REMAP"},
    OfRule{"row_remap_pending", kMem, "DCGM_FR_PENDING_ROW_REMAP"},
    OfRule{"page_retirement_pending", kMem, "DCGM_FR_PENDING_PAGE_RETIREMENTS"},
    OfRule{"temperature_shutdown", kThermal, "DCGM_FR_TEMP_VIOLATION"},
    OfRule{"temperature_slowdown", kThermal, "DCGM_FR_TEMP_VIOLATION"},
    OfRule{"temperature_high", kThermal, "DCGM_FR_TEMP_VIOLATION"},
    OfRule{"temperature_margin", kThermal, "DCGM_FR_CLOCK_THROTTLE_THERMAL"},
    OfRule{"hw_thermal_slowdown", kThermal, "DCGM_FR_CLOCK_THROTTLE_THERMAL"},
    OfRule{"hw_power_brake", kPower, "DCGM_FR_CLOCK_THROTTLE_POWER"},
    OfRule{"nvlink_down", kNvlink, "DCGM_FR_NVLINK_DOWN"},
    OfRule{"xid_nvlink", kNvlink, "DCGM_FR_XID_ERROR"},
    OfRule{"pcie_replays", kPcie, "DCGM_FR_PCI_REPLAY_RATE"},
    OfRule{"pcie_width_degraded", kPcie, "DCGM_FR_PCIE_WIDTH"},
    OfRule{"pcie_generation_degraded", kPcie, "DCGM_FR_PCIE_GENERATION"},
    OfRule{"xid_power_cable", kPower, "DCGM_FR_XID_ERROR"},
    OfRule{"xid_reset", kAll, "DCGM_FR_XID_ERROR"},
    OfRule{"xid_restart_machine", kAll, "DCGM_FR_FALLEN_OFF_BUS"},
    OfRule{"xid_update", kAll, "DCGM_FR_XID_ERROR"},
    OfRule{"xid_support", kAll, "DCGM_FR_XID_ERROR"},
    OfRule{"recovery_reset", kDriver, "DCGM_FR_GPU_RECOVERY_RESET"},
    OfRule{"recovery_reboot", kDriver, "DCGM_FR_GPU_RECOVERY_REBOOT"},
    OfRule{"recovery_drain_peer", kDriver, "DCGM_FR_GPU_RECOVERY_DRAIN_P2P"},
    OfRule{"recovery_drain_and_reset", kDriver, "DCGM_FR_GPU_RECOVERY_DRAIN_RESET"},
    OfRule{"recovery_other", kDriver, kUnknownCode},
};

struct Evidence {
  Watch watch;
  Metric metric;
};

// What the rules for real cards look at; without any reading of a watch it has not been judged.
constexpr std::array kEvidence{
    Evidence{kPcie, Metric::kPcieReplays},
    Evidence{kNvlink, Metric::kNvlinkActiveLinks},
    Evidence{kMem, Metric::kEccUncorrectedVolatile},
    Evidence{kMem, Metric::kRemappedRowsUncorrectable},
    Evidence{kMem, Metric::kRemappedRowsPending},
    Evidence{kMem, Metric::kRemappedRowsFailure},
    Evidence{kMem, Metric::kRetiredPagesDoubleBit},
    Evidence{kMem, Metric::kRetiredPagesPending},
    Evidence{kPower, Metric::kClockEventHwPowerBrake},
    Evidence{kDriver, Metric::kRecoveryAction},
};

// Nothing for what DCGM does not take for health: how hard a GPU works.
std::optional<OfRule> place_of(const Finding& finding) {
  const auto* const row = std::ranges::find(kRules, finding.rule, &OfRule::rule);
  if (row != kRules.end()) return *row;
  if (finding.component == "Utilization") return std::nullopt;
  const Watch watch = finding.component == "Temperature" ? kThermal
                      : finding.component == "Memory"    ? kMem
                      : finding.component == "Power"     ? kPower
                                                         : kAll;
  return OfRule{finding.rule, watch, kUnknownCode};
}

// A caution is less than anything that DCGM warns of.
std::int64_t value_of(Health health) {
  return health == Health::kCritical ? kFail : health == Health::kWarning ? kWarn : 0;
}

// The worse one stays; of two that are as bad, the one that says what it is.
void raise(WatchResult& result, std::int64_t value, std::string_view code) {
  const bool says_more = value == result.value && result.code == kUnknownCode;
  if (value > result.value || (value > 0 && says_more)) result = {value, code};
}

// `text` is "System: message; System: message".
bool names_system(std::string_view text, std::string_view system) {
  for (std::size_t at = text.find(system); at != text.npos; at = text.find(system, at + 1)) {
    const bool begins = at == 0 || text.substr(0, at).ends_with("; ");
    if (begins && text.substr(at + system.size()).starts_with(": ")) return true;
  }
  return false;
}

void take_source(const model::SourceVerdict& source, WatchResults& results) {
  if (source.health == Health::kUnknown) return;
  for (WatchResult& result : results) result.code = kOk;
  const std::int64_t value = value_of(source.health);
  if (value == 0) return;
  bool named = false;
  for (std::size_t i = 0; i < kSystems.size(); ++i) {
    if (!names_system(source.text, kSystems[i])) continue;
    raise(results[i], value, kUnknownCode);
    named = true;
  }
  if (!named) raise(results[kAll], value, kUnknownCode);
}

void take_ours(model::RuleSet rules, const model::DeviceSample& device,
               const model::Verdict& verdict, WatchResults& results) {
  if (verdict.overall == Health::kUnknown) return;
  const auto judged = [&](Watch watch) {
    if (!results[watch].judged()) results[watch].code = kOk;
  };
  judged(kAll);
  if (!verdict.temperature.empty()) judged(kThermal);
  for (const Evidence& evidence : kEvidence) {
    const bool looked_at = rules == model::RuleSet::kHardware;
    if (looked_at && device.at(evidence.metric).present()) judged(evidence.watch);
  }
  for (const Finding& finding : verdict.findings()) {
    const auto place = place_of(finding);
    if (!place) continue;
    judged(place->watch);
    raise(results[place->watch], value_of(finding.severity), place->code);
  }
}

}  // namespace

std::span<const std::string_view, kHealthWatchCount> health_watch_names() { return kNames; }

WatchResults watch_results(model::RuleSet rules, const model::DeviceSample& device,
                           const model::Verdict& verdict) {
  WatchResults results;
  if (device.source_verdict) take_source(*device.source_verdict, results);
  take_ours(rules, device, verdict, results);
  return results;
}

}  // namespace gpuscope::wire
