// The part of the reader that says what there is.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "base/lock_file.h"
#include "history/chunk.h"
#include "history/reader.h"
#include "history/series_list.h"
#include "history/times.h"

namespace gpuscope::history {
namespace {

using base::ErrorKind;
using base::MutexLock;
using base::Result;
using base::WallTime;
using model::Metric;
using model::Reading;
using model::SeriesKey;

WallTime time_of(std::int64_t micros) { return WallTime{std::chrono::microseconds{micros}}; }

// Bytes of a file; 0 where there is none.
std::uint64_t size_of(const std::string& path) {
  struct stat found{};
  return stat(path.c_str(), &found) == 0 ? static_cast<std::uint64_t>(found.st_size) : 0;
}

// The metrics of the catalogue that fit, by the numbers of the file.
Result<std::map<std::uint32_t, std::pair<Metric, bool>>> metrics_of(
    Connection& connection, const std::optional<Metric>& wanted) {
  std::map<std::uint32_t, std::pair<Metric, bool>> metrics;
  auto rows = connection.prepare("SELECT id, key, decimals, rolled FROM metric");
  if (!rows) return std::unexpected(std::move(rows.error()));
  for (;;) {
    const auto row = rows->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return metrics;
    const auto metric = model::find_metric(rows->text(1));
    if (!metric || model::info(*metric).decimals != rows->number(2)) continue;
    if (wanted && *wanted != *metric) continue;
    metrics[static_cast<std::uint32_t>(rows->number(0))] = {*metric, rows->number(3) != 0};
  }
}

// Finds the gaps between ticks, which come in the order of their blocks' first ones.
class Gaps {
 public:
  explicit Gaps(std::chrono::microseconds gap) : gap_(gap.count()) {}

  void add(const std::vector<std::int64_t>& times) {
    for (const std::int64_t time : times) {
      if (any_ && time - last_ > gap_) found_.push_back({time_of(last_), time_of(time)});
      last_ = any_ ? std::max(last_, time) : time;
      any_ = true;
    }
  }
  std::vector<model::TimeRange> newest(std::size_t count) && {
    const std::size_t drop = found_.size() - std::min(count, found_.size());
    found_.erase(found_.begin(), found_.begin() + static_cast<std::ptrdiff_t>(drop));
    return std::move(found_);
  }

 private:
  std::int64_t gap_;
  std::int64_t last_ = 0;
  bool any_ = false;
  std::vector<model::TimeRange> found_;
};

Result<std::optional<WallTime>> first_of(Connection& connection, std::string_view table) {
  // By the key of each GPU: a look at all rows would take seconds.
  auto row = connection.prepare(
      fmt::format("SELECT min((SELECT min(time) FROM {} WHERE gpu=gpu.id)) FROM gpu", table));
  if (!row) return std::unexpected(std::move(row.error()));
  const auto there = row->step();
  if (!there) return std::unexpected(there.error());
  if (!*there || row->is_null(0)) return std::nullopt;
  return WallTime{std::chrono::seconds{row->number(0)}};
}

// Columns with a value of every chunk, times the ticks of its block.
Result<std::uint64_t> count_samples(Connection& connection) {
  auto chunks = connection.prepare("SELECT substr(data, 1, 65536) FROM chunk");
  if (!chunks) return std::unexpected(std::move(chunks.error()));
  std::uint64_t samples = 0;
  for (;;) {
    const auto row = chunks->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return samples;
    const auto directory = parse_directory(chunks->bytes(0));
    if (!directory) continue;  // damaged
    for (const ColumnEntry& entry : directory->entries) {
      if (entry.kind != ColumnEntry::Kind::kAbsent) samples += directory->ticks;
    }
  }
}

void read_facts(Statement& fact, std::int64_t gpu, model::GpuInfo& info) {
  fact.bind(1, gpu);
  while (fact.step().value_or(false)) {
    for (const model::FactInfo& row : model::facts()) {
      if (fact.text(0) == row.key) info.fact(row.id) = model::Text::of(fact.text(1));
    }
  }
}

}  // namespace

Result<std::vector<SeriesKey>> HistoryReader::select(const model::SeriesMatch& match) const {
  MutexLock lock(mutex_);
  const auto opened = file();
  if (!opened) return std::unexpected(opened.error());
  File& file = **opened;
  const auto metrics = metrics_of(file.connection, match.metric);
  if (!metrics) return std::unexpected(metrics.error());
  std::set<SeriesKey> found;
  // What is closed meanwhile is in the open block or in the file's list.
  std::map<std::uint32_t, std::vector<ColumnKey>> open_columns;
  const auto looked = with_open(file, [&](const OpenBlock* open) {
    if (open == nullptr) return;
    for (std::size_t i = 0; i < open->head().gpus.size(); ++i) {
      open_columns[open->head().gpus[i]] = open->present_columns(i);
    }
  });
  if (!looked) return std::unexpected(looked.error());
  const auto oldest = file.connection.number("SELECT coalesce(min(id), 0) FROM block");
  if (!oldest) return std::unexpected(oldest.error());
  auto rows = file.connection.prepare(
      "SELECT gpu.id, uuid, series.data, EXISTS(SELECT 1 FROM rollup_hour WHERE gpu=gpu.id)"
      " FROM gpu LEFT JOIN series ON series.gpu=gpu.id WHERE ?1 IS NULL OR uuid=?1");
  if (!rows) return std::unexpected(std::move(rows.error()));
  if (match.gpu) rows->bind_text(1, *match.gpu);
  for (;;) {
    const auto row = rows->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    const auto put = [&](const ColumnKey& key, bool has_ticks) {
      const auto metric = metrics->find(key.metric);
      if (metric == metrics->end()) return;
      const auto& [id, rolled] = metric->second;
      if (has_ticks || (rolled && rows->number(3) != 0)) {
        found.insert({rows->text(1), id, key.instance});
      }
    };
    for (const auto& [key, last] : decode_series(rows->bytes(2))) {
      put(key, *oldest > 0 && last >= static_cast<std::uint64_t>(*oldest));
    }
    const auto open = open_columns.find(static_cast<std::uint32_t>(rows->number(0)));
    if (open == open_columns.end()) continue;
    for (const ColumnKey& key : open->second) put(key, true);
  }
  return std::vector<SeriesKey>(found.begin(), found.end());
}

namespace {

// The profiles of MIG instances, by GPU and instance.
Result<std::map<std::int64_t, std::map<std::uint32_t, std::string>>> read_profiles(
    Connection& connection) {
  std::map<std::int64_t, std::map<std::uint32_t, std::string>> profiles;
  auto rows = connection.prepare(
      "SELECT gpu, instance, profile FROM mig_instance WHERE profile IS NOT NULL");
  if (!rows) return std::unexpected(std::move(rows.error()));
  for (;;) {
    const auto row = rows->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return profiles;
    profiles[rows->number(0)][static_cast<std::uint32_t>(rows->number(1))] = rows->text(2);
  }
}

StoredGpu gpu_of(const Statement& row) {
  StoredGpu gpu{.uuid = row.text(1), .simulated = row.number(2) != 0};
  if (!row.is_null(3)) gpu.minor = Reading::of(row.number(3));
  if (!row.is_null(4)) gpu.pcie_generation = Reading::of(row.number(4));
  if (!row.is_null(5)) gpu.pcie_width = Reading::of(row.number(5));
  if (!row.is_null(6)) gpu.power_limit = Reading::of(std::llround(row.real(6) * 1000));
  if (!row.is_null(7)) gpu.index = static_cast<std::size_t>(row.number(7));
  gpu.host = row.text(8);
  return gpu;
}

}  // namespace

Result<std::vector<StoredGpu>> HistoryReader::gpus() const {
  MutexLock lock(mutex_);
  const auto opened = file();
  if (!opened) return std::unexpected(opened.error());
  Connection& connection = (*opened)->connection;
  const auto version = schema_version(connection);
  if (!version) return std::unexpected(version.error());
  const bool first_version = *version == 1;
  auto rows = connection.prepare(
      fmt::format("SELECT id, uuid, simulated, minor, pciegen, pciewidth, plimit, {} FROM gpu"
                  " ORDER BY uuid",
                  first_version ? "NULL, NULL" : "gpu_index, host"));
  if (!rows) return std::unexpected(std::move(rows.error()));
  auto profiles = first_version ? decltype(read_profiles(connection)){} : read_profiles(connection);
  if (!profiles) return std::unexpected(std::move(profiles.error()));
  auto fact =
      connection.prepare("SELECT key, value FROM json_each((SELECT facts FROM gpu WHERE id=?))");
  if (!fact) return std::unexpected(std::move(fact.error()));
  std::vector<StoredGpu> gpus;
  for (;;) {
    const auto row = rows->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return gpus;
    StoredGpu& gpu = gpus.emplace_back(gpu_of(*rows));
    gpu.mig_profiles = std::move((*profiles)[rows->number(0)]);
    read_facts(*fact, rows->number(0), gpu.info);
  }
}

Result<bool> HistoryReader::is_simulated(const std::string& gpu) const {
  MutexLock lock(mutex_);
  const auto opened = file();
  if (!opened) return std::unexpected(opened.error());
  auto rows = (*opened)->connection.prepare("SELECT simulated FROM gpu WHERE uuid=?");
  if (!rows) return std::unexpected(std::move(rows.error()));
  rows->bind_text(1, gpu);
  const auto row = rows->step();
  if (!row) return std::unexpected(row.error());
  return *row && rows->number(0) != 0;
}

Result<void> HistoryReader::read_sizes(File& file, const std::string& path, HistoryInfo& info) {
  info.bytes = size_of(path);
  info.log_bytes = size_of(path + "-wal");
  Connection& connection = file.connection;
  for (const auto& [sql, number] :
       {std::pair{"SELECT freelist_count * page_size FROM pragma_freelist_count,"
                  " pragma_page_size",
                  &info.free_bytes},
        std::pair{"SELECT (SELECT coalesce(sum(length(data)), 0) FROM chunk)"
                  " + (SELECT coalesce(sum(length(times)), 0) FROM block)"
                  " + (SELECT coalesce(sum(length(data)), 0) FROM tail)",
                  &info.payload_bytes},
        std::pair{"SELECT count(*) FROM block", &info.blocks},
        std::pair{"SELECT coalesce(sum(ticks), 0) FROM block", &info.ticks}}) {
    const auto found = connection.number(sql);
    if (!found) return std::unexpected(found.error());
    *number = static_cast<std::uint64_t>(*found);
  }
  const auto samples = count_samples(connection);
  if (!samples) return std::unexpected(samples.error());
  info.samples = *samples;
  for (const auto& [resolution, first] : {std::pair{Resolution::kMinute, &info.first_minute},
                                          std::pair{Resolution::kHour, &info.first_hour}}) {
    auto found = first_of(connection, rollup_table(model::Entity::kGpu, resolution));
    if (!found) return std::unexpected(std::move(found.error()));
    *first = *found;
  }
  return {};
}

Result<void> HistoryReader::read_ticks(File& file, std::chrono::microseconds gap,
                                       std::size_t max_gaps, HistoryInfo& info) const {
  std::vector<std::int64_t> open_times;
  std::int64_t open_block = INT64_MAX;
  const auto looked = with_open(file, [&](const OpenBlock* open) {
    if (open == nullptr) return;
    open_block = static_cast<std::int64_t>(open->head().block);
    open->decode_times(open_times);
    info.ticks += open->ticks();
    for (std::size_t i = 0; i < open->head().gpus.size(); ++i) {
      info.samples += open->ticks() * open->present_columns(i).size();
    }
  });
  if (!looked) return looked;
  auto blocks =
      file.connection.prepare("SELECT times, ticks FROM block WHERE id<? ORDER BY first, id");
  if (!blocks) return std::unexpected(std::move(blocks.error()));
  blocks->bind(1, open_block);
  Gaps gaps(gap);
  const auto note = [&](const std::vector<std::int64_t>& times) {
    if (times.empty()) return;
    const WallTime first = time_of(times.front());
    const WallTime last = time_of(times.back());
    info.first = info.first ? std::min(*info.first, first) : first;
    info.last = info.last ? std::max(*info.last, last) : last;
    gaps.add(times);
  };
  std::vector<std::int64_t> times;
  bool open_noted = false;
  for (;;) {
    const auto row = blocks->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    const auto ticks = static_cast<std::size_t>(blocks->number(1));
    if (!decode_times(blocks->bytes(0), ticks, times)) continue;
    if (!open_noted && !open_times.empty() && times.front() > open_times.front()) {
      note(open_times);
      open_noted = true;
    }
    note(times);
  }
  if (!open_noted) note(open_times);
  info.gaps = std::move(gaps).newest(max_gaps);
  return {};
}

Result<HistorySpan> HistoryReader::span() const {
  MutexLock lock(mutex_);
  const auto opened = file();
  if (!opened) return std::unexpected(opened.error());
  File& file = **opened;
  HistorySpan span;
  const auto note = [&](WallTime first, WallTime last) {
    span.first = std::min(span.first.value_or(first), first);
    span.last = std::max(span.last.value_or(last), last);
  };
  const auto looked = with_open(file, [&](const OpenBlock* open) {
    if (open != nullptr) note(open->first(), open->last());
  });
  if (!looked) return std::unexpected(looked.error());
  auto blocks = file.connection.prepare("SELECT min(first), max(last) FROM block");
  if (!blocks) return std::unexpected(std::move(blocks.error()));
  const auto row = blocks->step();
  if (!row) return std::unexpected(row.error());
  if (*row && !blocks->is_null(0)) note(time_of(blocks->number(0)), time_of(blocks->number(1)));
  blocks->reset();
  const auto minute =
      first_of(file.connection, rollup_table(model::Entity::kGpu, Resolution::kMinute));
  if (!minute) return std::unexpected(minute.error());
  span.first_minute = *minute;
  return span;
}

Result<HistoryInfo> HistoryReader::info(std::chrono::microseconds gap, std::size_t max_gaps) const {
  MutexLock lock(mutex_);
  const auto opened = file();
  if (!opened) return std::unexpected(opened.error());
  HistoryInfo info;
  if (auto done = read_sizes(**opened, path_, info); !done) {
    return std::unexpected(std::move(done.error()));
  }
  if (auto done = read_ticks(**opened, gap, max_gaps, info); !done) {
    return std::unexpected(std::move(done.error()));
  }
  return info;
}

namespace {

// Beside the agent, which has the file between two steps.
Result<void> vacuum_in_steps(Connection& connection, const std::function<bool()>& stop) {
  constexpr int kPages = 256;  // 1 MiB, usually
  constexpr std::string_view kFree = "PRAGMA freelist_count";
  auto left = connection.number(kFree);
  while (left && *left > 0) {
    if (stop && stop()) return base::fail(ErrorKind::kUnavailable, "cannot go on: stopped");
    const auto done = connection.execute(fmt::format("PRAGMA incremental_vacuum({})", kPages));
    if (!done) return done;
    const auto now = connection.number(kFree);
    if (now && *now >= *left) break;  // it is not a file that can shrink so
    left = now;
  }
  if (!left) return std::unexpected(left.error());
  // What is in the log goes into the file, as far as nobody reads what it replaces.
  return connection.execute("PRAGMA wal_checkpoint(PASSIVE)");
}

}  // namespace

Result<void> vacuum(const std::string& path, const std::function<bool()>& stop) {
  if (size_of(path) == 0) {
    return base::fail(ErrorKind::kNotFound, fmt::format("cannot find the history {}", path));
  }
  const auto lock = base::LockFile::acquire(path + ".lock");
  const bool shared = !lock && lock.error().kind == ErrorKind::kAlreadyExists;
  if (!lock && !shared) {
    return base::fail(lock.error().kind,
                      fmt::format("cannot make {} smaller: {}", path, lock.error().message));
  }
  auto connection = Connection::open(path, Connection::Mode::kWrite);
  if (!connection) return std::unexpected(std::move(connection.error()));
  const auto state = check_file(*connection);
  if (!state) return std::unexpected(state.error());
  if (stop) connection->stop_when(stop);
  if (shared) return vacuum_in_steps(*connection, stop);
  const auto done = connection->execute("VACUUM");
  connection->stop_when([] { return false; });
  // Also of what was undone: the log would stay as long as the file.
  const auto emptied = connection->execute("PRAGMA wal_checkpoint(TRUNCATE)");
  return done ? emptied : done;
}

}  // namespace gpuscope::history
