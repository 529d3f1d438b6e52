#include "wire/history_csv.h"

#include <algorithm>
#include <string_view>

#include "base/decimal.h"
#include "model/health.h"
#include "wire/range_document.h"

namespace gpuscope::wire {
namespace {

constexpr std::string_view kHealthWord = "health_status";

}  // namespace

std::vector<HistoryColumn> standard_columns(const std::string& gpu) {
  std::vector<HistoryColumn> columns;
  for (const model::Family& family : model::gpu_metric_naming().families) {
    HistoryColumn column{.name = std::string(family.json_key),
                         .series = {},
                         .binary_shift = family.binary_shift,
                         .decimals = model::decimals(family)};
    if (family.metric) column.series = model::SeriesKey{gpu, *family.metric, 0};
    columns.push_back(std::move(column));
    // The verdict is the last that the earlier files had.
    if (!family.metric) break;
  }
  return columns;
}

std::vector<HistoryColumn> further_columns(const std::vector<model::SeriesKey>& series) {
  std::vector<HistoryColumn> columns;
  for (const model::SeriesKey& key : series) {
    const model::MetricInfo& info = model::info(key.metric);
    const std::vector<HistoryColumn> standard = standard_columns(key.gpu);
    const bool is_there = std::ranges::any_of(standard, [&](const HistoryColumn& column) {
      return column.series && column.series->metric == key.metric && column.binary_shift == 0;
    });
    if (is_there) continue;
    std::string name(info.key);
    const std::vector<Label> labels = instance_labels(key);
    for (std::size_t i = 0; i < labels.size(); ++i) {
      name.append(i == 0 ? "[" : "/").append(labels[i].second);
    }
    if (!labels.empty()) name += ']';
    columns.push_back({std::move(name), key, 0, info.decimals});
  }
  return columns;
}

void append_csv_header(std::string& out, const std::vector<HistoryColumn>& columns) {
  out += "timestamp";
  for (const HistoryColumn& column : columns) {
    if (!column.series) out.append(",").append(kHealthWord);
    out.append(",").append(column.name);
  }
  out += '\n';
}

void append_csv_row(std::string& out, base::WallTime time,
                    const std::vector<HistoryColumn>& columns,
                    const std::vector<model::Reading>& readings) {
  base::append_utc(out, time);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const HistoryColumn& column = columns[i];
    const model::Reading& reading = readings[i];
    out += ',';
    if (!column.series) {
      constexpr auto kUnknown = static_cast<std::int64_t>(model::Health::kUnknown);
      const bool known = reading.present() && reading.value >= 0 && reading.value < kUnknown;
      const std::int64_t health = known ? reading.value : kUnknown;
      out.append(model::health_label(static_cast<model::Health>(health))).append(",");
      base::append_decimal(out, health, 0);
    } else if (reading.present()) {
      base::append_decimal(out, model::shift_rounded(reading.value, column.binary_shift),
                           column.decimals);
    }
  }
  out += '\n';
}

}  // namespace gpuscope::wire
