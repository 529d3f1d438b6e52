#include "wire/snapshot_document.h"

#include <cstddef>
#include <cstdint>
#include <span>

#include "model/catalog.h"
#include "wire/json_fields.h"
#include "wire/json_writer.h"
#include "wire/values.h"

namespace gpuscope::wire {
namespace {

constexpr std::int64_t kSnapshotVersion = 1;

// One row: a number in the catalogue's unit, or a word that says why there is none.
void write_metrics(JsonWriter& json, model::Entity entity, std::span<const model::Reading> row) {
  const auto columns = model::metrics(entity);
  json.key("metrics").begin_object();
  for (std::size_t i = 0; i < row.size(); ++i) {
    json.key(columns[i].key);
    if (row[i].present()) {
      json.number(row[i].value, columns[i].decimals);
    } else {
      json.string(model::absence_name(row[i].absence));
    }
  }
  json.end_object();
}

void write_facts(JsonWriter& json, const model::GpuInfo& info) {
  json.key("facts").begin_object();
  for (const model::FactInfo& row : model::facts()) {
    if (info.fact(row.id).present()) json.key(row.key).string(info.fact(row.id).value);
  }
  json.end_object();
  json.key("absent_facts").begin_object();
  for (const model::FactInfo& row : model::facts()) {
    if (info.fact(row.id).present()) continue;
    json.key(row.key).string(model::absence_name(info.fact(row.id).absence));
  }
  json.end_object();
}

void write_finding(JsonWriter& json, const model::Finding& finding) {
  const int decimals = model::info(finding.metric).decimals;
  json.begin_object();
  json.key("rule").string(finding.rule);
  json.key("component").string(finding.component);
  json.key("severity").string(model::health_label(finding.severity));
  json.key("reason").string(finding.reason);
  json.key("action").string(finding.action);
  json.key("metric").string(model::info(finding.metric).key);
  if (finding.value.present()) json.key("value").number(finding.value.value, decimals);
  if (finding.limit.present()) json.key("limit").number(finding.limit.value, decimals);
  json.end_object();
}

void write_health(JsonWriter& json, const model::Verdict& verdict,
                  const std::optional<model::SourceVerdict>& source) {
  json.key("health").begin_object();
  json.key("status").string(model::health_label(verdict.overall));
  json.key("status_numeric").number(static_cast<std::int64_t>(verdict.overall));
  json.key("gpu").string(model::health_label(verdict.gpu));
  write_known(json, "temperature", verdict.temperature);
  write_known(json, "memory", verdict.memory);
  json.key("findings").begin_array();
  for (const model::Finding& finding : verdict.findings()) write_finding(json, finding);
  json.end_array();
  json.key("source");
  if (source) {
    json.begin_object().key("status").string(model::health_label(source->health));
    json.key("text").string(source->text).end_object();
  } else {
    json.null();
  }
  json.end_object();
}

void write_rows(JsonWriter& json, std::string_view key, model::Entity entity, const auto& rows) {
  json.key(key).begin_array();
  std::int64_t index = 0;
  for (const auto& row : rows) {
    json.begin_object().key("index").number(index++);
    write_metrics(json, entity, row);
    json.end_object();
  }
  json.end_array();
}

void write_mig_instances(JsonWriter& json, const model::DeviceSample& device) {
  json.key("mig_instances").begin_array();
  for (const model::MigInstance& instance : device.mig_instances) {
    json.begin_object();
    json.key("gpu_instance_id").number(instance.gpu_instance_id);
    json.key("compute_instance_id").number(instance.compute_instance_id);
    write_known(json, "uuid", instance.uuid);
    write_known(json, "profile", instance.profile);
    write_metrics(json, model::Entity::kMigInstance, instance.row);
    json.end_object();
  }
  json.end_array();
}

void write_processes(JsonWriter& json, const model::DeviceSample& device) {
  const bool present = device.processes_absence == model::Absence::kPresent;
  json.key("processes").begin_array();
  for (const model::Process& process : device.processes) {
    json.begin_object();
    json.key("pid").number(process.pid);
    json.key("type").string(model::process_type_name(process.type));
    write_known(json, "name", process.name);
    write_metrics(json, model::Entity::kProcess, process.row);
    json.end_object();
  }
  json.end_array();
  write_known(json, "processes_absence",
              present ? std::string_view{} : model::absence_name(device.processes_absence));
}

void write_events(JsonWriter& json, const model::DeviceSample& device) {
  json.key("events").begin_array();
  for (const model::Event& event : device.events) {
    json.begin_object();
    json.key("kind").string(event.kind == model::EventKind::kXid ? "xid" : "clock_events");
    json.key("code").number(static_cast<std::int64_t>(event.code));
    json.key("time").time(event.time);
    json.end_object();
  }
  json.end_array();
}

}  // namespace

void append_snapshot(std::string& out, const model::Snapshot& snapshot) {
  const model::Inventory& inventory = *snapshot.inventory;
  JsonWriter json(out);
  json.begin_object();
  json.key("version").number(kSnapshotVersion);
  json.key("sequence").number(static_cast<std::int64_t>(snapshot.sequence));
  json.key("time").time(snapshot.time);
  json.key("method").string(inventory.method);
  json.key("simulated").boolean(inventory.simulated);
  json.key("recorded");
  if (inventory.recorded) {
    json.begin_object().key("method").string(inventory.recorded->method);
    json.key("time").time(inventory.recorded->time).end_object();
  } else {
    json.null();
  }
  json.key("gpus").begin_array();
  for (std::size_t gpu = 0; gpu < snapshot.devices.size(); ++gpu) {
    const model::DeviceSample& device = snapshot.devices[gpu];
    json.begin_object();
    json.key("index").number(static_cast<std::int64_t>(gpu));
    write_facts(json, inventory.gpus[gpu]);
    write_health(json, snapshot.verdicts[gpu], device.source_verdict);
    write_metrics(json, model::Entity::kGpu, device.gpu);
    write_rows(json, "fans", model::Entity::kFan, device.fans);
    write_rows(json, "links", model::Entity::kLink, device.links);
    write_mig_instances(json, device);
    write_processes(json, device);
    write_events(json, device);
    json.end_object();
  }
  json.end_array().end_object();
}

}  // namespace gpuscope::wire
