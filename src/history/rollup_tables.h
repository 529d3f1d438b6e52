// The tables of minutes and hours: docs/formats/history.md, "Rollups".
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <vector>

#include "base/result.h"
#include "history/rollup.h"
#include "history/schema.h"
#include "history/sqlite.h"

namespace gpuscope::history {

// Belongs to one connection, which outlives it, and one thread.
class RollupTables {
 public:
  RollupTables(Connection& connection, const MetricTable& metrics)
      : connection_(connection), metrics_(metrics) {}

  // Learns which columns the file has.
  base::Result<void> load();
  // Makes columns for what these rows have values of, in a transaction of its own: tables have
  // columns for those metrics alone that ever had one.
  base::Result<void> make_columns(const Rollup& rollup, const std::vector<RollupRow>& rows);
  // `rollup`: the one that gave the rows. Rows that are there already are merged.
  base::Result<void> write(const Rollup& rollup, const std::vector<RollupRow>& rows);
  // Lets go of what began before that second, of these GPUs.
  base::Result<void> drop_before(std::int64_t time, const std::vector<std::uint32_t>& gpus);

 private:
  base::Result<void> prepare();
  base::Result<void> alter(const std::set<std::uint32_t>& fresh);
  std::vector<StoredMetric> rolled() const;
  base::Result<void> write_row(const Rollup& rollup, const RollupRow& row);

  Connection& connection_;
  const MetricTable& metrics_;
  std::set<std::uint32_t> rolled_;  // metrics that have columns
  // By entity: the metrics in the order in which they are bound.
  std::array<std::vector<StoredMetric>, model::kEntityCount> bound_;
  std::array<std::array<Statement, kResolutions.size()>, model::kEntityCount> insert_;
};

}  // namespace gpuscope::history
