#include "history/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace gpuscope::history {
namespace {

using base::ErrorKind;
using model::Entity;

constexpr std::string_view kTables = R"(
CREATE TABLE gpu(id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, name TEXT, serial TEXT,
  vbios TEXT, driver TEXT, minor INTEGER, pciegen INTEGER, pciewidth INTEGER, plimit REAL,
  facts TEXT, simulated INTEGER NOT NULL);
CREATE TABLE metric(id INTEGER PRIMARY KEY, key TEXT NOT NULL, entity TEXT NOT NULL,
  unit TEXT NOT NULL, decimals INTEGER NOT NULL, kind TEXT NOT NULL, rolled INTEGER NOT NULL,
  help TEXT NOT NULL, UNIQUE(key, decimals));
CREATE TABLE block(id INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL,
  ticks INTEGER NOT NULL, gpus BLOB NOT NULL, times BLOB NOT NULL);
CREATE TABLE chunk(id INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE tail(id INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE series(gpu INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE VIEW gpu_info AS
  SELECT uuid, name, serial, vbios, driver, minor, pciegen, pciewidth, plimit FROM gpu;
)";

// What makes a file of version N + 1 one of N + 2. A new file takes all of them, too: there is one
// way to every version.
constexpr std::array kSteps{
    std::string_view(R"(
ALTER TABLE gpu ADD COLUMN gpu_index INTEGER;
ALTER TABLE gpu ADD COLUMN host TEXT;
CREATE TABLE mig_instance(gpu INTEGER, instance INTEGER, uuid TEXT, profile TEXT,
  PRIMARY KEY(gpu, instance)) WITHOUT ROWID;
CREATE INDEX block_times ON block(last, first, ticks);
CREATE TABLE IF NOT EXISTS state(kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY(kind, key));
)"),
};
static_assert(kSteps.size() == kSchemaVersion - 1);

// So many GPUs of a file have a view of their own: no machine has as many, and every program that
// opens the file reads all of its views first.
constexpr std::int64_t kMostGpuViews = 1000;

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

constexpr std::string_view kCsvView = "csv_minutes";

// As names of tables have it.
std::string_view short_name(Entity entity) {
  switch (entity) {
    case Entity::kFan:
      return "fan";
    case Entity::kLink:
      return "link";
    case Entity::kMigInstance:
      return "mig";
    default:
      return "gpu";
  }
}

// Of one entity alone.
std::vector<StoredMetric> of_entity(Entity entity, const std::vector<StoredMetric>& metrics) {
  std::vector<StoredMetric> some;
  std::ranges::copy_if(metrics, std::back_inserter(some),
                       [&](const StoredMetric& metric) { return metric.entity == entity; });
  return some;
}

// The columns of the views of single GPUs, of all of them: these change with the metrics.
std::string csv_view(const std::vector<StoredMetric>& metrics) {
  std::string sql = fmt::format("CREATE VIEW {} AS SELECT gpu, {} AS timestamp", kCsvView,
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
      " FROM rollup_minute",
      health, health);
  return sql;
}

// One GPU's, which stays as it is.
std::string gpu_view(std::int64_t id, std::string_view uuid) {
  std::string sql = fmt::format("CREATE VIEW IF NOT EXISTS {} AS SELECT timestamp", quoted(uuid));
  for (const CsvColumn& column : kCsvColumns) sql += fmt::format(", {}", column.name);
  return sql +
         fmt::format(", health_status, health_status_numeric FROM {} WHERE gpu = {}", kCsvView, id);
}

// "minutes", "link_hours", …
std::string view_name(Entity entity, Resolution resolution) {
  const std::string_view span = resolution == Resolution::kMinute ? "minutes" : "hours";
  return entity == Entity::kGpu ? std::string(span)
                                : fmt::format("{}_{}", short_name(entity), span);
}

std::string rollup_view(Entity entity, Resolution resolution,
                        const std::vector<StoredMetric>& metrics) {
  const std::string table = rollup_table(entity, resolution);
  std::string sql = fmt::format("CREATE VIEW {} AS SELECT uuid, {}{} AS timestamp, ticks",
                                view_name(entity, resolution),
                                entity == Entity::kGpu ? "" : "instance, ", time_text(table));
  for (const StoredMetric& metric : of_entity(entity, metrics)) {
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
    if (*version >= 1 && *version <= kSchemaVersion) return FileState::kOurs;
    if (*version < 1) {
      return base::fail(ErrorKind::kInvalidArgument,
                        fmt::format("cannot use {}: it says that it is a history of version {}, "
                                    "which there never was; name another directory for data",
                                    connection.path(), *version));
    }
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

namespace {

// Version 1 of a new file.
base::Result<void> create_tables(Connection& connection) {
  std::string tables(kTables);
  for (const Entity entity : kKeptEntities) {
    for (const Resolution resolution : kResolutions) {
      tables += rollup_table_sql(entity, resolution, {}) + ";\n";
    }
  }
  tables += fmt::format("PRAGMA application_id={}; PRAGMA user_version=1", kApplicationId);
  return connection.execute(tables);
}

// In one transaction: a file is of one version or of another.
base::Result<void> bring_forward(Connection& connection) {
  auto transaction = Transaction::begin(connection);
  if (!transaction) return std::unexpected(std::move(transaction.error()));
  const auto state = check_file(connection);  // another may have been faster
  if (!state) return std::unexpected(state.error());
  if (*state == FileState::kNew) {
    if (auto done = create_tables(connection); !done) return done;
    if (auto done = make_views(connection, {}); !done) return done;
  }
  const auto version = schema_version(connection);
  if (!version) return std::unexpected(version.error());
  for (auto from = static_cast<std::size_t>(*version); from < kSchemaVersion; ++from) {
    const std::string step(kSteps[from - 1]);
    if (auto done = connection.execute(step); !done) return done;
  }
  const std::string mark = fmt::format("PRAGMA user_version={}", kSchemaVersion);
  if (auto done = connection.execute(mark); !done) return done;
  return transaction->commit();
}

}  // namespace

base::Result<std::int64_t> schema_version(Connection& connection) {
  return connection.number("PRAGMA user_version");
}

base::Result<void> prepare_file(Connection& connection) {
  const auto state = check_file(connection);
  if (!state) return std::unexpected(state.error());
  if (*state == FileState::kNew) {
    if (auto done = connection.execute("PRAGMA auto_vacuum=INCREMENTAL"); !done) return done;
  }
  const std::string settings =
      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA journal_size_limit=8388608";
  if (auto done = connection.execute(settings); !done) return done;
  const auto version = schema_version(connection);
  if (!version) return std::unexpected(version.error());
  return *version == kSchemaVersion ? base::Result<void>{} : bring_forward(connection);
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
    const bool rolled = row.cadence != model::Cadence::kOnce;
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
      connection.prepare("SELECT id, key, entity, decimals, kind, rolled FROM metric ORDER BY id");
  if (!select) return std::unexpected(std::move(select.error()));
  for (;;) {
    const auto row = select->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    StoredMetric metric{.id = static_cast<std::uint32_t>(select->number(0)),
                        .key = select->text(1),
                        .entity = Entity::kGpu,
                        .decimals = static_cast<int>(select->number(3)),
                        .kind = model::Kind::kState,
                        .rolled = select->number(5) != 0};
    for (const Entity entity : kKeptEntities) {
      if (select->text(2) == model::entity_name(entity)) metric.entity = entity;
    }
    for (const model::Kind kind : {model::Kind::kGauge, model::Kind::kCounter}) {
      if (select->text(4) == model::kind_name(kind)) metric.kind = kind;
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

std::string rollup_table(Entity entity, Resolution resolution) {
  const std::string_view span = resolution == Resolution::kMinute ? "minute" : "hour";
  return entity == Entity::kGpu ? fmt::format("rollup_{}", span)
                                : fmt::format("rollup_{}_{}", short_name(entity), span);
}

std::string rollup_table_sql(Entity entity, Resolution resolution,
                             const std::vector<StoredMetric>& metrics) {
  const bool parts = entity != Entity::kGpu;
  std::string sql =
      fmt::format("CREATE TABLE {}(gpu INTEGER, {}time INTEGER, ticks INTEGER NOT NULL",
                  rollup_table(entity, resolution), parts ? "instance INTEGER, " : "");
  for (const StoredMetric& metric : of_entity(entity, metrics)) {
    const RollupColumns columns = rollup_columns(metric);
    for (const std::string& column : {columns.min, columns.third, columns.max}) {
      sql += fmt::format(", {} INTEGER", quoted(column));
    }
  }
  return sql + fmt::format(", PRIMARY KEY(gpu, {}time)) WITHOUT ROWID", parts ? "instance, " : "");
}

base::Result<void> drop_views(Connection& connection) {
  std::string sql;
  auto views = connection.prepare(
      "SELECT name FROM sqlite_master WHERE type = 'view' AND name <> 'gpu_info'"
      " AND name NOT LIKE 'GPU-%'");
  if (!views) return std::unexpected(std::move(views.error()));
  for (;;) {
    const auto row = views->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    sql += fmt::format("DROP VIEW {};\n", quoted(views->text(0)));
  }
  return connection.execute(sql);
}

base::Result<void> make_views(Connection& connection, const std::vector<StoredMetric>& metrics) {
  if (auto done = drop_views(connection); !done) return done;
  std::string sql;
  for (const Entity entity : kKeptEntities) {
    for (const Resolution resolution : kResolutions) {
      sql += rollup_view(entity, resolution, metrics) + ";\n";
    }
  }
  sql += csv_view(metrics) + ";\n";
  return connection.execute(sql);
}

base::Result<void> make_gpu_views(Connection& connection) {
  // Only names that no table of ours can have.
  auto gpus = connection.prepare(
      "SELECT id, uuid FROM gpu WHERE uuid LIKE 'GPU-%' AND uuid NOT IN"
      " (SELECT name FROM sqlite_master WHERE type='view') ORDER BY id LIMIT max(0, ? -"
      " (SELECT count(*) FROM sqlite_master WHERE type='view' AND name LIKE 'GPU-%'))");
  if (!gpus) return std::unexpected(std::move(gpus.error()));
  gpus->bind(1, kMostGpuViews);
  std::string sql;
  for (;;) {
    const auto row = gpus->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    sql += gpu_view(gpus->number(0), gpus->text(1)) + ";\n";
  }
  return connection.execute(sql);
}

}  // namespace gpuscope::history
