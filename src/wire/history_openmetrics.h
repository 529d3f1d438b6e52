// The history as OpenMetrics with time stamps, for `promtool tsdb create-blocks-from openmetrics`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/health.h"
#include "model/naming.h"
#include "model/series.h"
#include "model/snapshot.h"
#include "wire/range_document.h"

namespace gpuscope::wire {

// A family as it is exported: one metric, or the verdict, under one of its names elsewhere.
struct ExportFamily {
  std::string_view name;
  std::string_view help;
  std::optional<model::Metric> metric;  // none: the verdict
  bool is_counter = false;
  bool of_page = false;  // has the labels of /metrics; else those of /gpu/metric
  std::uint8_t binary_shift = 0;
  std::int64_t factor = 1;
  int decimals = 0;  // after the factor
};

// The families of /gpu/metric; with `all`, those of /metrics, too, that are one metric each.
std::vector<ExportFamily> export_families(bool all);

// The GPU that series are of.
struct ExportGpu {
  std::string uuid{};
  bool simulated = false;
  model::GpuInfo info{};
  std::optional<std::size_t> index{};                   // none: files of the first version
  std::string host{};                                   // empty: not known
  std::map<std::uint32_t, std::string> mig_profiles{};  // by SeriesKey::instance
};

// `{…} ` of one series as the page has it, `more` behind it: what is not known is left out.
// `health` is a label of /gpu/metric alone.
std::string export_labels(const ExportFamily& family, const ExportGpu& gpu,
                          const model::SeriesKey& key, model::Health health,
                          const std::vector<Label>& more);
void append_export_header(std::string& out, const ExportFamily& family);
// One line; nothing where there is no value.
void append_export_sample(std::string& out, const ExportFamily& family, std::string_view labels,
                          const model::SeriesSample& sample);
inline constexpr std::string_view kExportEnd = "# EOF\n";

}  // namespace gpuscope::wire
