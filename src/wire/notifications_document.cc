#include "wire/notifications_document.h"

#include <optional>
#include <string_view>

#include "wire/json_fields.h"
#include "wire/json_writer.h"

namespace gpuscope::wire {
namespace {

void write_time(JsonWriter& json, std::string_view key, std::optional<base::WallTime> time) {
  json.key(key);
  if (time) {
    json.time(*time);
  } else {
    json.null();
  }
}

std::int64_t count(std::uint64_t value) { return static_cast<std::int64_t>(value); }

void write_receiver(JsonWriter& json, const model::ReceiverStatus& receiver) {
  json.begin_object();
  json.key("name").string(receiver.name);
  json.key("server").string(receiver.server);
  json.key("severities").string(receiver.severities);
  json.key("state").string(receiver.error.empty() ? "ok" : "failing");
  write_known(json, "error", receiver.error);
  json.key("queued").number(count(receiver.queued));
  json.key("sent").number(count(receiver.sent));
  json.key("failed").number(count(receiver.failed));
  json.key("retries").number(count(receiver.retries));
  write_time(json, "last_sent", receiver.last_sent);
  json.end_object();
}

void write_delivery(JsonWriter& json, const model::Delivery& delivery) {
  json.begin_object();
  json.key("key").string(delivery.key);
  json.key("id").string(delivery.id);
  json.key("group").string(delivery.group_key);
  json.key("receiver").string(delivery.receiver);
  write_known(json, "to", delivery.to);
  json.key("subject").string(delivery.subject);
  json.key("state").string(model::delivery_state_name(delivery.state));
  json.key("attempts").number(delivery.attempts);
  write_known(json, "error", delivery.error);
  json.key("uncertain").boolean(delivery.uncertain);
  json.key("created").time(delivery.created);
  write_time(json, "attempted", delivery.attempted);
  write_time(json, "done", delivery.done);
  json.end_object();
}

}  // namespace

void append_notifications(std::string& out, const Notifications& notifications) {
  JsonWriter json(out);
  json.begin_object();
  json.key("durable").boolean(notifications.durable);
  write_known(json, "store_error", notifications.store_error);
  json.key("receivers").begin_array();
  for (const auto& receiver : notifications.receivers) write_receiver(json, receiver);
  json.end_array();
  json.key("notifications").begin_array();
  for (const auto& delivery : notifications.deliveries) write_delivery(json, delivery);
  json.end_array().end_object();
}

}  // namespace gpuscope::wire
