#include "wire/history_openmetrics.h"

#include "base/decimal.h"
#include "wire/label_value.h"
#include "wire/metrics_header.h"

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

std::string export_labels(const ExportFamily& family, const ExportGpu& gpu,
                          const model::SeriesKey& key, const std::vector<Label>& more) {
  std::string out = "{";
  if (family.of_page) {
    const bool link = model::info(key.metric).entity == model::Entity::kLink;
    add(out, link ? "gpu_uuid" : "UUID", gpu.uuid);
    add(out, "pci_bus_id", gpu.info.fact(model::Fact::kPciBusId).value);
    add(out, link ? "model_name" : "modelName", gpu.info.name());
  } else {
    add(out, "gpu_uuid", gpu.uuid);
    add(out, "gpu_name", gpu.info.name());
  }
  for (const auto& [name, value] : instance_labels(key)) add(out, name, value);
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
