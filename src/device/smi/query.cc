#include "device/smi/query.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "base/text.h"
#include "device/smi/report_rows.h"
#include "model/trend.h"

namespace gpuscope::device::smi {
namespace {

using model::Absence;
using model::Metric;
using model::Reading;

struct FieldRow {
  Metric metric;
  Form form;
  std::string_view field;
  std::string_view other_name{};  // what older drivers call it
  bool always = false;            // every driver knows `other_name`, or `field` where it has none
  bool mask = false;
};

// Rows of one metric stand together: the first that the tool knows is asked for.
// clang-format off
constexpr std::array kFields{
    FieldRow{Metric::kGpuUtilization, Form::kPercent, "utilization.gpu", {}, true},
    FieldRow{Metric::kMemoryUtilization, Form::kPercent, "utilization.memory", {}, true},
    FieldRow{Metric::kEncoderUtilization, Form::kPercent, "utilization.encoder"},
    FieldRow{Metric::kDecoderUtilization, Form::kPercent, "utilization.decoder"},
    FieldRow{Metric::kJpegUtilization, Form::kPercent, "utilization.jpeg"},
    FieldRow{Metric::kOfaUtilization, Form::kPercent, "utilization.ofa"},
    FieldRow{Metric::kMemoryUsed, Form::kMebibytes, "memory.used", {}, true},
    FieldRow{Metric::kMemoryFree, Form::kMebibytes, "memory.free", {}, true},
    FieldRow{Metric::kMemoryTotal, Form::kMebibytes, "memory.total", {}, true},
    FieldRow{Metric::kMemoryReserved, Form::kMebibytes, "memory.reserved"},
    FieldRow{Metric::kTemperature, Form::kCelsius, "temperature.gpu", {}, true},
    FieldRow{Metric::kMemoryTemperature, Form::kCelsius, "temperature.memory"},
    FieldRow{Metric::kTemperatureMargin, Form::kCelsius, "temperature.gpu.tlimit"},
    FieldRow{Metric::kPower, Form::kWatts, "power.draw.instant", "gpu.power.draw.instant"},
    FieldRow{Metric::kPower, Form::kWatts, "power.draw", {}, true},
    FieldRow{Metric::kPowerAverage, Form::kWatts, "power.draw.average", "gpu.power.draw.average"},
    FieldRow{Metric::kSmClock, Form::kMegahertz, "clocks.current.sm", "clocks.sm", true},
    FieldRow{Metric::kMemoryClock, Form::kMegahertz, "clocks.current.memory", "clocks.mem", true},
    FieldRow{Metric::kGraphicsClock, Form::kMegahertz, "clocks.current.graphics", "clocks.gr", true},
    FieldRow{Metric::kVideoClock, Form::kMegahertz, "clocks.current.video", "clocks.video"},
    FieldRow{Metric::kPerformanceState, Form::kPerformanceState, "pstate", {}, true},
    FieldRow{Metric::kClockEventIdle, Form::kCount, "clocks_event_reasons.active", "clocks_throttle_reasons.active", false, true},
    FieldRow{Metric::kClockEventSwPowerCapSeconds, Form::kMicroseconds, "clocks_event_reasons_counters.sw_power_cap"},
    FieldRow{Metric::kClockEventSyncBoostSeconds, Form::kMicroseconds, "clocks_event_reasons_counters.sync_boost"},
    FieldRow{Metric::kClockEventSwThermalSlowdownSeconds, Form::kMicroseconds, "clocks_event_reasons_counters.sw_thermal_slowdown"},
    FieldRow{Metric::kClockEventHwThermalSlowdownSeconds, Form::kMicroseconds, "clocks_event_reasons_counters.hw_thermal_slowdown"},
    FieldRow{Metric::kClockEventHwPowerBrakeSeconds, Form::kMicroseconds, "clocks_event_reasons_counters.hw_power_brake_slowdown"},
    FieldRow{Metric::kEccCorrectedVolatile, Form::kCount, "ecc.errors.corrected.volatile.total"},
    FieldRow{Metric::kEccUncorrectedVolatile, Form::kCount, "ecc.errors.uncorrected.volatile.total"},
    FieldRow{Metric::kEccCorrectedAggregate, Form::kCount, "ecc.errors.corrected.aggregate.total"},
    FieldRow{Metric::kEccUncorrectedAggregate, Form::kCount, "ecc.errors.uncorrected.aggregate.total"},
    FieldRow{Metric::kRemappedRowsCorrectable, Form::kCount, "remapped_rows.correctable", "remapped_rows.sbe"},
    FieldRow{Metric::kRemappedRowsUncorrectable, Form::kCount, "remapped_rows.uncorrectable", "remapped_rows.dbe"},
    FieldRow{Metric::kRemappedRowsPending, Form::kFlag, "remapped_rows.pending"},
    FieldRow{Metric::kRemappedRowsFailure, Form::kFlag, "remapped_rows.failure"},
    FieldRow{Metric::kFanSpeedPercent, Form::kPercent, "fan.speed", {}, true},
    FieldRow{Metric::kRecoveryAction, Form::kRecoveryAction, "gpu_recovery_action"},
};
// clang-format on

// NVML's bits stand in the order of the catalogue's rows.
Metric clock_event(std::size_t bit) {
  return static_cast<Metric>(static_cast<std::size_t>(Metric::kClockEventIdle) + bit);
}

// Every name in quotes: the help text's way to list its fields.
std::set<std::string_view> names_in(std::string_view help) {
  std::set<std::string_view> names;
  for (std::size_t begin = help.find('"'); begin != std::string_view::npos;
       begin = help.find('"', begin)) {
    const std::size_t end = help.find('"', begin + 1);
    if (end == std::string_view::npos) break;
    const std::string_view name = help.substr(begin + 1, end - begin - 1);
    begin = end + 1;
    const auto belongs = [](char c) { return base::is_name_char(c) || c == '.'; };
    if (!name.empty() && std::ranges::all_of(name, belongs)) names.insert(name);
  }
  return names;
}

}  // namespace

Query::Query(std::string_view help) : fields_("index,uuid") {
  const std::set<std::string_view> known = names_in(help);
  const bool blind = !known.contains("index") || !known.contains("uuid");
  for (const FieldRow& row : kFields) {
    if (!columns_.empty() && columns_.back().metric == row.metric) continue;
    const std::string_view common = row.other_name.empty() ? row.field : row.other_name;
    std::string_view field;
    if (blind && row.always) field = common;
    if (!blind && known.contains(row.other_name)) field = row.other_name;
    if (!blind && known.contains(row.field)) field = row.field;
    if (!field.empty()) ask(field, {row.metric, row.form, row.mask});
  }
  const auto asks = [this](Metric metric) {
    return std::ranges::find(metrics_, metric) != metrics_.end();
  };
  if (asks(Metric::kMemoryUsed) && asks(Metric::kMemoryTotal)) {
    metrics_.push_back(Metric::kMemoryUsagePercent);
  }
}

void Query::ask(std::string_view field, const Column& column) {
  fields_ += ',';
  fields_ += field;
  columns_.push_back(column);
  for (std::size_t bit = 0; bit < (column.mask ? model::kClockEventCount : 1); ++bit) {
    metrics_.push_back(column.mask ? clock_event(bit) : column.metric);
  }
}

base::Result<QueryRow> Query::parse(std::string_view line) const {
  const auto no_answer = [] {
    return base::fail(base::ErrorKind::kInvalidArgument,
                      "cannot understand a line of nvidia-smi --query-gpu: it is not the answer "
                      "that was asked for");
  };
  QueryRow result;
  result.row.fill(Reading::none(Absence::kNotYet));
  bool needs_reset = false;
  std::size_t cells = 0;
  for (bool more = true; more; ++cells) {
    const std::size_t end = std::min(line.find(','), line.size());
    const std::string_view cell = trimmed(line.substr(0, end));
    more = end < line.size();
    line.remove_prefix(more ? end + 1 : end);
    if (cells == 0) {
      const auto index = parse_number(cell);
      if (index && *index >= 0) result.index = static_cast<std::size_t>(*index);
    } else if (cells == 1) {
      if (cell.starts_with("GPU-")) result.uuid = cell;
    } else if (cells - 2 < columns_.size()) {
      const Column& column = columns_[cells - 2];
      needs_reset = needs_reset || asks_for_reset(cell);
      if (!column.mask) {
        result.row[model::column(column.metric)] = parse_reading(cell, column.form);
        continue;
      }
      const auto bits = parse_hex(cell);
      const Absence why = absence_in(cell).value_or(Absence::kFailed);
      for (std::size_t bit = 0; bit < model::kClockEventCount; ++bit) {
        result.row[model::column(clock_event(bit))] =
            bits ? Reading::of(static_cast<std::int64_t>((*bits >> bit) & 1U)) : Reading::none(why);
      }
    }
  }
  if (cells != columns_.size() + 2 || (!result.index && result.uuid.empty())) return no_answer();

  const auto at = [&](Metric metric) -> Reading& { return result.row[model::column(metric)]; };
  if (needs_reset) {
    // Such a GPU counts its memory as 0.
    for (const Metric metric : {Metric::kMemoryUsed, Metric::kMemoryFree, Metric::kMemoryTotal,
                                Metric::kMemoryReserved}) {
      if (at(metric).present()) at(metric) = Reading::none(Absence::kFailed);
    }
    if (!at(Metric::kRecoveryAction).present()) at(Metric::kRecoveryAction) = Reading::of(1);
  }
  at(Metric::kMemoryUsagePercent) = memory_usage(at(Metric::kMemoryUsed), at(Metric::kMemoryTotal));
  return result;
}

}  // namespace gpuscope::device::smi
