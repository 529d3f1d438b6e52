#include "wire/history_openmetrics.h"

#include "base/decimal.h"
#include "wire/label_value.h"
#include "wire/metrics_header.h"
#include "wire/metrics_labels.h"

namespace gpuscope::wire {
namespace {

constexpr int kMicroDigits = 6;

void add_page_families(std::span<const model::MetricsFamily> rows,
                       std::vector<ExportFamily>& families) {
  for (const model::MetricsFamily& row : rows) {
    const model::MetricInfo& info = model::info(row.metric);
    const bool kept = info.entity != model::Entity::kProcess;
    const bool served = row.tier != model::Tier::kOnRequest;
    if (row.source != model::FamilySource::kReading || !kept || !served) continue;
    ExportFamily family{.name = row.name,
                        .help = row.help,
                        .metric = row.metric,
                        .is_counter = row.kind == model::Kind::kCounter,
                        .of_page = true,
                        .binary_shift = row.binary_shift};
    family.decimals = (row.binary_shift == 0 ? info.decimals : 0) + row.decimal_shift;
    for (; family.decimals < 0; ++family.decimals) family.factor *= 10;
    families.push_back(family);
  }
}

void add(std::string& out, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  if (out.size() > 1) out += ',';
  append_label(out, name, value);
}

}  // namespace

std::vector<ExportFamily> export_families(bool all) {
  std::vector<ExportFamily> families;
  for (const model::Family& row : model::gpu_metric_naming().families) {
    families.push_back({.name = row.name,
                        .help = row.help,
                        .metric = row.metric,
                        .is_counter = row.kind == model::Kind::kCounter,
                        .binary_shift = row.binary_shift,
                        .decimals = model::decimals(row)});
  }
  if (!all) return families;
  add_page_families(model::dcgm_families(), families);
  add_page_families(model::gpuscope_families(), families);
  return families;
}

namespace {

// Which GPU, as /metrics says it.
void add_identity(std::string& out, const ExportGpu& gpu, bool of_link) {
  if (gpu.index) {
    MetricsLabels::append_identity(out, *gpu.index, gpu.info, of_link);
    return;
  }
  add(out, of_link ? "gpu_uuid" : "UUID", gpu.uuid);
  add(out, "pci_bus_id", gpu.info.fact(model::Fact::kPciBusId).value);
  add(out, of_link ? "model_name" : "modelName", gpu.info.name());
}

void add_page_labels(std::string& out, const ExportFamily& family, const ExportGpu& gpu,
                     const model::SeriesKey& key) {
  const model::Entity entity = model::info(key.metric).entity;
  add_identity(out, gpu, entity == model::Entity::kLink);
  if (entity == model::Entity::kMigInstance) {
    const auto profile = gpu.mig_profiles.find(key.instance);
    if (profile != gpu.mig_profiles.end()) add(out, "GPU_I_PROFILE", profile->second);
  }
  for (const auto& [name, value] : instance_labels(key)) add(out, name, value);
  add(out, "Hostname", gpu.host);
  if (!family.name.starts_with("gpuscope_")) {
    add(out, "DCGM_FI_DRIVER_VERSION", gpu.info.fact(model::kDefaultLabelField).value);
  }
}

}  // namespace

std::string export_labels(const ExportFamily& family, const ExportGpu& gpu,
                          const model::SeriesKey& key, model::Health health,
                          const std::vector<Label>& more) {
  std::string out = "{";
  if (family.of_page) {
    add_page_labels(out, family, gpu, key);
  } else {
    add(out, "gpu_uuid", gpu.uuid);
    if (gpu.index) add(out, "gpu_index", std::to_string(*gpu.index));
    add(out, "gpu_name", gpu.info.name());
    add(out, "gpu_health", model::health_label(health));
  }
  if (gpu.simulated) add(out, "simulated", "true");
  for (const auto& [name, value] : more) add(out, name, value);
  return out + "} ";
}

void append_export_header(std::string& out, const ExportFamily& family) {
  append_metrics_header(out, family.name, family.help, family.is_counter,
                        MetricsFormat::kOpenMetrics);
}

void append_export_sample(std::string& out, const ExportFamily& family, std::string_view labels,
                          const model::SeriesSample& sample) {
  if (!sample.reading.present()) return;
  out.append(family.name).append(labels);
  base::append_decimal(
      out, model::shift_rounded(sample.reading.value, family.binary_shift) * family.factor,
      family.decimals);
  out += ' ';
  base::append_decimal(out, sample.time.time_since_epoch().count(), kMicroDigits);
  out += '\n';
}

}  // namespace gpuscope::wire
