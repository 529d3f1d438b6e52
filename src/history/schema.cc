#include "history/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace gpuscope::history {
namespace {

using base::ErrorKind;
using model::Entity;

constexpr std::string_view kTables = R"(
CREATE TABLE gpu(id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, name TEXT, serial TEXT,
  vbios TEXT, driver TEXT, minor INTEGER, pciegen INTEGER, pciewidth INTEGER, plimit REAL,
  facts TEXT);
CREATE TABLE metric(id INTEGER PRIMARY KEY, key TEXT NOT NULL, entity TEXT NOT NULL,
  unit TEXT NOT NULL, decimals INTEGER NOT NULL, kind TEXT NOT NULL, rolled INTEGER NOT NULL,
  help TEXT NOT NULL, UNIQUE(key, decimals));
CREATE TABLE block(id INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL,
  ticks INTEGER NOT NULL, gpus INTEGER NOT NULL, times BLOB NOT NULL);
CREATE TABLE chunk(id INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE tail(id INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE rollup_minute(gpu INTEGER, time INTEGER, ticks INTEGER NOT NULL,
  PRIMARY KEY(gpu, time)) WITHOUT ROWID;
CREATE TABLE rollup_hour(gpu INTEGER, time INTEGER, ticks INTEGER NOT NULL,
  PRIMARY KEY(gpu, time)) WITHOUT ROWID;
CREATE VIEW gpu_info AS
  SELECT uuid, name, serial, vbios, driver, minor, pciegen, pciewidth, plimit FROM gpu;
)";

std::string time_text(std::string_view table) {
  return fmt::format("strftime('%Y-%m-%dT%H:%M:%S.000000+00:00', {}.time, 'unixepoch')", table);
}

std::string scaled(std::string_view column, int decimals) {
  if (decimals == 0) return std::string(column);
  std::string power = "1";
  power.append(static_cast<std::size_t>(decimals), '0');
  return fmt::format("{}/{}.0", column, power);
}

// The name, and which columns of which metric it stands for.
struct CsvColumn {
  std::string_view name;
  std::string_view metric;
  bool mebibytes = false;
};
constexpr std::array kCsvColumns{
    CsvColumn{"power_watts", "power_watts"},
    CsvColumn{"temperature_celsius", "temperature_celsius"},
    CsvColumn{"gpu_clock_mhz", "gpu_clock_mhz"},
    CsvColumn{"memory_clock_mhz", "memory_clock_mhz"},
    CsvColumn{"gpu_utilization_percent", "gpu_utilization_percent"},
    CsvColumn{"memory_utilization_percent", "memory_utilization_percent"},
    CsvColumn{"memory_used_mib", "memory_used_bytes", true},
    CsvColumn{"memory_total_mib", "memory_total_bytes", true},
    CsvColumn{"memory_usage_percent", "memory_usage_percent"},
    CsvColumn{"fan_speed", "fan_speed_rpm"},
};

const StoredMetric* find_key(const std::vector<StoredMetric>& metrics, std::string_view key) {
  const auto at = std::ranges::find(metrics, key, &StoredMetric::key);
  return at == metrics.end() ? nullptr : &*at;
}

std::string gpu_view(std::int64_t id, std::string_view uuid,
                     const std::vector<StoredMetric>& metrics) {
  std::string sql = fmt::format("CREATE VIEW {} AS SELECT {} AS timestamp", quoted(uuid),
                                time_text("rollup_minute"));
  for (const CsvColumn& column : kCsvColumns) {
    const StoredMetric* metric = find_key(metrics, column.metric);
    std::string value = "NULL";
    if (metric != nullptr) {
      value = rollup_columns(*metric).third;
      if (column.mebibytes) {
        value += "/1048576";
      } else {
        value = scaled(value, metric->decimals);
      }
    }
    sql += fmt::format(", {} AS {}", value, column.name);
  }
  const bool judged = find_key(metrics, kHealthKey) != nullptr;
  const std::string_view health = judged ? "coalesce(health_status_last, 4)" : "4";
  sql += fmt::format(
      ", CASE {} WHEN 0 THEN 'healthy' WHEN 1 THEN 'caution' WHEN 2 THEN 'warning'"
      " WHEN 3 THEN 'critical' ELSE 'unknown' END AS health_status, {} AS health_status_numeric"
      " FROM rollup_minute WHERE gpu = {}",
      health, health, id);
  return sql;
}

std::string rollup_view(std::string_view view, std::string_view table,
                        const std::vector<StoredMetric>& metrics) {
  std::string sql =
      fmt::format("CREATE VIEW {} AS SELECT uuid, {} AS timestamp, ticks", view, time_text(table));
  for (const StoredMetric& metric : metrics) {
    const RollupColumns columns = rollup_columns(metric);
    for (const std::string& column : {columns.min, columns.third, columns.max}) {
      sql += fmt::format(", {} AS {}", scaled(column, metric.decimals), column);
    }
  }
  return sql + fmt::format(" FROM {0} JOIN gpu ON gpu.id = {0}.gpu", table);
}

base::Result<void> add_metric(Statement& insert, std::string_view key, std::string_view entity,
                              std::string_view unit, int decimals, std::string_view kind,
                              bool rolled, std::string_view help) {
  return insert.bind_text(1, key)
      .bind_text(2, entity)
      .bind_text(3, unit)
      .bind(4, std::int64_t{decimals})
      .bind_text(5, kind)
      .bind(6, std::int64_t{rolled})
      .bind_text(7, help)
      .run();
}

}  // namespace

base::Result<FileState> check_file(Connection& connection) {
  const auto application = connection.number("PRAGMA application_id");
  if (!application) return std::unexpected(application.error());
  const auto version = connection.number("PRAGMA user_version");
  if (!version) return std::unexpected(version.error());
  if (*application == kApplicationId) {
    if (*version <= kSchemaVersion) return FileState::kOurs;
    return base::fail(ErrorKind::kInvalidArgument,
                      fmt::format("cannot use {}: a newer gpuscope wrote it (schema {}, this one "
                                  "knows {}); run that one, or name another directory for data",
                                  connection.path(), *version, kSchemaVersion));
  }
  const auto tables = connection.number("SELECT count(*) FROM sqlite_master");
  if (!tables) return std::unexpected(tables.error());
  if (*application == 0 && *version == 0 && *tables == 0) return FileState::kNew;
  return base::fail(ErrorKind::kInvalidArgument,
                    fmt::format("cannot use {}: it is the database of another program; name "
                                "another directory for data",
                                connection.path()));
}

base::Result<void> create_schema(Connection& connection) {
  auto transaction = Transaction::begin(connection);
  if (!transaction) return std::unexpected(std::move(transaction.error()));
  if (auto done = connection.execute(std::string(kTables)); !done) return done;
  const std::string mark = fmt::format("PRAGMA application_id={}; PRAGMA user_version={}",
                                       kApplicationId, kSchemaVersion);
  if (auto done = connection.execute(mark); !done) return done;
  return transaction->commit();
}

const StoredMetric* MetricTable::find(std::uint32_t id) const {
  const auto at = std::ranges::find(rows, id, &StoredMetric::id);
  return at == rows.end() ? nullptr : &*at;
}

base::Result<MetricTable> load_metrics(Connection& connection) {
  MetricTable table;
  auto transaction = Transaction::begin(connection);
  if (!transaction) return std::unexpected(std::move(transaction.error()));
  auto insert = connection.prepare(
      "INSERT OR IGNORE INTO metric(key, entity, unit, decimals, kind, rolled, help)"
      " VALUES(?, ?, ?, ?, ?, ?, ?)");
  if (!insert) return std::unexpected(std::move(insert.error()));
  for (const model::MetricInfo& row : model::metrics()) {
    if (row.entity == Entity::kProcess) continue;
    const bool rolled = row.entity == Entity::kGpu && row.cadence != model::Cadence::kOnce;
    const auto added =
        add_metric(*insert, row.key, model::entity_name(row.entity), model::unit_name(row.unit),
                   row.decimals, model::kind_name(row.kind), rolled, row.help);
    if (!added) return std::unexpected(added.error());
  }
  const auto added =
      add_metric(*insert, kHealthKey, model::entity_name(Entity::kGpu),
                 model::unit_name(model::Unit::kState), 0, model::kind_name(model::Kind::kState),
                 true, "Health: 0 healthy, 1 caution, 2 warning, 3 critical, 4 unknown");
  if (!added) return std::unexpected(added.error());
  auto select =
      connection.prepare("SELECT id, key, decimals, kind, rolled FROM metric ORDER BY id");
  if (!select) return std::unexpected(std::move(select.error()));
  for (;;) {
    const auto row = select->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    StoredMetric metric{static_cast<std::uint32_t>(select->number(0)), select->text(1),
                        static_cast<int>(select->number(2)), model::Kind::kState,
                        select->number(4) != 0};
    for (const model::Kind kind : {model::Kind::kGauge, model::Kind::kCounter}) {
      if (select->text(3) == model::kind_name(kind)) metric.kind = kind;
    }
    table.rows.push_back(std::move(metric));
  }
  const auto id_of = [&](std::string_view key, int decimals) {
    const auto at = std::ranges::find_if(table.rows, [&](const StoredMetric& row) {
      return row.key == key && row.decimals == decimals;
    });
    return at->id;
  };
  for (const Entity entity : kKeptEntities) {
    for (const model::MetricInfo& row : model::metrics(entity)) {
      table.layout.of(entity).push_back(id_of(row.key, row.decimals));
    }
  }
  table.layout.of(Entity::kGpu).push_back(id_of(kHealthKey, 0));
  if (auto done = transaction->commit(); !done) return std::unexpected(std::move(done.error()));
  return table;
}

RollupColumns rollup_columns(const StoredMetric& metric) {
  const char* third = metric.kind == model::Kind::kGauge ? "_mean" : "_last";
  return {metric.key + "_min", metric.key + "_max", metric.key + third};
}

base::Result<void> make_views(Connection& connection, const std::vector<StoredMetric>& metrics) {
  std::string sql;
  auto views = connection.prepare(
      "SELECT name FROM sqlite_master WHERE type = 'view' AND name <> 'gpu_info'");
  if (!views) return std::unexpected(std::move(views.error()));
  for (;;) {
    const auto row = views->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    sql += fmt::format("DROP VIEW {};\n", quoted(views->text(0)));
  }
  sql += rollup_view("minutes", "rollup_minute", metrics) + ";\n";
  sql += rollup_view("hours", "rollup_hour", metrics) + ";\n";
  // Only names that no table of ours can have.
  auto gpus = connection.prepare("SELECT id, uuid FROM gpu WHERE uuid LIKE 'GPU-%'");
  if (!gpus) return std::unexpected(std::move(gpus.error()));
  for (;;) {
    const auto row = gpus->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    sql += gpu_view(gpus->number(0), gpus->text(1), metrics) + ";\n";
  }
  views->reset();
  return connection.execute(sql);
}

}  // namespace gpuscope::history
