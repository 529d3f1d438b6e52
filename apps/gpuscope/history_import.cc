// `gpuscope history import`: the database of the earlier logger, one table per GPU and gpu_info.
#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <set>
#include <vector>

#include "base/duration.h"
#include "history/reader.h"
#include "history/sqlite.h"
#include "history/store.h"
#include "history_tool.h"
#include "model/naming.h"
#include "wire/earlier_agent.h"

namespace gpuscope::app {
namespace {

using base::ErrorKind;
using base::Result;
using base::WallTime;
using history::Connection;
using history::Statement;
using model::Metric;

// Rows of an hour are committed together: what a crash costs is imported again.
constexpr std::chrono::hours kCommitAfter{1};
constexpr std::uint64_t kRowsPerStep = 1000;
constexpr std::chrono::hours kForever = std::chrono::days{36'500};

struct Source {
  Connection connection;
  std::vector<std::string> tables;  // named by the GPUs' UUIDs
  std::uint64_t rows = 0;
};

struct Outcome {
  std::uint64_t taken = 0;
  std::uint64_t known = 0;   // there already
  std::uint64_t broken = 0;  // without a time that can be read
};

Result<bool> has_table(Connection& connection, std::string_view name) {
  auto select = connection.prepare("SELECT 1 FROM sqlite_master WHERE type='table' AND name=?");
  if (!select) return std::unexpected(std::move(select.error()));
  select->bind_text(1, name);
  return select->step();
}

Result<Source> open_source(const std::string& path, Stop& stop) {
  auto connection = Connection::open(path, Connection::Mode::kRead);
  if (!connection) return std::unexpected(std::move(connection.error()));
  connection->stop_when(stop.question());
  const auto info = has_table(*connection, "gpu_info");
  if (!info) return std::unexpected(info.error());
  if (!*info) {
    return base::fail(ErrorKind::kInvalidArgument,
                      fmt::format("cannot import {}: it has no table gpu_info, as the earlier "
                                  "logger's database does",
                                  path));
  }
  Source source{std::move(*connection), {}, 0};
  auto select = source.connection.prepare(
      "SELECT m.name FROM sqlite_master m WHERE m.type='table' AND m.name<>'gpu_info' AND EXISTS"
      " (SELECT 1 FROM pragma_table_info(m.name) c WHERE c.name='timestamp') ORDER BY m.name");
  if (!select) return std::unexpected(std::move(select.error()));
  for (;;) {
    const auto row = select->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    source.tables.push_back(select->text(0));
  }
  for (const std::string& table : source.tables) {
    const auto rows =
        source.connection.number(fmt::format("SELECT count(*) FROM {}", history::quoted(table)));
    if (!rows) return std::unexpected(rows.error());
    source.rows += static_cast<std::uint64_t>(*rows);
  }
  return source;
}

// What the earlier database knows of a GPU; `limits` gets what is a reading here.
Result<model::GpuInfo> info_of(Connection& connection, const std::string& uuid,
                               model::DeviceSample& limits) {
  auto select = connection.prepare(
      "SELECT name, serial, vbios, driver, minor, pciegen, pciewidth, plimit FROM gpu_info"
      " WHERE uuid=?");
  if (!select) return std::unexpected(std::move(select.error()));
  select->bind_text(1, uuid);
  model::GpuInfo info;
  info.fact(model::Fact::kUuid) = model::Text::of(uuid);
  const auto row = select->step();
  if (!row) return std::unexpected(row.error());
  if (!*row) return info;
  int at = 0;
  for (const model::Fact fact : {model::Fact::kName, model::Fact::kSerial, model::Fact::kVbios,
                                 model::Fact::kDriverVersion}) {
    if (!select->is_null(at)) info.fact(fact) = model::Text::of(select->text(at));
    ++at;
  }
  for (const Metric metric : {Metric::kMinorNumber, Metric::kPcieGenerationMax,
                              Metric::kPcieWidthMax, Metric::kPowerLimit}) {
    if (!select->is_null(at)) limits.at(metric) = wire::reading_of(metric, select->real(at), 0);
    ++at;
  }
  return info;
}

// The columns that a table has of those that we know, in the order of the families.
struct Columns {
  std::vector<const model::Family*> families;
  std::string sql;
};

Result<Columns> columns_of(Connection& connection, const std::string& table) {
  std::set<std::string> there;
  auto select = connection.prepare("SELECT name FROM pragma_table_info(?)");
  if (!select) return std::unexpected(std::move(select.error()));
  select->bind_text(1, table);
  for (;;) {
    const auto row = select->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    there.insert(select->text(0));
  }
  Columns columns{.families = {}, .sql = "SELECT timestamp"};
  for (const model::Family& family : model::gpu_metric_naming().families) {
    if (!there.contains(std::string(family.json_key))) continue;
    columns.families.push_back(&family);
    columns.sql.append(", ").append(family.json_key);
  }
  columns.sql += fmt::format(" FROM {} ORDER BY timestamp", history::quoted(table));
  return columns;
}

// UTC, unless it names its zone: the earlier logger wrote none.
std::optional<WallTime> time_of(std::string text, std::chrono::milliseconds ahead) {
  if (text.size() > 10 && text[10] == ' ') text[10] = 'T';
  if (const auto time = base::parse_time(text)) return time;
  const auto local = base::parse_time(text + "Z");
  return local ? std::optional(*local - ahead) : std::nullopt;
}

void fill(const Statement& row, const Columns& columns, const model::DeviceSample& limits,
          model::Snapshot& snapshot) {
  model::DeviceSample& device = snapshot.devices[0];
  device = limits;
  snapshot.verdicts[0] = {};
  int at = 0;
  for (const model::Family* family : columns.families) {
    ++at;
    if (row.is_null(at)) continue;
    const double value = row.real(at);
    if (family->metric) {
      device.at(*family->metric) = wire::reading_of(*family->metric, value, family->binary_shift);
    } else if (value >= 0 && value <= static_cast<double>(model::Health::kUnknown)) {
      snapshot.verdicts[0].overall = static_cast<model::Health>(static_cast<int>(value));
    }
  }
}

struct Target {
  std::string path;
  history::Store& store;
  std::chrono::milliseconds ahead;  // of UTC, the clock of times without a zone
  Stop& stop;
};

// The ticks that the history has of a GPU already.
Result<std::set<WallTime>> known_ticks(const Target& target, const std::string& gpu) {
  const history::HistoryReader reader(target.path, nullptr, target.stop.question());
  const auto samples = reader.health_samples(gpu, {WallTime{}, WallTime::max()});
  if (!samples && samples.error().kind == ErrorKind::kNotFound) return std::set<WallTime>{};
  if (!samples) return std::unexpected(samples.error());
  std::set<WallTime> times;
  for (const model::SeriesSample& sample : *samples) times.insert(times.end(), sample.time);
  return times;
}

// What is known here of the GPU stays: it is newer than what is imported.
Result<std::shared_ptr<const model::Inventory>> inventory_of(const Target& target,
                                                             model::GpuInfo info) {
  auto inventory = std::make_shared<model::Inventory>();
  inventory->method = "import";
  const history::HistoryReader reader(target.path, nullptr);
  const auto gpus = reader.gpus();
  if (!gpus) return std::unexpected(gpus.error());
  for (const history::StoredGpu& known : *gpus) {
    if (known.uuid != info.uuid()) continue;
    info = known.info;
    inventory->simulated = known.simulated;
  }
  // The simulated GPUs of the earlier agent say so in their names alone.
  if (info.name().starts_with("SIM-")) inventory->simulated = true;
  inventory->gpus.push_back(std::move(info));
  return inventory;
}

Result<void> import_table(Connection& connection, const std::string& table, const Target& target,
                          Work& work, Outcome& outcome) {
  model::Snapshot snapshot;
  snapshot.devices.resize(1);
  snapshot.verdicts.resize(1);
  model::DeviceSample limits;
  limits.mark_absent(model::Absence::kUnsupported, false);
  auto info = info_of(connection, table, limits);
  if (!info) return std::unexpected(std::move(info.error()));
  auto inventory = inventory_of(target, std::move(*info));
  if (!inventory) return std::unexpected(std::move(inventory.error()));
  snapshot.inventory = std::move(*inventory);
  const auto known = known_ticks(target, table);
  if (!known) return std::unexpected(known.error());
  const auto columns = columns_of(connection, table);
  if (!columns) return std::unexpected(columns.error());
  auto rows = connection.prepare(columns->sql);
  if (!rows) return std::unexpected(std::move(rows.error()));
  for (std::uint64_t number = 1;; ++number) {
    const auto row = rows->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    const auto time = time_of(rows->text(0), target.ahead);
    if (!time) {
      ++outcome.broken;
    } else if (known->contains(*time)) {
      ++outcome.known;
    } else {
      snapshot.time = *time;
      fill(*rows, *columns, limits, snapshot);
      Result<void> written;
      const history::Taken taken = target.store.append(snapshot, written);
      if (!written) return written;
      ++(taken == history::Taken::kYes ? outcome.taken : outcome.known);
      if (target.store.is_due()) {
        if (auto done = target.store.commit(); !done) return done;
      }
    }
    if (number % kRowsPerStep != 0) continue;
    if (auto done = work.step(); !done) return done;
  }
  // What is known of the GPU is written with ticks.
  if (auto done = target.store.commit(); !done) return done;
  return target.store.close_block();
}

Result<std::chrono::milliseconds> ahead_of(const std::string& text) {
  if (text.empty()) return std::chrono::milliseconds{0};
  const bool west = text.front() == '-';
  const auto length = base::parse_duration(west ? text.substr(1) : text);
  if (length && *length < std::chrono::hours{24}) return west ? -*length : *length;
  return base::fail(ErrorKind::kInvalidArgument,
                    fmt::format("cannot use --ahead-of-utc: '{}' is not a duration below a day, "
                                "such as 2h or -5h30m",
                                text));
}

}  // namespace

Result<void> import_history(const HistoryCommand& command, Stop& stop) {
  const auto path = history_file(command);
  if (!path) return std::unexpected(path.error());
  const auto ahead = ahead_of(command.ahead_of_utc);
  if (!ahead) return std::unexpected(ahead.error());
  auto source = open_source(command.file, stop);
  if (!source) return std::unexpected(std::move(source.error()));
  history::StoreOptions options;
  options.path = *path;
  options.knows_indexes = false;
  options.commit_after = kCommitAfter;
  // What is imported is older than what is kept by default: letting go is the agent's.
  options.keep_ticks = options.keep_rollups = kForever;
  options.max_bytes = UINT64_MAX;
  auto store = history::Store::open(options, std::make_shared<history::LiveBlock>());
  if (!store) {
    if (store.error().kind == ErrorKind::kAlreadyExists) {
      store.error().message += "; stop the agent for as long as the import takes";
    }
    return std::unexpected(std::move(store.error()));
  }
  const base::SystemClock clock;
  Outcome outcome;
  {
    Work work(stop, clock, "imports", source->rows / kRowsPerStep);
    const Target target{*path, **store, *ahead, stop};
    for (const std::string& table : source->tables) {
      if (auto done = import_table(source->connection, table, target, work, outcome); !done) {
        // What has been read is kept, and found again the next time.
        if (const auto closed = (*store)->close_block(); !closed) {
          std::cerr << "gpuscope: " << closed.error().message << '\n';
        }
        return done;
      }
    }
  }
  std::cout << fmt::format("{}: {} rows of {} GPUs imported to {}; {} were there already",
                           command.file, outcome.taken, source->tables.size(), *path,
                           outcome.known);
  if (outcome.broken > 0) {
    std::cout << fmt::format("; {} have no time that can be read", outcome.broken);
  }
  std::cout << '\n';
  return {};
}

}  // namespace gpuscope::app
