// One GPU's history as CSV: docs/history.md, "Export".
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "model/naming.h"
#include "model/reading.h"
#include "model/series.h"

namespace gpuscope::wire {

// A column: a metric in the unit of its name there, or the verdict on the GPU, which makes two
// columns, a word and its number.
struct HistoryColumn {
  std::string name;
  std::optional<model::SeriesKey> series;  // none: the verdict
  std::uint8_t binary_shift = 0;           // as model::Family has it
  int decimals = 0;
};

// The columns that every GPU has: power_watts to health_status_numeric, without the time.
std::vector<HistoryColumn> standard_columns(const std::string& gpu);
// Further ones for those of the series that the standard columns do not have as they are, in the
// catalogue's units: "fan_percent[0]" of a fan, "mig_memory_used_bytes[1/0]" of a MIG instance.
std::vector<HistoryColumn> further_columns(const std::vector<model::SeriesKey>& series);

void append_csv_header(std::string& out, const std::vector<HistoryColumn>& columns);
// A row; `readings` by column. What is absent is an empty field, but for the verdict: unknown, 4.
void append_csv_row(std::string& out, base::WallTime time,
                    const std::vector<HistoryColumn>& columns,
                    const std::vector<model::Reading>& readings);

}  // namespace gpuscope::wire
