// The part of the store that keeps the rollups, and lets go of what is old.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "history/store.h"

namespace gpuscope::history {
namespace {

using base::Result;
using std::chrono::seconds;

constexpr unsigned kGpuBits = 16;
constexpr std::int64_t kFreedPages = 64;  // given back to the disk by one commit
constexpr std::int64_t kDay = 86'400;
constexpr int kFirstStat = 4;  // parameters before: gpu, time, ticks

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

}  // namespace

// Rollups have columns for those metrics alone that had a value.
Result<void> Store::add_rollup_columns(const std::vector<RollupRow>& rows) {
  const auto& layout = head_.layout.of(model::Entity::kGpu);
  std::set<std::uint32_t> fresh;
  for (const RollupRow& row : rows) {
    for (std::size_t i = 0; i < row.stats.size(); ++i) {
      if (row.stats[i].count == 0 || rolled_.contains(layout[i])) continue;
      const StoredMetric* metric = metrics_.find(layout[i]);
      if (metric != nullptr && metric->rolled) fresh.insert(layout[i]);
    }
  }
  if (fresh.empty() && insert_minute_) return {};
  const std::set<std::uint32_t> before = rolled_;
  rolled_.insert(fresh.begin(), fresh.end());
  auto alter = [&]() -> Result<void> {
    auto transaction = Transaction::begin(connection_);
    if (!transaction) return std::unexpected(std::move(transaction.error()));
    std::vector<StoredMetric> rolled;
    for (const StoredMetric& metric : metrics_.rows) {
      if (!rolled_.contains(metric.id)) continue;
      rolled.push_back(metric);
      if (!fresh.contains(metric.id)) continue;
      const RollupColumns columns = rollup_columns(metric);
      for (const std::string& column : {columns.min, columns.third, columns.max}) {
        for (const std::string_view table : {"rollup_minute", "rollup_hour"}) {
          auto done = connection_.execute(
              fmt::format("ALTER TABLE {} ADD COLUMN {} INTEGER", table, quoted(column)));
          if (!done) return done;
        }
      }
    }
    if (auto done = make_views(connection_, rolled); !done) return done;
    return transaction->commit();
  };
  if (auto done = alter(); !done) {
    rolled_ = before;
    return done;
  }
  return prepare_rollups();
}

Result<void> Store::prepare_rollups() {
  std::string columns;
  std::string values;
  std::string merge;
  for (const StoredMetric& metric : metrics_.rows) {
    if (!rolled_.contains(metric.id)) continue;
    const RollupColumns names = rollup_columns(metric);
    columns += fmt::format(", {}, {}, {}", names.min, names.third, names.max);
    values += ", ?, ?, ?";
    merge += ", " + merge_sql(names, metric.kind);
  }
  for (const auto& [table, statement] :
       {std::pair{"rollup_minute", &insert_minute_}, std::pair{"rollup_hour", &insert_hour_}}) {
    auto prepared = connection_.prepare(
        fmt::format("INSERT INTO {}(gpu, time, ticks{}) VALUES(?, ?, ?{}) ON CONFLICT(gpu, time)"
                    " DO UPDATE SET ticks=ticks + excluded.ticks{}",
                    table, columns, values, merge));
    if (!prepared) return std::unexpected(std::move(prepared.error()));
    *statement = std::move(*prepared);
  }
  return {};
}

void Store::bind_stat(Statement& statement, int at, const Stat& stat, model::Kind kind) const {
  if (stat.count == 0) {
    statement.bind_null(at).bind_null(at + 1).bind_null(at + 2);
    return;
  }
  statement.bind(at, stat.min)
      .bind(at + 1, kind == model::Kind::kGauge ? stat.mean() : stat.last)
      .bind(at + 2, stat.max);
}

Result<void> Store::write_row(const RollupRow& row) {
  Statement& insert = row.resolution == Resolution::kMinute ? insert_minute_ : insert_hour_;
  insert.bind(1, std::int64_t{row.gpu}).bind(2, row.time).bind(3, std::int64_t{row.ticks});
  const auto& layout = head_.layout.of(model::Entity::kGpu);
  int at = kFirstStat;
  for (const StoredMetric& metric : metrics_.rows) {
    if (!rolled_.contains(metric.id)) continue;
    const auto place = std::ranges::find(layout, metric.id);
    static constexpr Stat kNone{};
    bind_stat(
        insert, at,
        place == layout.end() ? kNone : row.stats[static_cast<std::size_t>(place - layout.begin())],
        metric.kind);
    at += 3;
  }
  return insert.run();
}

Result<void> Store::write_rows(const std::vector<RollupRow>& rows) {
  for (const RollupRow& row : rows) {
    if (auto done = write_row(row); !done) return done;
  }
  return {};
}

Result<void> Store::drop_old_rollups(std::int64_t before) {
  for (const std::string_view table : {"rollup_minute", "rollup_hour"}) {
    auto remove = connection_.prepare(fmt::format("DELETE FROM {} WHERE gpu=? AND time<?", table));
    if (!remove) return std::unexpected(std::move(remove.error()));
    for (const auto& [uuid, known] : known_) {
      if (auto done = remove->bind(1, std::int64_t{known.id}).bind(2, before).run(); !done) {
        return done;
      }
    }
  }
  return {};
}

Result<void> Store::drop_oldest_block(bool& dropped) {
  const auto id = connection_.number("SELECT coalesce(min(id), 0) FROM block");
  if (!id) return std::unexpected(id.error());
  dropped = *id != 0;
  if (!dropped) return {};
  const std::int64_t first = *id << kGpuBits;
  const std::int64_t end = (*id + 1) << kGpuBits;
  return connection_.execute(fmt::format(
      "DELETE FROM chunk WHERE id>={} AND id<{}; DELETE FROM block WHERE id={}", first, end, *id));
}

// Lets go of a little at a time, so that no commit takes long: at most one block, or a day of
// rollups.
Result<void> Store::retain() {
  const std::int64_t now = block_last_.time_since_epoch().count();
  const auto keep = std::chrono::microseconds{options_.keep_ticks}.count();
  const auto last = connection_.number(
      "SELECT coalesce(min(last), 0) FROM"
      " (SELECT last FROM block ORDER BY id LIMIT 1)");
  if (!last) return std::unexpected(last.error());
  bool dropped = false;
  if (*last != 0 && *last < now - keep) return drop_oldest_block(dropped);

  const auto size = bytes();
  if (!size) return std::unexpected(size.error());
  if (*size <= options_.max_bytes) return {};
  const auto free = connection_.number("PRAGMA freelist_count");
  if (!free) return std::unexpected(free.error());
  const auto page = connection_.number("PRAGMA page_size");
  if (!page) return std::unexpected(page.error());
  const auto used = *size - static_cast<std::uint64_t>(*free * *page);
  if (used <= options_.max_bytes) {
    return connection_.execute(fmt::format("PRAGMA incremental_vacuum({})", kFreedPages));
  }
  // What is older, measured by how long it is kept.
  const auto oldest = connection_.number("SELECT coalesce(min(time), 0) FROM rollup_minute");
  if (!oldest) return std::unexpected(oldest.error());
  const std::int64_t oldest_age = now / 1'000'000 - *oldest;
  const double rollup_age =
      static_cast<double>(oldest_age) / static_cast<double>(seconds{options_.keep_rollups}.count());
  const double tick_age = static_cast<double>(now - *last) / static_cast<double>(keep);
  if (*last != 0 && (*oldest == 0 || tick_age >= rollup_age)) return drop_oldest_block(dropped);
  return *oldest == 0 ? Result<void>{} : drop_old_rollups(*oldest + kDay);
}

}  // namespace gpuscope::history
