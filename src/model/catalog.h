// The metric catalogue: one row per metric, and one per text fact. Every output (exposition, JSON,
// CSV, history, screens, docs/metrics.md) is made from these tables; adding a metric is one row
// here and one line in each source that has it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace gpuscope::model {

// What a metric is measured on. Rows of the catalogue stand in this order.
enum class Entity : std::uint8_t { kGpu, kFan, kLink, kMigInstance, kProcess };
inline constexpr int kEntityCount = 5;

// The base unit of a metric's value, after its decimals: a Power reading of 46100 with 3 decimals
// is 46.1 watts.
enum class Unit : std::uint8_t {
  kPercent,
  kBytes,
  kBytesPerSecond,
  kCelsius,
  kWatts,
  kJoules,
  kMegahertz,
  kSeconds,
  kRpm,
  kCount,
  kFlag,        // 0 or 1
  kState,       // a small number with a meaning of its own
  kGeneration,  // of PCIe or NVLink
  kLanes,
};

enum class Kind : std::uint8_t {
  kGauge,    // goes up and down
  kCounter,  // only rises, but for a driver reload
  kState,    // one of a few values: the last one counts, a mean means nothing
};

// How often a metric is worth reading.
enum class Cadence : std::uint8_t {
  kTick,  // every tick
  kSlow,  // every few seconds to a minute, as the source sees fit
  kOnce,  // when the device is opened
};

enum class Metric : std::uint8_t {
  kGpuUtilization,
  kMemoryUtilization,
  kEncoderUtilization,
  kDecoderUtilization,
  kJpegUtilization,
  kOfaUtilization,
  kGraphicsEngineActivity,
  kSmActivity,
  kSmOccupancy,
  kTensorActivity,
  kFp64Activity,
  kFp32Activity,
  kFp16Activity,
  kDramActivity,
  kMemoryUsed,
  kMemoryFree,
  kMemoryTotal,
  kMemoryReserved,
  kMemoryUsagePercent,
  kBar1Used,
  kBar1Free,
  kBar1Total,
  kTemperature,
  kMemoryTemperature,
  kTemperatureMargin,
  kTemperatureShutdown,
  kTemperatureSlowdown,
  kTemperatureMax,
  kMemoryTemperatureMax,
  kPower,
  kPowerAverage,
  kPowerLimit,
  kPowerLimitEnforced,
  kPowerLimitDefault,
  kPowerLimitMin,
  kPowerLimitMax,
  kEnergy,
  kSmClock,
  kMemoryClock,
  kGraphicsClock,
  kVideoClock,
  kSmClockApplication,
  kMemoryClockApplication,
  kSmClockMax,
  kMemoryClockMax,
  kGraphicsClockMax,
  kVideoClockMax,
  kPerformanceState,
  kClockEventIdle,
  kClockEventApplicationsClocks,
  kClockEventSwPowerCap,
  kClockEventHwSlowdown,
  kClockEventSyncBoost,
  kClockEventSwThermalSlowdown,
  kClockEventHwThermalSlowdown,
  kClockEventHwPowerBrake,
  kClockEventDisplayClocks,
  kClockEventSwPowerCapSeconds,
  kClockEventSyncBoostSeconds,
  kClockEventSwThermalSlowdownSeconds,
  kClockEventHwThermalSlowdownSeconds,
  kClockEventHwPowerBrakeSeconds,
  kViolationPowerSeconds,
  kViolationThermalSeconds,
  kViolationSyncBoostSeconds,
  kViolationBoardLimitSeconds,
  kViolationLowUtilizationSeconds,
  kViolationReliabilitySeconds,
  kEccMode,
  kEccCorrectedVolatile,
  kEccUncorrectedVolatile,
  kEccCorrectedAggregate,
  kEccUncorrectedAggregate,
  kEccSramCorrectedVolatile,
  kEccSramCorrectedAggregate,
  kEccSramUncorrectedVolatile,
  kEccSramUncorrectedAggregate,
  kEccDramCorrectedVolatile,
  kEccDramCorrectedAggregate,
  kEccDramUncorrectedVolatile,
  kEccDramUncorrectedAggregate,
  kRemappedRowsCorrectable,
  kRemappedRowsUncorrectable,
  kRemappedRowsPending,
  kRemappedRowsFailure,
  kRemapBanksMax,
  kRemapBanksHigh,
  kRemapBanksPartial,
  kRemapBanksLow,
  kRemapBanksNone,
  kRetiredPagesSingleBit,
  kRetiredPagesDoubleBit,
  kRetiredPagesPending,
  kPcieGeneration,
  kPcieWidth,
  kPcieGenerationMax,
  kPcieWidthMax,
  kPcieTx,
  kPcieRx,
  kPcieTxTotal,
  kPcieRxTotal,
  kPcieReplays,
  kNvlinkTx,
  kNvlinkRx,
  kNvlinkTxRate,
  kNvlinkRxRate,
  kNvlinkActiveLinks,
  kFanSpeedPercent,
  kFanSpeed,
  kMigMode,
  kComputeProcesses,
  kGraphicsProcesses,
  kPersistenceMode,
  kComputeMode,
  kDisplayActive,
  kRecoveryAction,
  kMinorNumber,
  kUnifiedMemory,
  kVirtualizationMode,
  kVgpuInstances,
  kVgpuLicense,
  kXidLast,
  kXidErrors,
  kBusySeconds,
  kFanPercent,
  kFanRpm,
  kLinkState,
  kLinkVersion,
  kLinkTx,
  kLinkRx,
  kLinkCrcFlitErrors,
  kLinkCrcDataErrors,
  kLinkReplayErrors,
  kLinkRecoveryErrors,
  kMigMemoryUsed,
  kMigMemoryFree,
  kMigMemoryTotal,
  kMigGraphicsEngineActivity,
  kMigSmActivity,
  kMigSmOccupancy,
  kMigTensorActivity,
  kMigFp64Activity,
  kMigFp32Activity,
  kMigFp16Activity,
  kMigDramActivity,
  kMigEccUncorrected,
  kProcessMemory,
  kProcessSmUtilization,
  kProcessMemoryUtilization,
  kProcessEncoderUtilization,
  kProcessDecoderUtilization,
};

inline constexpr std::size_t kMetricCount = 151;
inline constexpr std::size_t kGpuMetricCount = 124;
inline constexpr std::size_t kFanMetricCount = 2;
inline constexpr std::size_t kLinkMetricCount = 8;
inline constexpr std::size_t kMigInstanceMetricCount = 12;
inline constexpr std::size_t kProcessMetricCount = 5;

struct MetricInfo {
  Metric id;
  Entity entity;
  std::string_view key;        // unique, unit in the name: "temperature_celsius"
  std::string_view json_path;  // the field of the query document that holds it: "temp"
  Unit unit;
  std::uint8_t decimals;  // a reading is an integer in units of 10^-decimals
  Kind kind;
  Cadence cadence;
  std::string_view label;  // for people, without the unit: "Memory temperature"
  std::string_view help;   // one sentence, no full stop
};

// Text that is known once per device.
enum class Fact : std::uint8_t {
  kName,
  kUuid,
  kSerial,
  kVbios,
  kDriverVersion,
  kCudaVersion,
  kNvmlVersion,
  kPciBusId,
  kBrand,
  kArchitecture,
  kComputeCapability,
  kBoardPartNumber,
  kBoardId,
  kInforomImage,
  kInforomOem,
  kInforomEcc,
  kInforomPower,
  kGspFirmware,
};
inline constexpr std::size_t kFactCount = 18;

struct FactInfo {
  Fact id;
  std::string_view key;  // also its field in the query document
  std::string_view help;
};

// All rows, in the order of `Metric`.
std::span<const MetricInfo, kMetricCount> metrics();
// The rows of one entity, in the order of their columns.
std::span<const MetricInfo> metrics(Entity entity);
std::span<const FactInfo, kFactCount> facts();

const MetricInfo& info(Metric metric);
const FactInfo& info(Fact fact);
std::optional<Metric> find_metric(std::string_view key);

// "%", "bytes", "°C", …; empty for counts, flags and states.
std::string_view unit_symbol(Unit unit);
std::string_view unit_name(Unit unit);
std::string_view kind_name(Kind kind);
std::string_view cadence_name(Cadence cadence);
std::string_view entity_name(Entity entity);

// Where a metric stands in the row of its entity.
constexpr std::size_t column(Metric metric) {
  const auto id = static_cast<std::size_t>(metric);
  constexpr std::array kEnds{
      kGpuMetricCount, kGpuMetricCount + kFanMetricCount,
      kGpuMetricCount + kFanMetricCount + kLinkMetricCount,
      kGpuMetricCount + kFanMetricCount + kLinkMetricCount + kMigInstanceMetricCount};
  std::size_t begin = 0;
  for (const std::size_t end : kEnds) {
    if (id >= end) begin = end;
  }
  return id - begin;
}

}  // namespace gpuscope::model
