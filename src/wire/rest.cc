#include "wire/rest.h"

#include <algorithm>
#include <array>

#include "base/decimal.h"
#include "model/naming.h"
#include "model/uuid.h"
#include "wire/json_fields.h"
#include "wire/json_writer.h"
#include "wire/values.h"

namespace gpuscope::wire {
namespace {

using model::Metric;

void write_fact(JsonWriter& json, std::string_view key, const model::Text& text) {
  json.key(key);
  write_text_or_null(json, text);
}

void write_reading(JsonWriter& json, std::string_view key, const model::DeviceSample& device,
                   Metric metric) {
  json.key(key);
  write_or_null(json, metric, device.at(metric));
}

void write_static(JsonWriter& json, const model::Snapshot& snapshot, std::size_t gpu) {
  const model::GpuInfo& info = snapshot.inventory->gpus[gpu];
  const model::DeviceSample& device = snapshot.devices[gpu];
  json.begin_object();
  write_fact(json, "uuid", info.fact(model::Fact::kUuid));
  write_fact(json, "name", info.fact(model::Fact::kName));
  write_fact(json, "serial", info.fact(model::Fact::kSerial));
  write_fact(json, "vbios", info.fact(model::Fact::kVbios));
  write_fact(json, "driver", info.fact(model::Fact::kDriverVersion));
  write_reading(json, "minor", device, Metric::kMinorNumber);
  write_reading(json, "pciegen", device, Metric::kPcieGenerationMax);
  write_reading(json, "pciewidth", device, Metric::kPcieWidthMax);
  write_reading(json, "plimit", device, Metric::kPowerLimit);
  json.end_object();
}

// The members that name a GPU, then its metrics; the object stays open.
void begin_gpu(JsonWriter& json, const model::Snapshot& snapshot, std::size_t gpu) {
  const model::GpuInfo& info = snapshot.inventory->gpus[gpu];
  const model::DeviceSample& device = snapshot.devices[gpu];
  const model::Health health =
      gpu < snapshot.verdicts.size() ? snapshot.verdicts[gpu].overall : model::Health::kUnknown;
  std::array<char, base::kMaxDecimalChars> index{};
  char* index_end = base::write_decimal(index.data(), static_cast<std::int64_t>(gpu), 0);
  json.begin_object();
  json.key("gpu_index").string({index.data(), index_end});
  write_fact(json, "uuid", info.fact(model::Fact::kUuid));
  write_fact(json, "name", info.fact(model::Fact::kName));
  json.key("metrics").begin_object();
  for (const model::Family& family : model::gpu_metric_naming().families) {
    if (!family.metric) {
      json.key("health_status").string(model::health_label(health));
      json.key(family.json_key).number(static_cast<std::int64_t>(health));
    } else if (const model::Reading& reading = device.at(*family.metric); reading.present()) {
      const model::Scaled scaled = model::scale(family, reading.value);
      json.key(family.json_key).number(scaled.value, scaled.decimals);
    }
  }
  json.end_object();
}

// What is not known is null.
template <typename T, typename Write>
void write_optional(JsonWriter& json, std::string_view key, const std::optional<T>& value,
                    Write write) {
  json.key(key);
  if (value) {
    write(*value);
  } else {
    json.null();
  }
}

void write_source(JsonWriter& json, const SourceHealth& source) {
  json.begin_object();
  json.key("method").string(source.method);
  json.key("state").string(source.state);
  write_known(json, "error", source.error);
  write_optional(json, "simulated", source.simulated, [&](bool yes) { json.boolean(yes); });
  write_optional(json, "gpus", source.gpus,
                 [&](std::size_t gpus) { json.number(static_cast<std::int64_t>(gpus)); });
  write_optional(json, "last_tick", source.last_tick,
                 [&](base::WallTime tick) { json.time(tick); });
  json.key("ticks").number(static_cast<std::int64_t>(source.ticks));
  json.key("missed_ticks").number(static_cast<std::int64_t>(source.missed_ticks));
  json.key("device_timeouts").number(static_cast<std::int64_t>(source.device_timeouts));
  json.key("last_tick_duration_seconds").number(source.last_tick_duration.count(), 6);
  json.end_object();
}

void write_settings(JsonWriter& json, const SettingsHealth& settings) {
  json.key("settings").begin_object();
  write_known(json, "file", settings.file);
  write_known(json, "error", settings.error);
  json.key("restart").begin_array();
  for (const std::string& name : settings.restart) json.string(name);
  json.end_array().end_object();
}

void write_recording(JsonWriter& json, const RecordingHealth& recording) {
  json.begin_object();
  write_known(json, "file", recording.file);
  write_known(json, "error", recording.error);
  json.key("ticks").number(static_cast<std::int64_t>(recording.ticks));
  json.key("dropped_ticks").number(static_cast<std::int64_t>(recording.dropped_ticks));
  json.key("bytes").number(static_cast<std::int64_t>(recording.bytes));
  json.end_object();
}

void write_history(JsonWriter& json, const HistoryHealth& history) {
  json.begin_object();
  write_known(json, "file", history.file);
  write_known(json, "error", history.error);
  json.key("ticks").number(static_cast<std::int64_t>(history.ticks));
  json.key("dropped_ticks").number(static_cast<std::int64_t>(history.dropped_ticks));
  json.key("bytes").number(static_cast<std::int64_t>(history.bytes));
  write_optional(json, "last_write", history.last_write,
                 [&](base::WallTime time) { json.time(time); });
  json.end_object();
}

void write_remote_write(JsonWriter& json, const RemoteWriteHealth& remote) {
  json.begin_object();
  write_known(json, "server", remote.server);
  write_known(json, "error", remote.error);
  json.key("sent_samples").number(static_cast<std::int64_t>(remote.sent_samples));
  json.key("refused_samples").number(static_cast<std::int64_t>(remote.refused_samples));
  json.key("lost_ticks").number(static_cast<std::int64_t>(remote.lost_ticks));
  json.key("pending_ticks").number(static_cast<std::int64_t>(remote.pending_ticks));
  json.key("lag_seconds").number(remote.lag.count(), 6);
  write_optional(json, "newest", remote.newest, [&](base::WallTime time) { json.time(time); });
  json.end_object();
}

void write_alerting(JsonWriter& json, const AlertingHealth& alerting) {
  json.begin_object();
  write_known(json, "error", alerting.error);
  json.key("rules").number(static_cast<std::int64_t>(alerting.rules));
  json.key("pending").number(static_cast<std::int64_t>(alerting.pending));
  json.key("firing").number(static_cast<std::int64_t>(alerting.firing));
  json.key("silences").number(static_cast<std::int64_t>(alerting.silences));
  write_optional(json, "last_evaluation", alerting.last_evaluation,
                 [&](base::WallTime time) { json.time(time); });
  json.end_object();
}

void write_notifications(JsonWriter& json, const NotificationsHealth& notifications) {
  json.begin_object();
  write_known(json, "error", notifications.error);
  json.key("durable").boolean(notifications.durable);
  json.key("receivers").number(static_cast<std::int64_t>(notifications.receivers));
  json.key("queued").number(static_cast<std::int64_t>(notifications.queued));
  json.key("failed").number(static_cast<std::int64_t>(notifications.failed));
  json.end_object();
}

}  // namespace

void append_gpu_list(std::string& out, const model::Snapshot& snapshot) {
  JsonWriter json(out);
  json.begin_object().key("gpus").begin_array();
  for (std::size_t gpu = 0; gpu < snapshot.devices.size(); ++gpu) write_static(json, snapshot, gpu);
  json.end_array().end_object();
}

void append_static_document(std::string& out, const model::Snapshot& snapshot, std::size_t gpu) {
  JsonWriter json(out);
  write_static(json, snapshot, gpu);
}

void append_metrics(std::string& out, const model::Snapshot& snapshot) {
  JsonWriter json(out);
  json.begin_object();
  json.key("timestamp").time(snapshot.time);
  json.key("gpus").begin_array();
  for (std::size_t gpu = 0; gpu < snapshot.devices.size(); ++gpu) {
    begin_gpu(json, snapshot, gpu);
    json.end_object();
  }
  json.end_array().end_object();
}

void append_gpu_metrics(std::string& out, const model::Snapshot& snapshot, std::size_t gpu) {
  JsonWriter json(out);
  begin_gpu(json, snapshot, gpu);
  json.key("timestamp").time(snapshot.time);
  json.end_object();
}

std::optional<std::size_t> find_gpu(const model::Inventory& inventory, std::string_view uuid) {
  if (uuid.empty()) return std::nullopt;
  for (std::size_t gpu = 0; gpu < inventory.gpus.size(); ++gpu) {
    if (model::same_uuid(inventory.gpus[gpu].uuid(), uuid)) return gpu;
  }
  return std::nullopt;
}

void append_path_answer(std::string& out, std::string_view path, std::string_view value) {
  JsonWriter json(out);
  json.begin_object().key(path).raw(value).end_object();
}

void append_service_document(std::string& out, std::string_view version,
                             const SourceHealth& primary, std::span<const Endpoint> endpoints,
                             const MoreMembers& more) {
  JsonWriter json(out);
  json.begin_object();
  json.key("service").string("gpuscope");
  json.key("version").string(version);
  json.key("role").string("agent");
  json.key("method").string(primary.method);
  write_optional(json, "simulated", primary.simulated, [&](bool yes) { json.boolean(yes); });
  json.key("endpoints").begin_object();
  for (const Endpoint& endpoint : endpoints) json.key(endpoint.name).string(endpoint.path);
  json.end_object();
  if (more) more(json);
  json.end_object();
}

void append_health_document(std::string& out, std::string_view status, std::string_view version,
                            std::span<const SourceHealth> sources, const AgentHealth& agent,
                            const MoreMembers& more) {
  JsonWriter json(out);
  json.begin_object();
  json.key("status").string(status);
  json.key("version").string(version);
  json.key("sources").begin_array();
  for (const SourceHealth& source : sources) write_source(json, source);
  json.end_array();
  write_settings(json, agent.settings);
  write_optional(json, "recording", agent.recording,
                 [&](const RecordingHealth& recording) { write_recording(json, recording); });
  write_optional(json, "history", agent.history,
                 [&](const HistoryHealth& history) { write_history(json, history); });
  write_optional(json, "remote_write", agent.remote_write,
                 [&](const RemoteWriteHealth& remote) { write_remote_write(json, remote); });
  write_optional(json, "alerting", agent.alerting,
                 [&](const AlertingHealth& alerting) { write_alerting(json, alerting); });
  write_optional(
      json, "notifications", agent.notifications,
      [&](const NotificationsHealth& notifications) { write_notifications(json, notifications); });
  if (more) more(json);
  json.end_object();
}

}  // namespace gpuscope::wire
