#include "wire/catalog_document.h"

#include <cstdint>
#include <string_view>

#include "model/catalog.h"
#include "model/naming.h"
#include "wire/json_writer.h"

namespace gpuscope::wire {
namespace {

constexpr std::int64_t kCatalogVersion = 1;

std::string_view entity_key(model::Entity entity) {
  switch (entity) {
    case model::Entity::kGpu:
      return "gpu";
    case model::Entity::kFan:
      return "fan";
    case model::Entity::kLink:
      return "link";
    case model::Entity::kMigInstance:
      return "mig_instance";
    case model::Entity::kProcess:
      return "process";
  }
  return "gpu";
}

std::string_view unit_key(model::Unit unit) {
  switch (unit) {
    case model::Unit::kPercent:
      return "percent";
    case model::Unit::kBytes:
      return "bytes";
    case model::Unit::kBytesPerSecond:
      return "bytes_per_second";
    case model::Unit::kCelsius:
      return "celsius";
    case model::Unit::kWatts:
      return "watts";
    case model::Unit::kJoules:
      return "joules";
    case model::Unit::kMegahertz:
      return "megahertz";
    case model::Unit::kSeconds:
      return "seconds";
    case model::Unit::kRpm:
      return "rpm";
    case model::Unit::kCount:
      return "count";
    case model::Unit::kFlag:
      return "flag";
    case model::Unit::kState:
      return "state";
    case model::Unit::kGeneration:
      return "generation";
    case model::Unit::kLanes:
      return "lanes";
  }
  return "count";
}

std::string_view cadence_key(model::Cadence cadence) {
  switch (cadence) {
    case model::Cadence::kTick:
      return "tick";
    case model::Cadence::kSlow:
      return "slow";
    case model::Cadence::kOnce:
      return "once";
  }
  return "tick";
}

// What a metric is called in the exposition pages, by the path of the page.
void write_names(JsonWriter& json, model::Metric metric) {
  json.key("names").begin_object();
  json.key("/metrics").begin_array();
  for (const std::string_view name : model::metrics_names(metric)) json.string(name);
  json.end_array();
  json.key("/gpu/metric").begin_array();
  for (const model::Family& family : model::gpu_metric_naming().families) {
    if (family.metric == metric) json.string(family.name);
  }
  json.end_array();
  json.end_object();
}

void write_metric(JsonWriter& json, const model::MetricInfo& row) {
  json.begin_object();
  json.key("key").string(row.key);
  json.key("entity").string(entity_key(row.entity));
  json.key("unit").string(unit_key(row.unit));
  json.key("unit_symbol").string(model::unit_symbol(row.unit));
  json.key("kind").string(model::kind_name(row.kind));
  json.key("cadence").string(cadence_key(row.cadence));
  json.key("decimals").number(row.decimals);
  json.key("label").string(row.label);
  json.key("help").string(row.help);
  write_names(json, row.id);
  json.end_object();
}

}  // namespace

void append_catalog(std::string& out) {
  JsonWriter json(out);
  json.begin_object();
  json.key("version").number(kCatalogVersion);
  json.key("metrics").begin_array();
  for (const model::MetricInfo& row : model::metrics()) write_metric(json, row);
  json.end_array();
  json.key("facts").begin_array();
  for (const model::FactInfo& row : model::facts()) {
    json.begin_object();
    json.key("key").string(row.key);
    json.key("help").string(row.help);
    json.end_object();
  }
  json.end_array().end_object();
}

}  // namespace gpuscope::wire
