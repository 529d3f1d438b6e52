#include "wire/query_document.h"

#include <algorithm>
#include <array>

#include "base/decimal.h"
#include "model/naming.h"
#include "wire/health_document.h"
#include "wire/json_writer.h"
#include "wire/values.h"

namespace gpuscope::wire {
namespace {

using model::Metric;
using model::Reading;

// clang-format off
constexpr std::array<FieldInfo, kFieldCount> kFields{{
  {Field::kName,      "name",      "name",      "product name"},
  {Field::kUuid,      "uuid",      "uuid",      "UUID"},
  {Field::kSerial,    "serial",    "serial",    "serial number of the board"},
  {Field::kVbios,     "vbios",     "vbios",     "VBIOS version"},
  {Field::kDriver,    "driver",    "driver",    "driver version"},
  {Field::kTemp,      "temp",      "temp",      "temperature, °C"},
  {Field::kFan,       "fan",       "fan",       "fan speed, rpm"},
  {Field::kPower,     "power",     "power",     "power draw, W"},
  {Field::kClocks,    "clocks",    "clocks",    "SM and memory clock, MHz"},
  {Field::kUtil,      "util",      "util",      "GPU and memory utilization, %"},
  {Field::kMem,       "mem",       "mem",       "memory used and total, MiB and %"},
  {Field::kMinor,     "minor",     "minor",     "minor number of the device node"},
  {Field::kPstate,    "pstate",    "pstate",    "performance state, 0 to 15"},
  {Field::kPciegen,   "pciegen",   "pciegen",   "maximum PCIe generation"},
  {Field::kPciewidth, "pciewidth", "pciewidth", "maximum PCIe width, lanes"},
  {Field::kPlimit,    "plimit",    "plimit",    "power limit, W"},
  {Field::kProcesses, "procs",     "processes", "compute processes and their memory, bytes"},
  {Field::kHealth,    "health",    "health",    "health report"},
  {Field::kEcc,       "ecc",       "ecc",       "ECC errors since the driver was loaded"},
}};
// clang-format on

constexpr bool fields_stand_in_order() {
  for (std::size_t i = 0; i < kFieldCount; ++i) {
    if (static_cast<std::size_t>(kFields[i].id) != i) return false;
  }
  return true;
}
static_assert(fields_stand_in_order());

// One member of a field that has several.
struct Part {
  std::string_view key;
  Metric metric;
};
constexpr std::array kClocks{Part{"gpu_clock_mhz", Metric::kSmClock},
                             Part{"memory_clock_mhz", Metric::kMemoryClock}};
constexpr std::array kUtil{Part{"gpu_utilization_percent", Metric::kGpuUtilization},
                           Part{"memory_utilization_percent", Metric::kMemoryUtilization}};
constexpr std::array kMemoryParts{Part{"memory_used_mib", Metric::kMemoryUsed},
                                  Part{"memory_total_mib", Metric::kMemoryTotal},
                                  Part{"memory_usage_percent", Metric::kMemoryUsagePercent}};
constexpr std::array kEcc{Part{"ecc_corrected_errors", Metric::kEccCorrectedVolatile},
                          Part{"ecc_uncorrected_errors", Metric::kEccUncorrectedVolatile}};

// The end of every field; `error` is empty when there is none.
void end_field(JsonWriter& json, bool has_error, std::string_view error) {
  json.key("has_error").boolean(has_error).key("error").string(error);
  json.end_object();
}

void write_fact(JsonWriter& json, const model::Text& text) {
  json.begin_object().key("value");
  write_text_or_null(json, text);
  end_field(json, !text.present(), model::absence_text(text.absence));
}

void write_reading(JsonWriter& json, const model::DeviceSample& device, Metric metric) {
  const Reading& reading = device.at(metric);
  json.begin_object().key("value");
  write_or_null(json, metric, reading);
  end_field(json, !reading.present(), model::absence_text(reading.absence));
}

// rpm, or a reason with the share that many cards give instead.
void write_fan(JsonWriter& json, const model::DeviceSample& device) {
  const Reading& rpm = device.at(Metric::kFanSpeed);
  const Reading& share = device.at(Metric::kFanSpeedPercent);
  json.begin_object().key("value");
  write_or_null(json, Metric::kFanSpeed, rpm);
  if (!rpm.present() && share.present()) {
    json.key("fan_percent");
    write_or_null(json, Metric::kFanSpeedPercent, share);
  }
  end_field(json, !rpm.present(), model::absence_text(rpm.absence));
}

// An absent part is null and named in `error`; only when all are absent does the field have none.
void write_parts(JsonWriter& json, const model::DeviceSample& device, std::span<const Part> parts) {
  const auto absent = [&](const Part& part) { return !device.at(part.metric).present(); };
  const auto first_absent = std::ranges::find_if(parts, absent);
  const bool has_error = std::ranges::all_of(parts, absent);
  json.begin_object().key("value");
  if (has_error) {
    json.null();
    end_field(json, true, model::absence_text(device.at(parts[0].metric).absence));
    return;
  }
  json.begin_object();
  for (const Part& part : parts) {
    json.key(part.key);
    write_or_null(json, part.metric, device.at(part.metric));
  }
  json.end_object();
  if (first_absent == parts.end()) {
    end_field(json, false, "");
    return;
  }
  std::string error(first_absent->key);
  error.append(": ").append(model::absence_text(device.at(first_absent->metric).absence));
  end_field(json, false, error);
}

void write_process_list(JsonWriter& json, const model::DeviceSample& device) {
  json.begin_array();
  for (const model::Process& process : device.processes) {
    if (process.type == model::ProcessType::kGraphics) continue;
    const Reading& memory = process.row[model::column(Metric::kProcessMemory)];
    json.begin_object().key("pid").number(process.pid).key("gpu_memory");
    if (memory.present()) {
      json.number(memory.value);  // bytes, whatever MiB other fields are in
    } else {
      json.null();
    }
    json.end_object();
  }
  json.end_array();
  // The list stays a list for those who walk it; that it is not the whole truth stands beside it.
  if (device.processes_absence != model::Absence::kPresent) {
    json.key("processes_error").string(model::absence_text(device.processes_absence));
  }
}

void write_health(JsonWriter& json, const model::Snapshot& snapshot, std::size_t gpu) {
  static const model::Verdict none;
  const model::Verdict& verdict = gpu < snapshot.verdicts.size() ? snapshot.verdicts[gpu] : none;
  json.begin_object().key("value");
  write_health_report(json, verdict, snapshot.devices[gpu].source_verdict);
  end_field(json, false, verdict.overall == model::Health::kUnknown ? kNoVerdict : "");
}

// The value of one field; its key is written.
void write_field(JsonWriter& json, const model::Snapshot& snapshot, std::size_t gpu, Field field) {
  const model::DeviceSample& device = snapshot.devices[gpu];
  const model::GpuInfo& info = snapshot.inventory->gpus[gpu];
  switch (field) {
    case Field::kName:
      return write_fact(json, info.fact(model::Fact::kName));
    case Field::kUuid:
      return write_fact(json, info.fact(model::Fact::kUuid));
    case Field::kSerial:
      return write_fact(json, info.fact(model::Fact::kSerial));
    case Field::kVbios:
      return write_fact(json, info.fact(model::Fact::kVbios));
    case Field::kDriver:
      return write_fact(json, info.fact(model::Fact::kDriverVersion));
    case Field::kTemp:
      return write_reading(json, device, Metric::kTemperature);
    case Field::kFan:
      return write_fan(json, device);
    case Field::kPower:
      return write_reading(json, device, Metric::kPower);
    case Field::kClocks:
      return write_parts(json, device, kClocks);
    case Field::kUtil:
      return write_parts(json, device, kUtil);
    case Field::kMem:
      return write_parts(json, device, kMemoryParts);
    case Field::kMinor:
      return write_reading(json, device, Metric::kMinorNumber);
    case Field::kPstate:
      return write_reading(json, device, Metric::kPerformanceState);
    case Field::kPciegen:
      return write_reading(json, device, Metric::kPcieGenerationMax);
    case Field::kPciewidth:
      return write_reading(json, device, Metric::kPcieWidthMax);
    case Field::kPlimit:
      return write_reading(json, device, Metric::kPowerLimit);
    case Field::kProcesses:
      return write_process_list(json, device);
    case Field::kHealth:
      return write_health(json, snapshot, gpu);
    case Field::kEcc:
      return write_parts(json, device, kEcc);
  }
}

void write_gpu(JsonWriter& json, const model::Snapshot& snapshot, std::size_t gpu, FieldSet set) {
  json.begin_object();
  for (const FieldInfo& field : kFields) {
    if (!set.has(field.id)) continue;
    json.key(field.key);
    write_field(json, snapshot, gpu, field.id);
  }
  json.end_object();
}

}  // namespace

std::span<const FieldInfo, kFieldCount> fields() { return kFields; }

std::optional<Field> find_field(std::string_view option) {
  const auto* row = std::ranges::find(kFields, option, &FieldInfo::option);
  if (row == kFields.end()) return std::nullopt;
  return row->id;
}

void append_query_document(std::string& out, const model::Snapshot& snapshot, const Query& query) {
  const std::size_t gpus = snapshot.devices.size();
  if (gpus == 0) return append_no_gpus_document(out, query);
  JsonWriter json(out, query.indent);
  json.begin_object();
  if (query.count) json.key("count").number(static_cast<std::int64_t>(gpus));
  if (!query.fields.empty()) {
    json.key("gpus").begin_object();
    const std::size_t first = query.gpu.value_or(0);
    const std::size_t end = query.gpu ? first + 1 : gpus;
    for (std::size_t gpu = first; gpu < end; ++gpu) {
      std::array<char, base::kMaxDecimalChars> index{};
      char* index_end = base::write_decimal(index.data(), static_cast<std::int64_t>(gpu), 0);
      json.key({index.data(), index_end});
      write_gpu(json, snapshot, gpu, query.fields);
    }
    json.end_object();
  }
  json.end_object();
}

void append_no_gpus_document(std::string& out, const Query& query) {
  JsonWriter json(out, query.indent);
  json.begin_object();
  if (query.count) json.key("count").number(0);
  json.key("error").string("No NVIDIA GPUs found");
  json.end_object();
}

void append_gpu_document(std::string& out, const model::Snapshot& snapshot, std::size_t gpu,
                         FieldSet fields) {
  JsonWriter json(out);
  write_gpu(json, snapshot, gpu, fields);
}

}  // namespace gpuscope::wire
