#include "wire/health_document.h"

#include <algorithm>
#include <cstddef>
#include <span>

#include "wire/values.h"

namespace gpuscope::wire {
namespace {

using model::Finding;

constexpr std::string_view kTemperature = "Temperature";
constexpr std::string_view kMemory = "Memory";

void write_named_value(JsonWriter& json, std::string_view key, std::string_view value) {
  json.key(key).begin_object().key("value").string(value).end_object();
}

std::string_view or_unknown(std::string_view word) { return word.empty() ? "Unknown" : word; }

// Kept apart from the finding's place in the enumeration: unknown is not worse than critical.
bool is_worse(model::Health left, model::Health right) {
  if (right == model::Health::kUnknown) return left != model::Health::kUnknown;
  return left != model::Health::kUnknown && left > right;
}

// Every component that findings name besides the two that are always there, with its worst
// severity.
void write_other_components(JsonWriter& json, std::span<const Finding> findings) {
  for (std::size_t i = 0; i < findings.size(); ++i) {
    const std::string_view component = findings[i].component;
    if (component == kTemperature || component == kMemory) continue;
    const auto is_same = [&](const Finding& other) { return other.component == component; };
    if (std::ranges::any_of(findings.first(i), is_same)) continue;
    model::Health worst = findings[i].severity;
    for (const Finding& other : findings.subspan(i)) {
      if (is_same(other) && is_worse(other.severity, worst)) worst = other.severity;
    }
    write_named_value(json, component, model::health_name(worst));
  }
}

void write_finding(JsonWriter& json, const Finding& finding) {
  json.begin_object();
  json.key("rule").string(finding.rule);
  json.key("component").string(finding.component);
  json.key("severity").string(model::health_name(finding.severity));
  json.key("reason").string(finding.reason);
  json.key("action").string(finding.action);
  json.key("metric").string(model::info(finding.metric).key);
  // In the metric's own unit, as its key says: bytes stay bytes.
  const int decimals = model::info(finding.metric).decimals;
  if (finding.value.present()) json.key("value").number(finding.value.value, decimals);
  if (finding.limit.present()) json.key("limit").number(finding.limit.value, decimals);
  json.end_object();
}

void write_gpu_child(JsonWriter& json, const model::Verdict& verdict,
                     const std::optional<model::SourceVerdict>& source) {
  json.begin_object();
  json.key("value").string(model::health_name(verdict.gpu));
  json.key("children").begin_object();
  write_named_value(json, kTemperature, or_unknown(verdict.temperature));
  write_named_value(json, kMemory, or_unknown(verdict.memory));
  write_other_components(json, verdict.findings());
  json.end_object();
  if (!verdict.findings().empty()) {
    json.key("findings").begin_array();
    for (const Finding& finding : verdict.findings()) write_finding(json, finding);
    json.end_array();
  }
  if (source) {
    json.key("source").begin_object();
    json.key("value").string(model::health_name(source->health));
    json.key("text").string(source->text).end_object();
  }
  json.end_object();
}

}  // namespace

void write_health_report(JsonWriter& json, const model::Verdict& verdict,
                         const std::optional<model::SourceVerdict>& source) {
  json.begin_object();
  json.key("header").begin_array().string("Health Report").end_array();
  json.key("body").begin_object();
  write_named_value(json, "Overall Health", model::health_name(verdict.overall));
  json.key("GPU").begin_object().key("children").begin_object().key("0");
  write_gpu_child(json, verdict, source);
  json.end_object().end_object();
  json.end_object();
  json.end_object();
}

}  // namespace gpuscope::wire
