#include "wire/alerts_document.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <utility>

#include "base/duration.h"
#include "wire/json_fields.h"
#include "wire/json_members.h"
#include "wire/json_writer.h"

namespace gpuscope::wire {
namespace {

using base::ErrorKind;
using base::Result;
using base::WallTime;
using model::AlertState;
using model::AlertStatus;

constexpr std::size_t kMostMatchers = 1000;

std::unexpected<base::Error> wrong(std::string what) {
  return base::fail(ErrorKind::kInvalidArgument, "cannot take this silence: " + std::move(what));
}

// As Prometheus writes it: shortest, always with an exponent.
std::string value_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  std::array<char, 32> digits{};
  const auto end =
      std::to_chars(digits.begin(), digits.end(), value, std::chars_format::scientific);
  return {digits.begin(), end.ptr};
}

void write_rule_alert(JsonWriter& json, const AlertStatus& alert) {
  json.begin_object();
  write_labels(json, "labels", alert.labels);
  write_labels(json, "annotations", alert.annotations);
  json.key("state").string(model::alert_state_name(alert.state));
  json.key("activeAt").time(alert.active_since);
  json.key("value").string(value_text(alert.value));
  json.end_object();
}

// Seconds, exactly.
void write_seconds(JsonWriter& json, std::string_view key, std::chrono::microseconds time) {
  constexpr int kMicroDigits = 6;
  json.key(key).number(time.count(), kMicroDigits);
}

void write_run(JsonWriter& json, std::chrono::microseconds took,
               const std::optional<WallTime>& when) {
  write_seconds(json, "evaluationTime", took);
  // What was not evaluated yet has Go's zero time in Prometheus.
  json.key("lastEvaluation");
  when ? json.time(*when) : json.string("0001-01-01T00:00:00Z");
}

std::string_view state_of(const RuleDocument& rule) {
  std::string_view state = "inactive";
  for (const AlertStatus& alert : rule.alerts) {
    if (alert.state == AlertState::kFiring) return "firing";
    if (alert.state == AlertState::kPending) state = "pending";
  }
  return state;
}

void write_rule(JsonWriter& json, const RuleDocument& rule) {
  json.begin_object();
  json.key("state").string(state_of(rule));
  json.key("name").string(rule.name);
  json.key("query").string(rule.query);
  write_seconds(json, "duration", rule.duration);
  write_seconds(json, "keepFiringFor", rule.keep_firing);
  write_labels(json, "labels", rule.labels);
  write_labels(json, "annotations", rule.annotations);
  json.key("alerts").begin_array();
  for (const AlertStatus& alert : rule.alerts) write_rule_alert(json, alert);
  json.end_array();
  json.key("health").string(!rule.last_evaluation ? "unknown" : rule.error.empty() ? "ok" : "err");
  if (!rule.error.empty()) json.key("lastError").string(rule.error);
  write_run(json, rule.evaluation_time, rule.last_evaluation);
  json.key("type").string("alerting");
  json.end_object();
}

void write_group(JsonWriter& json, const RuleGroupDocument& group) {
  json.begin_object();
  json.key("name").string(group.name);
  json.key("file").string(group.file);
  json.key("rules").begin_array();
  std::chrono::microseconds took{};
  std::optional<WallTime> when;
  for (const RuleDocument& rule : group.rules) {
    write_rule(json, rule);
    took += rule.evaluation_time;
    if (rule.last_evaluation) when = rule.last_evaluation;
  }
  json.end_array();
  write_seconds(json, "interval", group.interval);
  json.key("limit").number(0);
  write_run(json, took, when);
  json.end_object();
}

void write_silence(JsonWriter& json, const SilenceDocument& silence) {
  json.begin_object();
  json.key("id").string(silence.id);
  json.key("status").begin_object().key("state").string(silence.state).end_object();
  json.key("updatedAt").time(silence.updated_at);
  json.key("comment").string(silence.comment);
  json.key("createdBy").string(silence.created_by);
  json.key("endsAt").time(silence.ends_at);
  json.key("matchers").begin_array();
  for (const SilenceMatcherDocument& matcher : silence.matchers) {
    json.begin_object();
    json.key("isEqual").boolean(matcher.is_equal);
    json.key("isRegex").boolean(matcher.is_regex);
    json.key("name").string(matcher.name);
    json.key("value").string(matcher.value);
    json.end_object();
  }
  json.end_array();
  json.key("startsAt").time(silence.starts_at);
  json.end_object();
}

// ---- reading

// A member of an object that is a text; `fallback` where it is not there and need not be.
Result<std::string> text(const Json& object, const char* key, const char* fallback = nullptr) {
  const auto at = object.find(key);
  if (at == object.end() && fallback != nullptr) return fallback;
  if (at == object.end() || !at->is_string()) return wrong(fmt::format("{} is no text", key));
  return at->get<std::string>();
}

Result<bool> truth(const Json& object, const char* key, bool fallback) {
  const auto at = object.find(key);
  if (at == object.end()) return fallback;
  if (!at->is_boolean()) return wrong(fmt::format("{} is neither true nor false", key));
  return at->get<bool>();
}

Result<WallTime> time(const Json& object, const char* key) {
  const auto words = text(object, key);
  if (!words) return std::unexpected(words.error());
  // Of the ways to write a moment, a date with its time alone.
  const bool dated = words->find('T') != std::string::npos;
  const auto moment = dated ? base::parse_moment(*words, WallTime{}) : std::nullopt;
  if (!moment) return wrong(fmt::format("{} is no time such as 2026-11-22T09:24:42Z", key));
  return *moment;
}

Result<SilenceMatcherDocument> matcher(const Json& object) {
  if (!object.is_object()) return wrong("a matcher is no object");
  auto name = text(object, "name");
  if (!name) return std::unexpected(std::move(name.error()));
  auto value = text(object, "value");
  if (!value) return std::unexpected(std::move(value.error()));
  const auto regex = truth(object, "isRegex", false);
  if (!regex) return std::unexpected(regex.error());
  const auto equal = truth(object, "isEqual", true);
  if (!equal) return std::unexpected(equal.error());
  return SilenceMatcherDocument{std::move(*name), std::move(*value), *regex, *equal};
}

template <typename Value>
bool take(Result<Value> read, Value& target, std::string& trouble) {
  if (read) {
    target = std::move(*read);
  } else if (trouble.empty()) {
    trouble = std::move(read.error().message);
  }
  return trouble.empty();
}

}  // namespace

void append_alerts_json(std::string& out, std::span<const AlertStatus> alerts) {
  JsonWriter json(out);
  json.begin_object().key("status").string("success").key("data").begin_object();
  json.key("alerts").begin_array();
  for (const AlertStatus& alert : alerts) write_rule_alert(json, alert);
  json.end_array().end_object().end_object();
}

void append_rules_json(std::string& out, std::span<const RuleGroupDocument> groups) {
  JsonWriter json(out);
  json.begin_object().key("status").string("success").key("data").begin_object();
  json.key("groups").begin_array();
  for (const RuleGroupDocument& group : groups) write_group(json, group);
  json.end_array().end_object().end_object();
}

void append_silences_json(std::string& out, std::span<const SilenceDocument> silences) {
  JsonWriter json(out);
  json.begin_array();
  for (const SilenceDocument& silence : silences) write_silence(json, silence);
  json.end_array();
}

void append_silence_json(std::string& out, const SilenceDocument& silence) {
  JsonWriter json(out);
  write_silence(json, silence);
}

Result<SilenceDocument> parse_silence_json(std::string_view body) {
  const Json document = Json::parse(body, nullptr, false);
  if (!document.is_object()) return wrong("it is no JSON object");
  SilenceDocument silence;
  std::string trouble;
  take(text(document, "id", ""), silence.id, trouble);
  take(text(document, "createdBy"), silence.created_by, trouble);
  take(text(document, "comment", ""), silence.comment, trouble);
  take(time(document, "startsAt"), silence.starts_at, trouble);
  take(time(document, "endsAt"), silence.ends_at, trouble);
  const auto matchers = document.find("matchers");
  if (matchers == document.end() || !matchers->is_array()) {
    if (trouble.empty()) return wrong("matchers is no list");
  } else if (matchers->size() > kMostMatchers) {
    return wrong("it has too many matchers");
  } else {
    for (const Json& each : *matchers) {
      SilenceMatcherDocument made;
      if (!take(matcher(each), made, trouble)) break;
      silence.matchers.push_back(std::move(made));
    }
  }
  if (!trouble.empty()) return base::fail(ErrorKind::kInvalidArgument, std::move(trouble));
  return silence;
}

}  // namespace gpuscope::wire
