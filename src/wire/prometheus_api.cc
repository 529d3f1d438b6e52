#include "wire/prometheus_api.h"

#include <array>
#include <charconv>
#include <cmath>
#include <map>

#include "model/naming.h"
#include "wire/json_fields.h"

namespace gpuscope::wire {
namespace {

// The longest double without an exponent has 309 digits before the point, or 324 and more behind.
constexpr std::size_t kMaxNumber = 1100;

// As Go writes it: shortest, without an exponent, in quotes.
void append_value(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "\"NaN\"";
  } else if (std::isinf(value)) {
    out += value > 0 ? "\"+Inf\"" : "\"-Inf\"";
  } else {
    std::array<char, kMaxNumber> text;
    const auto end =
        std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed).ptr;
    out += '"';
    out.append(text.data(), static_cast<std::size_t>(end - text.data()));
    out += '"';
  }
}

// [1669130000.123,"80.5"]
void write_sample(JsonWriter& json, const model::LabelledSample& sample) {
  std::string value;
  append_value(value, sample.value);
  json.begin_array().number(sample.time_ms, 3).raw(value).end_array();
}

JsonWriter begin_success(std::string& out) {
  JsonWriter json(out);
  json.begin_object().key("status").string("success").key("data");
  return json;
}

void write_family(JsonWriter& json, std::string_view name, model::Kind kind,
                  std::string_view help) {
  json.key(name).begin_array().begin_object();
  json.key("type").string(model::prometheus_type(kind));
  json.key("help").string(help);
  json.key("unit").string("");
  json.end_object().end_array();
}

struct About {
  model::Kind kind = model::Kind::kGauge;
  std::string_view help;
};

// Every family that is a view of something stored, by name.
std::map<std::string_view, About> families() {
  std::map<std::string_view, About> all;
  for (const model::Family& family : model::gpu_metric_naming().families) {
    all.try_emplace(family.name, About{family.kind, family.help});
  }
  for (const auto& rows : {model::dcgm_families(), model::gpuscope_families()}) {
    for (const model::MetricsFamily& row : rows) {
      all.try_emplace(row.name, About{row.kind, row.help});
      if (!row.new_name.empty()) all.try_emplace(row.new_name, About{row.kind, row.help});
    }
  }
  all.try_emplace("up", About{model::Kind::kGauge, "1: the agent that answers is there"});
  return all;
}

}  // namespace

QueryAnswer::QueryAnswer(std::string& out, std::string_view type) : json_(begin_success(out)) {
  json_.begin_object().key("resultType").string(type).key("result").begin_array();
}

void QueryAnswer::add_labels(const model::Labels& labels) {
  json_.begin_object().key("metric");
  write_labels(json_, labels);
}

void QueryAnswer::add(const model::Labels& labels, const model::LabelledSample& sample) {
  add_labels(labels);
  json_.key("value");
  write_sample(json_, sample);
  json_.end_object();
}

void QueryAnswer::add(const model::Labels& labels, std::span<const model::LabelledSample> samples) {
  add_labels(labels);
  json_.key("values").begin_array();
  for (const model::LabelledSample& sample : samples) write_sample(json_, sample);
  json_.end_array().end_object();
}

void QueryAnswer::finish() { json_.end_array().end_object().end_object(); }

void append_scalar_answer(std::string& out, const model::LabelledSample& sample) {
  JsonWriter json = begin_success(out);
  json.begin_object().key("resultType").string("scalar").key("result");
  write_sample(json, sample);
  json.end_object().end_object();
}

void append_string_answer(std::string& out, std::int64_t time_ms, std::string_view text) {
  JsonWriter json = begin_success(out);
  json.begin_object().key("resultType").string("string").key("result");
  json.begin_array().number(time_ms, 3).string(text).end_array();
  json.end_object().end_object();
}

void append_names_answer(std::string& out, std::span<const std::string> names) {
  JsonWriter json = begin_success(out);
  json.begin_array();
  for (const std::string& name : names) json.string(name);
  json.end_array().end_object();
}

void append_series_answer(std::string& out, std::span<const model::LabelsPtr> series,
                          bool truncated) {
  JsonWriter json = begin_success(out);
  json.begin_array();
  for (const model::LabelsPtr& labels : series) write_labels(json, *labels);
  json.end_array();
  if (truncated) {
    json.key("warnings").begin_array().string("results truncated due to limit").end_array();
  }
  json.end_object();
}

void append_metadata_answer(std::string& out, std::string_view name, std::size_t most) {
  JsonWriter json = begin_success(out);
  json.begin_object();
  std::size_t written = 0;
  for (const auto& [family, about] : families()) {
    if ((!name.empty() && family != name) || written == most) continue;
    write_family(json, family, about.kind, about.help);
    ++written;
  }
  json.end_object().end_object();
}

void append_buildinfo_answer(std::string& out, std::string_view version) {
  JsonWriter json = begin_success(out);
  json.begin_object();
  // Programs choose by this version what they may ask for.
  json.key("version").string("2.42.0");
  json.key("revision").string(version);
  json.key("branch").string("");
  json.key("buildUser").string("");
  json.key("buildDate").string("");
  json.key("goVersion").string("");
  json.key("application").string("gpuscope");
  json.end_object().end_object();
}

void append_empty_answer(std::string& out) {
  begin_success(out).begin_array().end_array().end_object();
}

void append_query_error(std::string& out, std::string_view type, std::string_view detail) {
  JsonWriter json(out);
  json.begin_object();
  json.key("status").string("error");
  json.key("errorType").string(type);
  json.key("error").string(detail);
  json.key("detail").string(detail);
  json.end_object();
}

}  // namespace gpuscope::wire
