#include "smi_query.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace gpuscope::tools {
namespace {

using model::Fact;
using model::Metric;
using model::Reading;

enum class Kind : std::uint8_t {
  kIndex,
  kFact,
  kMetric,
  kPerformanceState,
  kRecoveryAction,
  kYesNo,
  kClockEvents,
};

struct Field {
  std::string_view name;
  std::string_view other_name{};
  Kind kind = Kind::kMetric;
  Metric metric = Metric::kTemperature;
  Fact fact = Fact::kName;
};

constexpr Field of_fact(std::string_view name, Fact fact, std::string_view other = {}) {
  return {name, other, Kind::kFact, Metric::kTemperature, fact};
}
constexpr Field of_metric(std::string_view name, Metric metric, std::string_view other = {}) {
  return {name, other, Kind::kMetric, metric, Fact::kName};
}

constexpr std::array kFields{
    Field{.name = "index", .kind = Kind::kIndex},
    of_fact("driver_version", Fact::kDriverVersion),
    of_fact("name", Fact::kName, "gpu_name"),
    of_fact("serial", Fact::kSerial, "gpu_serial"),
    of_fact("uuid", Fact::kUuid, "gpu_uuid"),
    of_fact("pci.bus_id", Fact::kPciBusId, "gpu_bus_id"),
    of_fact("vbios_version", Fact::kVbios),
    of_fact("compute_cap", Fact::kComputeCapability),
    of_metric("utilization.gpu", Metric::kGpuUtilization),
    of_metric("utilization.memory", Metric::kMemoryUtilization),
    of_metric("utilization.encoder", Metric::kEncoderUtilization),
    of_metric("utilization.decoder", Metric::kDecoderUtilization),
    of_metric("utilization.jpeg", Metric::kJpegUtilization),
    of_metric("utilization.ofa", Metric::kOfaUtilization),
    of_metric("memory.total", Metric::kMemoryTotal),
    of_metric("memory.reserved", Metric::kMemoryReserved),
    of_metric("memory.used", Metric::kMemoryUsed),
    of_metric("memory.free", Metric::kMemoryFree),
    of_metric("temperature.gpu", Metric::kTemperature),
    of_metric("temperature.gpu.tlimit", Metric::kTemperatureMargin),
    of_metric("temperature.memory", Metric::kMemoryTemperature),
    of_metric("power.draw", Metric::kPower),
    of_metric("power.draw.average", Metric::kPowerAverage, "gpu.power.draw.average"),
    of_metric("power.draw.instant", Metric::kPower, "gpu.power.draw.instant"),
    of_metric("power.limit", Metric::kPowerLimit),
    of_metric("enforced.power.limit", Metric::kPowerLimitEnforced),
    of_metric("clocks.current.graphics", Metric::kGraphicsClock, "clocks.gr"),
    of_metric("clocks.current.sm", Metric::kSmClock, "clocks.sm"),
    of_metric("clocks.current.memory", Metric::kMemoryClock, "clocks.mem"),
    of_metric("clocks.current.video", Metric::kVideoClock, "clocks.video"),
    Field{.name = "pstate", .kind = Kind::kPerformanceState, .metric = Metric::kPerformanceState},
    Field{.name = "clocks_event_reasons.active",
          .other_name = "clocks_throttle_reasons.active",
          .kind = Kind::kClockEvents},
    of_metric("clocks_event_reasons_counters.sw_power_cap", Metric::kClockEventSwPowerCapSeconds),
    of_metric("clocks_event_reasons_counters.sync_boost", Metric::kClockEventSyncBoostSeconds),
    of_metric("clocks_event_reasons_counters.sw_thermal_slowdown",
              Metric::kClockEventSwThermalSlowdownSeconds),
    of_metric("clocks_event_reasons_counters.hw_thermal_slowdown",
              Metric::kClockEventHwThermalSlowdownSeconds),
    of_metric("clocks_event_reasons_counters.hw_power_brake_slowdown",
              Metric::kClockEventHwPowerBrakeSeconds),
    of_metric("ecc.errors.corrected.volatile.total", Metric::kEccCorrectedVolatile),
    of_metric("ecc.errors.uncorrected.volatile.total", Metric::kEccUncorrectedVolatile),
    of_metric("ecc.errors.corrected.aggregate.total", Metric::kEccCorrectedAggregate),
    of_metric("ecc.errors.uncorrected.aggregate.total", Metric::kEccUncorrectedAggregate),
    of_metric("remapped_rows.correctable", Metric::kRemappedRowsCorrectable, "remapped_rows.sbe"),
    of_metric("remapped_rows.uncorrectable", Metric::kRemappedRowsUncorrectable,
              "remapped_rows.dbe"),
    Field{.name = "remapped_rows.pending",
          .kind = Kind::kYesNo,
          .metric = Metric::kRemappedRowsPending},
    Field{.name = "remapped_rows.failure",
          .kind = Kind::kYesNo,
          .metric = Metric::kRemappedRowsFailure},
    of_metric("fan.speed", Metric::kFanSpeedPercent),
    Field{.name = "gpu_recovery_action",
          .kind = Kind::kRecoveryAction,
          .metric = Metric::kRecoveryAction},
};

std::string clock_events_of(const model::DeviceSample& sample) {
  constexpr std::size_t kCount = 9;
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < kCount; ++i) {
    const Reading reading =
        sample.at(static_cast<Metric>(static_cast<std::size_t>(Metric::kClockEventIdle) + i));
    if (!reading.present()) return words_for(reading.absence);
    if (reading.value != 0) bits |= std::uint64_t{1} << i;
  }
  return fmt::format("0x{:016X}", bits);
}

std::string cell_of(const Field& field, const Machine& machine, std::size_t gpu, bool units) {
  const model::DeviceSample& sample = machine.sample(gpu);
  const Reading reading = sample.at(field.metric);
  switch (field.kind) {
    case Kind::kIndex:
      return std::to_string(gpu);
    case Kind::kFact:
      return text_of(machine.info(gpu).fact(field.fact));
    case Kind::kPerformanceState:
      return performance_state_of(reading);
    case Kind::kRecoveryAction:
      return recovery_action_of(reading);
    case Kind::kYesNo:
      return flag_of(reading, "Yes", "No");
    case Kind::kClockEvents:
      return clock_events_of(sample);
    case Kind::kMetric:
      break;
  }
  // Degrees and counts have no unit here.
  const bool bare = model::info(field.metric).unit == model::Unit::kCelsius || !units;
  return bare ? text_of(field.metric, reading) : quantity_of(field.metric, reading);
}

bool is_absence(std::string_view text) {
  return std::ranges::any_of(
      std::array{model::Absence::kUnsupported, model::Absence::kDenied, model::Absence::kGone,
                 model::Absence::kTimedOut, model::Absence::kFailed},
      [&](model::Absence absence) { return text == words_for(absence); });
}

}  // namespace

std::string query_help() {
  std::string text = "List of valid properties to query for the switch \"--query-gpu=\":\n";
  for (const Field& field : kFields) {
    text += fmt::format("\n\"{}\"", field.name);
    if (!field.other_name.empty()) text += fmt::format(" or \"{}\"", field.other_name);
    text += "\nA property of a simulated GPU.\n";
  }
  return text;
}

std::expected<GpuQuery, std::string> GpuQuery::parse(std::string_view fields, bool units) {
  GpuQuery query;
  query.units_ = units;
  while (!fields.empty()) {
    const std::size_t end = std::min(fields.find(','), fields.size());
    const std::string_view name = fields.substr(0, end);
    fields.remove_prefix(std::min(end + 1, fields.size()));
    const auto* field = std::ranges::find_if(
        kFields, [&](const Field& one) { return one.name == name || one.other_name == name; });
    if (field == kFields.end()) {
      return std::unexpected(fmt::format("Field \"{}\" is not a valid field to query.\n\n", name));
    }
    query.fields_.push_back(static_cast<std::size_t>(field - kFields.begin()));
  }
  return query;
}

std::string GpuQuery::header() const {
  std::string text;
  for (const std::size_t field : fields_) {
    if (!text.empty()) text += ", ";
    text += kFields[field].name;
  }
  return text + "\n";
}

std::string GpuQuery::line(const Machine& machine, std::size_t gpu) const {
  std::string text;
  for (const std::size_t field : fields_) {
    std::string cell = cell_of(kFields[field], machine, gpu, units_);
    if (is_absence(cell)) cell = fmt::format("[{}]", cell);
    if (!text.empty()) text += ", ";
    text += cell;
  }
  return text + "\n";
}

}  // namespace gpuscope::tools
