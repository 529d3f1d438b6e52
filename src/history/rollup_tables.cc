#include "history/rollup_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

namespace gpuscope::history {
namespace {

using base::Result;
using model::Entity;

// What a row that is there becomes when more of its minute or hour comes: after a clock stepped
// back, or GPUs came or went in between.
std::string merge_sql(const RollupColumns& columns, model::Kind kind) {
  const auto either = [](const std::string& column, std::string_view both) {
    return fmt::format(
        "{0}=CASE WHEN {0} IS NULL THEN excluded.{0} WHEN excluded.{0} IS NULL"
        " THEN {0} ELSE {1} END",
        column, both);
  };
  const std::string third =
      kind == model::Kind::kGauge
          ? fmt::format("({0}*ticks + excluded.{0}*excluded.ticks)/(ticks + excluded.ticks)",
                        columns.third)
          : "excluded." + columns.third;
  return either(columns.min, fmt::format("min({0}, excluded.{0})", columns.min)) + ", " +
         either(columns.max, fmt::format("max({0}, excluded.{0})", columns.max)) + ", " +
         either(columns.third, third);
}

void bind_stat(Statement& statement, int at, const Stat* stat, model::Kind kind) {
  if (stat == nullptr || stat->count == 0) {
    statement.bind_null(at).bind_null(at + 1).bind_null(at + 2);
    return;
  }
  statement.bind(at, stat->min)
      .bind(at + 1, kind == model::Kind::kGauge ? stat->mean() : stat->last)
      .bind(at + 2, stat->max);
}

// The instances of a GPU that a table has rows of, found by its key.
Result<std::vector<std::int64_t>> instances(Connection& connection, const std::string& table,
                                            std::int64_t gpu) {
  std::vector<std::int64_t> found;
  auto next = connection.prepare(
      fmt::format("SELECT min(instance) FROM {} WHERE gpu=? AND instance>?", table));
  if (!next) return std::unexpected(std::move(next.error()));
  for (std::int64_t last = -1;;) {
    next->bind(1, gpu).bind(2, last);
    const auto row = next->step();
    if (!row) return std::unexpected(row.error());
    if (!*row || next->is_null(0)) return found;
    found.push_back(last = next->number(0));
    next->reset();
  }
}

}  // namespace

Result<void> RollupTables::load() {
  for (const Entity entity : kKeptEntities) {
    auto select = connection_.prepare(fmt::format("SELECT name FROM pragma_table_info('{}')",
                                                  rollup_table(entity, Resolution::kMinute)));
    if (!select) return std::unexpected(std::move(select.error()));
    std::set<std::string> names;
    for (;;) {
      const auto row = select->step();
      if (!row) return std::unexpected(row.error());
      if (!*row) break;
      names.insert(select->text(0));
    }
    for (const StoredMetric& metric : metrics_.rows) {
      if (metric.entity == entity && names.contains(rollup_columns(metric).min)) {
        rolled_.insert(metric.id);
      }
    }
  }
  return prepare();
}

std::vector<StoredMetric> RollupTables::rolled() const {
  std::vector<StoredMetric> some;
  std::ranges::copy_if(metrics_.rows, std::back_inserter(some),
                       [&](const StoredMetric& metric) { return rolled_.contains(metric.id); });
  return some;
}

Result<void> RollupTables::make_columns(const Rollup& rollup, const std::vector<RollupRow>& rows) {
  std::set<std::uint32_t> fresh;
  for (const RollupRow& row : rows) {
    const auto& metrics = rollup.metrics(row.part.entity);
    for (std::size_t i = 0; i < row.stats.size(); ++i) {
      if (row.stats[i].count > 0 && !rolled_.contains(metrics[i])) fresh.insert(metrics[i]);
    }
  }
  if (fresh.empty()) return {};
  const std::set<std::uint32_t> before = rolled_;
  rolled_.insert(fresh.begin(), fresh.end());
  if (auto done = alter(fresh); !done) {
    rolled_ = before;
    return done;
  }
  return prepare();
}

// A table without rows is made anew, which takes no longer for a hundred columns than for one.
Result<void> RollupTables::alter(const std::set<std::uint32_t>& fresh) {
  auto transaction = Transaction::begin(connection_);
  if (!transaction) return std::unexpected(std::move(transaction.error()));
  if (auto done = drop_views(connection_); !done) return done;
  const std::vector<StoredMetric> all = rolled();
  for (const Entity entity : kKeptEntities) {
    for (const Resolution resolution : kResolutions) {
      const std::string table = rollup_table(entity, resolution);
      const auto rows = connection_.number(fmt::format("SELECT EXISTS(SELECT 1 FROM {})", table));
      if (!rows) return std::unexpected(rows.error());
      std::string sql;
      if (*rows == 0) {
        sql = fmt::format("DROP TABLE {}; {};", table, rollup_table_sql(entity, resolution, all));
      } else {
        for (const StoredMetric& metric : all) {
          if (metric.entity != entity || !fresh.contains(metric.id)) continue;
          const RollupColumns columns = rollup_columns(metric);
          for (const std::string& column : {columns.min, columns.third, columns.max}) {
            sql += fmt::format("ALTER TABLE {} ADD COLUMN {} INTEGER;", table, quoted(column));
          }
        }
      }
      if (auto done = connection_.execute(sql); !done) return done;
    }
  }
  if (auto done = make_views(connection_, all); !done) return done;
  return transaction->commit();
}

Result<void> RollupTables::prepare() {
  const std::vector<StoredMetric> all = rolled();
  for (const Entity entity : kKeptEntities) {
    const auto place = static_cast<std::size_t>(entity);
    const bool parts = entity != Entity::kGpu;
    bound_[place].clear();
    std::string columns = parts ? ", instance" : "";
    std::string values = parts ? ", ?" : "";
    std::string merge;
    for (const StoredMetric& metric : all) {
      if (metric.entity != entity) continue;
      bound_[place].push_back(metric);
      const RollupColumns names = rollup_columns(metric);
      columns += fmt::format(", {}, {}, {}", names.min, names.third, names.max);
      values += ", ?, ?, ?";
      merge += ", " + merge_sql(names, metric.kind);
    }
    for (const Resolution resolution : kResolutions) {
      auto prepared = connection_.prepare(fmt::format(
          "INSERT INTO {}(gpu, time, ticks{}) VALUES(?, ?, ?{}) ON CONFLICT(gpu, {}time)"
          " DO UPDATE SET ticks=ticks + excluded.ticks{}",
          rollup_table(entity, resolution), columns, values, parts ? "instance, " : "", merge));
      if (!prepared) return std::unexpected(std::move(prepared.error()));
      insert_[place][static_cast<std::size_t>(resolution)] = std::move(*prepared);
    }
  }
  return {};
}

Result<void> RollupTables::write_row(const Rollup& rollup, const RollupRow& row) {
  const auto entity = static_cast<std::size_t>(row.part.entity);
  Statement& insert = insert_[entity][static_cast<std::size_t>(row.resolution)];
  insert.bind(1, std::int64_t{row.gpu}).bind(2, row.time).bind(3, std::int64_t{row.ticks});
  int at = 4;
  if (row.part.entity != Entity::kGpu) insert.bind(at++, std::int64_t{row.part.instance});
  const auto& metrics = rollup.metrics(row.part.entity);
  for (const StoredMetric& metric : bound_[entity]) {
    const auto place =
        static_cast<std::size_t>(std::ranges::find(metrics, metric.id) - metrics.begin());
    bind_stat(insert, at, place < row.stats.size() ? &row.stats[place] : nullptr, metric.kind);
    at += 3;
  }
  return insert.run();
}

Result<void> RollupTables::write(const Rollup& rollup, const std::vector<RollupRow>& rows) {
  for (const RollupRow& row : rows) {
    if (auto done = write_row(rollup, row); !done) return done;
  }
  return {};
}

Result<void> RollupTables::drop_before(std::int64_t time, const std::vector<std::uint32_t>& gpus) {
  for (const Entity entity : kKeptEntities) {
    for (const Resolution resolution : kResolutions) {
      const std::string table = rollup_table(entity, resolution);
      const bool parts = entity != Entity::kGpu;
      auto remove = connection_.prepare(fmt::format("DELETE FROM {} WHERE gpu=? AND {}time<?",
                                                    table, parts ? "instance=? AND " : ""));
      if (!remove) return std::unexpected(std::move(remove.error()));
      for (const std::uint32_t gpu : gpus) {
        remove->bind(1, std::int64_t{gpu});
        if (!parts) {
          if (auto done = remove->bind(2, time).run(); !done) return done;
          continue;
        }
        const auto places = instances(connection_, table, gpu);
        if (!places) return std::unexpected(places.error());
        for (const std::int64_t instance : *places) {
          if (auto done = remove->bind(2, instance).bind(3, time).run(); !done) return done;
        }
      }
    }
  }
  return {};
}

}  // namespace gpuscope::history
