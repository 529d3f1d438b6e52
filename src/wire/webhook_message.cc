#include "wire/webhook_message.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "wire/json_fields.h"
#include "wire/json_writer.h"

namespace gpuscope::wire {
namespace {

using model::AlertNotification;
using model::AlertState;
using model::AlertStatus;
using model::label_value;
using model::Labels;

// Chat systems refuse messages that are too long.
constexpr std::size_t kChatAlerts = 20;

// What all alerts of the message have.
Labels common(const AlertNotification& message, Labels AlertStatus::* set) {
  Labels shared = message.alerts.front().*set;
  for (const AlertStatus& alert : message.alerts) {
    std::erase_if(shared,
                  [&](const auto& pair) { return !std::ranges::binary_search(alert.*set, pair); });
  }
  return shared;
}

base::WallTime start_of(const AlertStatus& alert) {
  return alert.fired_at.value_or(alert.active_since);
}

// One of webhook version 4, which says of a firing alert that it ends at Go's zero time.
void write_webhook_alert(JsonWriter& json, const AlertStatus& alert) {
  json.begin_object();
  json.key("status").string(model::alert_state_name(alert.state));
  write_labels(json, "labels", alert.labels);
  write_labels(json, "annotations", alert.annotations);
  json.key("startsAt").time(start_of(alert));
  json.key("endsAt");
  if (alert.resolved_at) {
    json.time(*alert.resolved_at);
  } else {
    json.string("0001-01-01T00:00:00Z");
  }
  json.key("generatorURL").string(alert.generator_url);
  json.key("fingerprint").string(alert_fingerprint(alert.labels));
  json.key("value").string(alert_value_text(alert.value));
  json.key("since").time(alert.active_since);
  json.end_object();
}

// What a chat message says of one alert, by name.
std::vector<std::pair<std::string_view, std::string>> facts_of(const AlertStatus& alert,
                                                               std::string_view host) {
  std::vector<std::pair<std::string_view, std::string>> facts;
  const auto add = [&](std::string_view name, std::string text) {
    if (!text.empty()) facts.emplace_back(name, std::move(text));
  };
  add("State", std::string(model::alert_state_name(alert.state)));
  add("Severity", std::string(label_value(alert.labels, "severity")));
  add("GPU", gpu_text(alert));
  add("Host", std::string(host));
  add("Value", alert_value_text(alert.value));
  add("Since", alert_time_text(alert.active_since));
  if (alert.resolved_at) add("Resolved", alert_time_text(*alert.resolved_at));
  add("Description", std::string(label_value(alert.annotations, "description")));
  return facts;
}

// As Slack wants text that shall not be a mention or a link.
std::string slack_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else {
      out += c;
    }
  }
  return out;
}

// As an Adaptive Card's text, which is Markdown, wants what shall stand as it is.
std::string card_text(std::string_view text) {
  constexpr std::string_view kMarks = "\\`*_{}[]<>#~|";
  std::string out;
  for (const char c : text) {
    if (kMarks.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string_view color_of(const AlertNotification& message) {
  if (!message.firing()) return "#2e7d32";
  if (message.receiver == "info") return "#1565c0";
  return message.receiver == "warning" ? "#ef6c00" : "#c62828";
}

std::string more_text(const AlertNotification& message) {
  if (message.alerts.size() <= kChatAlerts) return {};
  return fmt::format("… and {} more", message.alerts.size() - kChatAlerts);
}

bool is_web(std::string_view url) {
  return url.starts_with("http://") || url.starts_with("https://");
}

void write_fact_set(JsonWriter& json, const AlertStatus& alert, std::string_view host) {
  json.begin_object().key("type").string("FactSet").key("facts").begin_array();
  for (const auto& [name, text] : facts_of(alert, host)) {
    json.begin_object().key("title").string(name);
    json.key("value").string(card_text(text)).end_object();
  }
  json.end_array().end_object();
}

void write_text_block(JsonWriter& json, std::string_view text, bool title, std::string_view color) {
  json.begin_object().key("type").string("TextBlock").key("wrap").boolean(true);
  json.key("text").string(card_text(text));
  if (title) json.key("size").string("Medium").key("weight").string("Bolder");
  if (!color.empty()) json.key("color").string(color);
  json.end_object();
}

void write_card(JsonWriter& json, const AlertNotification& message, const MessageContext& context) {
  json.begin_object();
  json.key("$schema").string("http://adaptivecards.io/schemas/adaptive-card.json");
  json.key("type").string("AdaptiveCard").key("version").string("1.4");
  json.key("msteams").begin_object().key("width").string("Full").end_object();
  json.key("body").begin_array();
  const std::string_view color = !message.firing()               ? "Good"
                                 : message.receiver == "info"    ? "Accent"
                                 : message.receiver == "warning" ? "Warning"
                                                                 : "Attention";
  write_text_block(json, context.subject, true, color);
  if (context.simulated) write_text_block(json, "The GPUs are simulated.", false, "");
  const std::size_t shown = std::min(message.alerts.size(), kChatAlerts);
  for (std::size_t i = 0; i < shown; ++i) {
    write_text_block(json, summary_of(message.alerts[i]), false, "");
    write_fact_set(json, message.alerts[i], context.host);
  }
  if (const std::string more = more_text(message); !more.empty()) {
    write_text_block(json, more, false, "");
  }
  json.end_array();
  const std::string_view runbook = label_value(message.alerts.front().annotations, "runbook_url");
  json.key("actions").begin_array();
  if (is_web(runbook)) {
    json.begin_object().key("type").string("Action.OpenUrl").key("title").string("Runbook");
    json.key("url").string(runbook).end_object();
  }
  if (is_web(context.external_url)) {
    json.begin_object().key("type").string("Action.OpenUrl").key("title").string("Agent");
    json.key("url").string(context.external_url).end_object();
  }
  json.end_array().end_object();
}

}  // namespace

std::string gpu_text(const AlertStatus& alert) {
  const std::string_view index = label_value(alert.labels, "gpu_index");
  const std::string_view name = label_value(alert.labels, "gpu_name");
  if (index.empty()) return std::string(name);
  return name.empty() ? fmt::format("GPU {}", index) : fmt::format("GPU {}, {}", index, name);
}

std::string_view summary_of(const AlertStatus& alert) {
  const std::string_view summary = label_value(alert.annotations, "summary");
  return summary.empty() ? std::string_view(alert.rule) : summary;
}

std::string alert_fingerprint(const Labels& labels) {
  constexpr std::uint64_t kOffset = 14'695'981'039'346'656'037U;
  constexpr std::uint64_t kPrime = 1'099'511'628'211U;
  constexpr std::uint64_t kSeparator = 255;
  std::uint64_t sum = kOffset;
  const auto add = [&](std::string_view text) {
    for (const char c : text) sum = (sum ^ static_cast<unsigned char>(c)) * kPrime;
    sum = (sum ^ kSeparator) * kPrime;
  };
  for (const auto& [name, value] : labels) {
    add(name);
    add(value);
  }
  return fmt::format("{:016x}", sum);
}

void append_webhook_message(std::string& out, const AlertNotification& message,
                            const MessageContext& context) {
  JsonWriter json(out);
  json.begin_object();
  json.key("version").string("4");
  json.key("groupKey").string(message.group_key);
  json.key("truncatedAlerts").number(0);
  json.key("status").string(message.firing() ? "firing" : "resolved");
  json.key("receiver").string(context.receiver);
  write_labels(json, "groupLabels", message.group_labels);
  write_labels(json, "commonLabels", common(message, &AlertStatus::labels));
  write_labels(json, "commonAnnotations", common(message, &AlertStatus::annotations));
  json.key("externalURL").string(context.external_url);
  json.key("alerts").begin_array();
  for (const AlertStatus& alert : message.alerts) write_webhook_alert(json, alert);
  json.end_array();
  json.key("gpuscope").begin_object();
  json.key("id").string(message.id);
  json.key("severity").string(message.receiver);
  json.key("subject").string(context.subject);
  json.key("host").string(context.host);
  json.key("time").time(message.time);
  json.key("simulated").boolean(context.simulated);
  json.end_object().end_object();
}

void append_slack_message(std::string& out, const AlertNotification& message,
                          const MessageContext& context) {
  JsonWriter json(out);
  json.begin_object();
  json.key("text").string(slack_text(context.subject));
  json.key("attachments").begin_array();
  const std::size_t shown = std::min(message.alerts.size(), kChatAlerts);
  for (std::size_t i = 0; i < shown; ++i) {
    const AlertStatus& alert = message.alerts[i];
    json.begin_object();
    json.key("color").string(alert.state == AlertState::kResolved ? "#2e7d32" : color_of(message));
    json.key("fallback").string(slack_text(summary_of(alert)));
    json.key("title").string(slack_text(summary_of(alert)));
    const std::string_view runbook = label_value(alert.annotations, "runbook_url");
    if (is_web(runbook)) json.key("title_link").string(runbook);
    json.key("fields").begin_array();
    for (const auto& [name, text] : facts_of(alert, context.host)) {
      json.begin_object().key("title").string(name).key("value").string(slack_text(text));
      json.key("short").boolean(name != "Description").end_object();
    }
    json.end_array();
    json.key("footer").string(context.simulated ? "gpuscope, simulated GPUs" : "gpuscope");
    json.end_object();
  }
  if (const std::string more = more_text(message); !more.empty()) {
    json.begin_object().key("fallback").string(more).key("text").string(more).end_object();
  }
  json.end_array().end_object();
}

void append_teams_message(std::string& out, const AlertNotification& message,
                          const MessageContext& context) {
  JsonWriter json(out);
  json.begin_object().key("type").string("message").key("attachments").begin_array();
  json.begin_object();
  json.key("contentType").string("application/vnd.microsoft.card.adaptive");
  json.key("contentUrl").null();
  json.key("content");
  write_card(json, message, context);
  json.end_object().end_array().end_object();
}

void append_alertmanager_alerts(std::string& out, std::span<const AlertStatus> alerts,
                                base::WallTime until) {
  JsonWriter json(out);
  json.begin_array();
  for (const AlertStatus& alert : alerts) {
    if (alert.state == AlertState::kPending) continue;
    json.begin_object();
    write_labels(json, "labels", alert.labels);
    write_labels(json, "annotations", alert.annotations);
    json.key("startsAt").time(start_of(alert));
    json.key("endsAt").time(alert.resolved_at.value_or(until));
    if (is_web(alert.generator_url)) json.key("generatorURL").string(alert.generator_url);
    json.end_object();
  }
  json.end_array();
}

std::string alert_value_text(double value) {
  if (std::isnan(value)) return "no value";
  constexpr double kExact = 1e15;  // below it, a double holds every whole number
  if (std::abs(value) < kExact && value == std::floor(value)) return fmt::format("{:.0f}", value);
  return fmt::format("{:.6g}", value);
}

std::string alert_time_text(base::WallTime time) {
  std::string text = base::format_utc(time).substr(0, 19);  // up to the seconds
  text[10] = ' ';
  return text + " UTC";
}

}  // namespace gpuscope::wire
