#include "alert/dispatcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <tuple>
#include <utility>

#include "query/query.h"

namespace gpuscope::alert {
namespace {

using base::WallTime;
using model::AlertNotification;
using model::AlertState;
using model::AlertStatus;
using model::Labels;

constexpr std::string_view kEmergency = "emergency";
constexpr std::array<std::string_view, 4> kReceivers{"info", "warning", "critical", kEmergency};
constexpr std::array<std::string_view, 2> kGroupBy{"alertname", "gpu_name"};

std::string receiver_of(const AlertStatus& alert) {
  const std::string_view severity = model::label_value(alert.labels, "severity");
  return std::string(std::ranges::find(kReceivers, severity) != kReceivers.end() ? severity
                                                                                 : "warning");
}

Labels group_labels_of(const AlertStatus& alert) {
  Labels labels;
  for (const std::string_view name : kGroupBy) {
    const std::string_view value = model::label_value(alert.labels, name);
    if (!value.empty()) labels.emplace_back(name, value);
  }
  return labels;
}

std::string key_of(const std::string& receiver, const Labels& labels) {
  std::string key = receiver + ":{";
  for (const auto& [name, value] : labels) {
    key += fmt::format("{}{}={}", key.ends_with('{') ? "" : ",", name, value);
  }
  return key + "}";
}

std::string key_of(const AlertStatus& alert) {
  return key_of(receiver_of(alert), group_labels_of(alert));
}

// Of one message and no other; the same where the same is said once more after a restart.
std::string id_of(const std::string& key, std::uint64_t number, const AlertNotification& message) {
  std::string seed = fmt::format("{}\n{}\n", key, number);
  for (const AlertStatus& alert : message.alerts) {
    seed +=
        fmt::format("{} {} {}\n", fingerprint(alert.labels), model::alert_state_name(alert.state),
                    alert.fired_at.value_or(WallTime{}).time_since_epoch().count());
  }
  return fingerprint(key) + fingerprint(seed);
}

// The values of these labels, as one text.
std::string values_of(const Labels& labels, std::span<const std::string_view> names) {
  std::string values;
  for (const std::string_view name : names) {
    values.append(model::label_value(labels, name)).push_back('\0');
  }
  return values;
}

// Whether there is a value; it is in `target` then.
template <typename Value>
bool take(const base::Result<Value>& value, Value& target) {
  if (value) target = *value;
  return value.has_value();
}

}  // namespace

std::span<const Inhibition> inhibitions() {
  static const std::array<Inhibition, 4> all{{
      {R"({alertname="GPUDown",gpu_uuid!=""})",
       R"({alertname=~"GPU(High|VeryHigh|Power|CriticalLow|Health|Idle).*"})",
       {"gpu_uuid", "instance"}},
      {R"({alertname=~"GPUDown|GPUSourceDown"})", R"({alertname="GPUMissing"})", {"instance"}},
      {R"({alertname="GPUDown",gpu_uuid=""})", R"({alertname="GPUAgentDown"})", {"instance"}},
      {R"({alertname="GPUVeryHighTemperature"})",
       R"({alertname="GPUHighTemperature"})",
       {"gpu_uuid", "instance"}},
  }};
  return all;
}

Dispatcher::Dispatcher(DispatchOptions options) : options_(options) {
  for (const Inhibition& rule : inhibitions()) {
    auto source = query::Expression::parse_selector(rule.source);
    auto target = query::Expression::parse_selector(rule.target);
    if (source && target)
      inhibitions_.push_back({std::move(*source), std::move(*target), rule.equal});
  }
}

std::chrono::milliseconds Dispatcher::longest_wait() const {
  return std::max({options_.group_wait, options_.emergency_wait, options_.group_interval});
}

std::size_t Dispatcher::restore(std::span<const model::StateRecord> groups) {
  std::size_t unread = 0;
  for (const model::StateRecord& record : groups) {
    const auto fields = read_record(record.value);
    Group group;
    std::vector<KeptAlert> alerts;
    bool fine = fields.has_value();
    for (std::size_t i = 0; fine && i < fields->size(); ++i) {
      const RecordField& field = (*fields)[i];
      if (field.name == "receiver") group.receiver = field.value;
      if (field.name == "alert") alerts.emplace_back();
      if (field.name == "group_label") fine = add_label(group.labels, field).has_value();
      if (field.name == "messages") fine = take(number_of(field), group.messages);
      if (field.name == "told_at") fine = take(time_of(field), group.told_at);
      if (!alerts.empty()) fine = fine && take_alert_field(alerts.back(), field).has_value();
    }
    if (!fine || group.receiver.empty()) {
      ++unread;
      continue;
    }
    for (KeptAlert& alert : alerts) {
      Labels labels = alert.status.labels;
      group.told.insert_or_assign(std::move(labels), std::move(alert.status));
    }
    groups_.insert_or_assign(key_of(group.receiver, group.labels), std::move(group));
  }
  return unread;
}

void Dispatcher::keep(const std::string& key, const Group& group) {
  RecordWriter writer;
  writer.add("receiver", group.receiver);
  writer.add("group_label", group.labels);
  writer.add("messages", group.messages);
  writer.add("told_at", group.told_at);
  for (const auto& [labels, status] : group.told) add_alert(writer, {"", status, std::nullopt});
  changes_.push_back({std::string(kGroupKind), fingerprint(key), writer.take()});
}

const AlertStatus* Dispatcher::View::find(const Labels& labels) const {
  const auto at = std::ranges::lower_bound(
      by_labels, labels, {},
      [](const AlertStatus* alert) -> const Labels& { return alert->labels; });
  return at != by_labels.end() && (*at)->labels == labels ? *at : nullptr;
}

Dispatcher::View Dispatcher::view_of(std::span<const AlertStatus> alerts) const {
  View view;
  view.sources.resize(inhibitions_.size());
  for (const AlertStatus& alert : alerts) {
    view.by_labels.push_back(&alert);
    if (alert.state != AlertState::kFiring) continue;
    view.firing[key_of(alert)].push_back(&alert);
    for (std::size_t i = 0; i < inhibitions_.size(); ++i) {
      if (!model::fits(inhibitions_[i].source, alert.labels)) continue;
      view.sources[i].insert(values_of(alert.labels, inhibitions_[i].equal));
    }
  }
  // Of two rules' alerts with the same labels, the one that fires counts.
  std::ranges::sort(view.by_labels, {}, [](const AlertStatus* alert) {
    return std::tuple<const Labels&, bool>(alert->labels, alert->state != AlertState::kFiring);
  });
  return view;
}

bool Dispatcher::inhibited(const AlertStatus& alert, const View& view) const {
  for (std::size_t i = 0; i < inhibitions_.size(); ++i) {
    if (view.sources[i].empty() || !model::fits(inhibitions_[i].target, alert.labels)) continue;
    if (view.sources[i].contains(values_of(alert.labels, inhibitions_[i].equal))) return true;
  }
  return false;
}

void Dispatcher::open_groups(WallTime now, const View& view) {
  for (const auto& [key, alerts] : view.firing) {
    if (groups_.contains(key)) continue;
    const std::string receiver = receiver_of(*alerts.front());
    const auto wait = receiver == kEmergency ? options_.emergency_wait : options_.group_wait;
    WallTime first = WallTime::max();
    for (const AlertStatus* alert : alerts) first = std::min(first, alert->fired_at.value_or(now));
    groups_.emplace(key, Group{.labels = group_labels_of(*alerts.front()),
                               .receiver = receiver,
                               .flush_at = std::max(now, first + wait)});
  }
}

std::vector<AlertNotification> Dispatcher::due(WallTime now, std::span<const AlertStatus> alerts,
                                               const Silences& silences) {
  const View view = view_of(alerts);
  open_groups(now, view);
  std::vector<AlertNotification> messages;
  for (auto at = groups_.begin(); at != groups_.end();) {
    Group& group = at->second;
    // A clock that was set back does not hold it up.
    const bool later = group.flush_at > now && group.flush_at <= now + longest_wait();
    if (later) {
      ++at;
      continue;
    }
    group.flush_at = now + options_.group_interval;
    if (auto message = message_of(at->first, group, now, view, silences)) {
      messages.push_back(std::move(*message));
    } else if (group.told.empty() && !view.firing.contains(at->first)) {
      changes_.push_back({std::string(kGroupKind), fingerprint(at->first), std::nullopt});
      at = groups_.erase(at);
      continue;
    }
    ++at;
  }
  return messages;
}

std::optional<AlertNotification> Dispatcher::message_of(const std::string& key, Group& group,
                                                        WallTime now, const View& view,
                                                        const Silences& silences) {
  AlertNotification message{.id = "",
                            .group_key = key,
                            .group_labels = group.labels,
                            .receiver = group.receiver,
                            .time = now,
                            .alerts = {}};
  bool news = false;
  if (const auto firing = view.firing.find(key); firing != view.firing.end()) {
    for (const AlertStatus* alert : firing->second) {
      if (silences.silenced(alert->labels, now) || inhibited(*alert, view)) continue;
      news = news || !group.told.contains(alert->labels);
      message.alerts.push_back(*alert);
    }
  }
  for (auto told = group.told.begin(); told != group.told.end();) {
    const AlertStatus* const found = view.find(told->first);
    if (found != nullptr && found->state == AlertState::kFiring) {
      ++told;
      continue;
    }
    if (silences.silenced(told->first, now)) {
      told = group.told.erase(told);
      keep(key, group);
      continue;
    }
    // One whose rule is no more, or whose condition holds anew, but not for long, is over, too.
    const bool resolved = found != nullptr && found->state == AlertState::kResolved;
    AlertStatus over = resolved ? *found : told->second;
    over.state = AlertState::kResolved;
    if (!over.resolved_at) over.resolved_at = now;
    message.alerts.push_back(std::move(over));
    news = true;
    ++told;
  }
  const bool repeat = group.messages > 0 && now - group.told_at >= options_.repeat_interval;
  if (message.alerts.empty() || !(news || repeat)) return std::nullopt;
  std::ranges::sort(message.alerts, {}, [](const AlertStatus& alert) {
    return std::tuple<AlertState, std::optional<WallTime>, const Labels&>(
        alert.state, alert.fired_at, alert.labels);
  });
  message.id = id_of(key, group.messages, message);
  return message;
}

void Dispatcher::told(const AlertNotification& message) {
  const auto at = groups_.find(message.group_key);
  if (at == groups_.end()) return;
  Group& group = at->second;
  for (const AlertStatus& alert : message.alerts) {
    if (alert.state == AlertState::kFiring) {
      group.told.insert_or_assign(alert.labels, alert);
    } else {
      group.told.erase(alert.labels);
    }
  }
  group.told_at = message.time;
  ++group.messages;
  keep(at->first, group);
}

void Dispatcher::put_off(const AlertNotification& message, WallTime until) {
  const auto at = groups_.find(message.group_key);
  if (at != groups_.end()) at->second.flush_at = until;
}

std::optional<WallTime> Dispatcher::next() const {
  std::optional<WallTime> next;
  for (const auto& [key, group] : groups_)
    next = std::min(next.value_or(group.flush_at), group.flush_at);
  return next;
}

std::vector<model::StateChange> Dispatcher::take_changes() { return std::exchange(changes_, {}); }

}  // namespace gpuscope::alert
