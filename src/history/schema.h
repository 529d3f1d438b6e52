// The tables and views of the history: docs/formats/history.md, "Tables".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "history/layout.h"
#include "history/rollup.h"
#include "history/sqlite.h"
#include "model/catalog.h"

namespace gpuscope::history {

inline constexpr std::int64_t kApplicationId = 0x47505348;  // "GPSH"
inline constexpr std::int64_t kSchemaVersion = 2;

// Whether the file is a history that this program can read: a new one, one of ours, or an error
// that says what it is instead.
enum class FileState : std::uint8_t { kNew, kOurs };
base::Result<FileState> check_file(Connection& connection);

// Of a file of ours: 1 to kSchemaVersion; a file that is only read may be an earlier one.
base::Result<std::int64_t> schema_version(Connection& connection);

// A file that can be written: how its journal is kept, and its tables as this version has them:
// made where it is new, brought forward where an earlier program wrote it. Whoever comes first, the
// history or the states, does it; an error says why it is nobody's.
base::Result<void> prepare_file(Connection& connection);

// One row of the table of metrics.
struct StoredMetric {
  std::uint32_t id = 0;
  std::string key;
  model::Entity entity = model::Entity::kGpu;
  int decimals = 0;
  model::Kind kind = model::Kind::kGauge;
  bool rolled = false;  // has columns in the rollups
};

// The metrics of the catalogue, by their numbers in this file; those that it lacks are added.
struct MetricTable {
  Layout layout;  // of this program
  std::vector<StoredMetric> rows;

  const StoredMetric* find(std::uint32_t id) const;
};
base::Result<MetricTable> load_metrics(Connection& connection);

// The three columns that a metric has in a rollup: "power_watts_min", …
struct RollupColumns {
  std::string min;
  std::string max;
  std::string third;  // the mean of a gauge, else the last value
};
RollupColumns rollup_columns(const StoredMetric& metric);

// "rollup_minute", "rollup_link_hour", …
std::string rollup_table(model::Entity entity, Resolution resolution);
// What makes that table, with these metrics' columns.
std::string rollup_table_sql(model::Entity entity, Resolution resolution,
                             const std::vector<StoredMetric>& metrics);

// Makes the views again that depend on the metrics: those with rollup columns.
base::Result<void> make_views(Connection& connection, const std::vector<StoredMetric>& metrics);
base::Result<void> drop_views(Connection& connection);
// A view for each GPU that has none yet; these stay as they are. The first 1,000 GPUs of a file get
// one.
base::Result<void> make_gpu_views(Connection& connection);

}  // namespace gpuscope::history
