#include "wire/delivery_record.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <utility>

#include "base/duration.h"
#include "wire/json_fields.h"
#include "wire/json_members.h"
#include "wire/json_writer.h"

namespace gpuscope::wire {
namespace {

using base::WallTime;
using model::AlertNotification;
using model::AlertState;
using model::AlertStatus;
using model::Delivery;
using model::DeliveryState;
using model::Labels;

constexpr int kDeliveryVersion = 1;

void write_time(JsonWriter& json, std::string_view key, std::optional<WallTime> time) {
  if (time) json.key(key).time(*time);
}

void write_kept_alert(JsonWriter& json, const AlertStatus& alert) {
  json.begin_object();
  write_labels(json, "labels", alert.labels);
  write_labels(json, "annotations", alert.annotations);
  json.key("state").string(model::alert_state_name(alert.state));
  json.key("active_since").time(alert.active_since);
  write_time(json, "fired_at", alert.fired_at);
  write_time(json, "resolved_at", alert.resolved_at);
  // JSON has no number for NaN and the infinite.
  json.key("value").string(fmt::format("{}", alert.value));
  json.key("rule").string(alert.rule);
  json.key("expression").string(alert.expression);
  json.key("generator_url").string(alert.generator_url);
  json.end_object();
}

void write_message(JsonWriter& json, const AlertNotification& message) {
  json.begin_object();
  write_labels(json, "group_labels", message.group_labels);
  json.key("severity").string(message.receiver);
  json.key("time").time(message.time);
  json.key("alerts").begin_array();
  for (const AlertStatus& alert : message.alerts) write_kept_alert(json, alert);
  json.end_array().end_object();
}

// What is not as expected is noted here; reading goes on, so that every path is the same.
class Reader {
 public:
  bool good() const { return good_; }

  const Json& member(const Json& object, const char* name, bool required = true) {
    static const Json none;
    if (object.is_object()) {
      if (const auto at = object.find(name); at != object.end()) return *at;
    }
    if (required) good_ = false;
    return none;
  }
  std::string text(const Json& object, const char* name) {
    const Json& value = member(object, name);
    if (value.is_string()) return value.get<std::string>();
    good_ = false;
    return {};
  }
  std::optional<WallTime> maybe_time(const Json& object, const char* name) {
    const Json& value = member(object, name, false);
    if (value.is_null()) return std::nullopt;
    auto time = value.is_string() ? base::parse_time(value.get<std::string>()) : std::nullopt;
    if (!time) good_ = false;
    return time;
  }
  WallTime time(const Json& object, const char* name) {
    const auto value = maybe_time(object, name);
    if (!value) good_ = false;
    return value.value_or(WallTime{});
  }
  Labels labels(const Json& object, const char* name) {
    Labels labels;
    const Json& value = member(object, name);
    if (!value.is_object()) good_ = false;
    for (const auto& [key, text] : value.items()) {  // in the order of the names
      if (text.is_string()) {
        labels.emplace_back(key, text.get<std::string>());
      } else {
        good_ = false;
      }
    }
    return labels;
  }
  template <typename State>
  State state(const Json& object, std::initializer_list<State> all,
              std::string_view (*name_of)(State)) {
    const std::string word = text(object, "state");
    for (const State state : all) {
      if (word == name_of(state)) return state;
    }
    good_ = false;
    return *all.begin();
  }
  double number(const Json& object, const char* name) {
    const std::string word = text(object, name);
    double number = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (error != std::errc{} || end != word.data() + word.size()) good_ = false;
    return number;
  }

 private:
  bool good_ = true;
};

AlertStatus read_alert(Reader& reader, const Json& json) {
  AlertStatus alert;
  alert.labels = reader.labels(json, "labels");
  alert.annotations = reader.labels(json, "annotations");
  alert.state = reader.state<AlertState>(json, {AlertState::kFiring, AlertState::kResolved},
                                         &model::alert_state_name);
  alert.active_since = reader.time(json, "active_since");
  alert.fired_at = reader.maybe_time(json, "fired_at");
  alert.resolved_at = reader.maybe_time(json, "resolved_at");
  alert.value = reader.number(json, "value");
  alert.rule = reader.text(json, "rule");
  alert.expression = reader.text(json, "expression");
  alert.generator_url = reader.text(json, "generator_url");
  return alert;
}

std::shared_ptr<const AlertNotification> read_message(Reader& reader, const Json& json,
                                                      const Delivery& delivery) {
  auto message = std::make_shared<AlertNotification>();
  message->id = delivery.id;
  message->group_key = delivery.group_key;
  message->group_labels = reader.labels(json, "group_labels");
  message->receiver = reader.text(json, "severity");
  message->time = reader.time(json, "time");
  for (const Json& alert : reader.member(json, "alerts")) {
    message->alerts.push_back(read_alert(reader, alert));
  }
  return message;
}

}  // namespace

std::string encode_delivery(const Delivery& delivery) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("version").number(kDeliveryVersion);
  json.key("id").string(delivery.id);
  json.key("group").string(delivery.group_key);
  json.key("receiver").string(delivery.receiver);
  json.key("to").string(delivery.to);
  json.key("thread").string(delivery.thread);
  json.key("subject").string(delivery.subject);
  json.key("firing").boolean(delivery.firing);
  json.key("state").string(model::delivery_state_name(delivery.state));
  json.key("attempts").number(delivery.attempts);
  json.key("error").string(delivery.error);
  json.key("uncertain").boolean(delivery.uncertain);
  json.key("created").time(delivery.created);
  write_time(json, "attempted", delivery.attempted);
  write_time(json, "done", delivery.done);
  if (delivery.message) {
    json.key("message");
    write_message(json, *delivery.message);
  }
  json.end_object();
  return out;
}

base::Result<Delivery> decode_delivery(std::string_view key, std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  Reader reader;
  Delivery delivery;
  delivery.key = key;
  delivery.id = reader.text(json, "id");
  delivery.group_key = reader.text(json, "group");
  delivery.receiver = reader.text(json, "receiver");
  delivery.to = reader.text(json, "to");
  delivery.thread = reader.text(json, "thread");
  delivery.subject = reader.text(json, "subject");
  delivery.state = reader.state<DeliveryState>(json,
                                               {DeliveryState::kQueued, DeliveryState::kSending,
                                                DeliveryState::kSent, DeliveryState::kFailed},
                                               &model::delivery_state_name);
  delivery.error = reader.text(json, "error");
  delivery.created = reader.time(json, "created");
  delivery.attempted = reader.maybe_time(json, "attempted");
  delivery.done = reader.maybe_time(json, "done");
  const Json& attempts = reader.member(json, "attempts");
  const Json& uncertain = reader.member(json, "uncertain");
  const Json& firing = reader.member(json, "firing");
  const Json& message = reader.member(json, "message", !delivery.is_done());
  bool good = reader.member(json, "version") == kDeliveryVersion && attempts.is_number_unsigned() &&
              uncertain.is_boolean() && firing.is_boolean();
  if (good) {
    delivery.attempts = attempts.get<std::uint32_t>();
    delivery.uncertain = uncertain.get<bool>();
    delivery.firing = firing.get<bool>();
  }
  if (message.is_object()) {
    delivery.message = read_message(reader, message, delivery);
    good = good && !delivery.message->alerts.empty();
  }
  good = good && (delivery.is_done() || delivery.message);
  if (!good || !reader.good()) {
    return base::fail(base::ErrorKind::kInvalidArgument,
                      fmt::format("cannot read the record of the message {}: it is damaged, or of "
                                  "another version",
                                  key));
  }
  return delivery;
}

}  // namespace gpuscope::wire
