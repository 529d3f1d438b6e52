#include "history/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "base/log.h"
#include "history/chunk.h"
#include "history/layout.h"
#include "history/times.h"

namespace gpuscope::history {
namespace {

using base::ErrorKind;
using base::MutexLock;
using base::Result;
using model::SeriesBucket;
using model::SeriesKey;
using model::SeriesSample;
using model::TimeRange;

constexpr std::size_t kMaxBuckets = 100'000;
constexpr std::int64_t kMicros = 1'000'000;
constexpr std::size_t kKeptTimes = 50;  // blocks: two days' times take 1.4 MB
// Ticks are read where there are at most so many of them for each row of rollups that would be read
// instead: a row holds all metrics, and takes as long to find as so many ticks of one.
constexpr std::int64_t kTicksPerRow = 120;
constexpr std::int64_t kFewTicks = 200'000;  // two days at one a second: read in any case

Result<void> check(const TimeRange& range, std::size_t count) {
  if (range.end < range.begin) {
    return base::fail(ErrorKind::kInvalidArgument,
                      fmt::format("cannot read a range that ends ({}) before it begins ({})",
                                  base::format_utc(range.end), base::format_utc(range.begin)));
  }
  if (count < 1 || count > kMaxBuckets) {
    return base::fail(
        ErrorKind::kInvalidArgument,
        fmt::format("cannot cut a range into {} parts: 1 to {} are possible", count, kMaxBuckets));
  }
  return {};
}

// `mean` holds the sum until all is added.
void add(SeriesBucket& bucket, std::uint64_t count, std::int64_t min, std::int64_t max, double sum,
         std::int64_t last) {
  bucket.min = bucket.count == 0 ? min : std::min(bucket.min, min);
  bucket.max = bucket.count == 0 ? max : std::max(bucket.max, max);
  bucket.mean += sum;
  bucket.last = last;
  bucket.count += count;
}

// There is at least one.
void add_values(SeriesBucket& bucket, std::span<const std::int64_t> values) {
  std::int64_t min = values.front();
  std::int64_t max = values.front();
  double sum = 0;
  for (const std::int64_t value : values) {
    min = std::min(min, value);
    max = std::max(max, value);
    sum += static_cast<double>(value);
  }
  add(bucket, values.size(), min, max, sum, values.back());
}

// Puts times into the equal parts of a range.
class Parts {
 public:
  Parts(const TimeRange& range, std::vector<SeriesBucket>& buckets)
      : begin_(micros(range.begin)),
        end_(micros(range.end)),
        buckets_(buckets),
        width_(static_cast<double>(end_ - begin_) / static_cast<double>(buckets.size())) {}

  // Null where `time` is not in the range. Quick where times come in order.
  SeriesBucket* at(std::int64_t time) {
    if (time >= part_begin_ && time < part_end_) return part_;
    if (time < begin_ || time >= end_) return nullptr;
    const std::size_t place = place_of(time);
    part_ = &buckets_[place];
    part_begin_ = time;
    // A little short of the part's end, so that rounding puts no time beyond it.
    part_end_ = std::min(
        end_, begin_ + static_cast<std::int64_t>(width_ * static_cast<double>(place + 1)) - 1);
    return part_;
  }
  // Adds values of one tick after the other.
  void add(std::span<const std::int64_t> times, std::span<const std::int64_t> values) {
    std::size_t from = 0;
    while (from < times.size()) {
      SeriesBucket* const bucket = at(times[from]);
      const std::int64_t limit = bucket == nullptr && times[from] < begin_ ? begin_ : part_end_;
      if (bucket == nullptr && times[from] >= end_) return;
      // At least that one, also where its part is thinner than a microsecond.
      const auto rest = times.subspan(from + 1);
      const std::size_t end =
          from + 1 + static_cast<std::size_t>(std::ranges::lower_bound(rest, limit) - rest.begin());
      if (bucket != nullptr) add_values(*bucket, values.subspan(from, end - from));
      from = end;
    }
  }

 private:
  std::size_t place_of(std::int64_t time) const {
    const auto place = static_cast<std::size_t>(static_cast<double>(time - begin_) / width_);
    return std::min(place, buckets_.size() - 1);
  }

  std::int64_t begin_;
  std::int64_t end_;
  std::vector<SeriesBucket>& buckets_;
  double width_;
  SeriesBucket* part_ = nullptr;  // of the last time, and times that are surely in it as well
  std::int64_t part_begin_ = 0;
  std::int64_t part_end_ = 0;
};

}  // namespace

Result<HistoryReader::File*> HistoryReader::file() const {
  if (file_) return &*file_;
  auto connection = Connection::open(path_, Connection::Mode::kRead);
  if (!connection) return std::unexpected(std::move(connection.error()));
  if (stop_) connection->stop_when(stop_);
  const auto state = check_file(*connection);
  if (!state) return std::unexpected(state.error());
  if (*state == FileState::kNew) {
    return base::fail(ErrorKind::kUnavailable,
                      fmt::format("cannot read {}: nothing has been written to it yet", path_));
  }
  File file{std::move(*connection), {}, {}, {}, {}, {}};
  // By the index of times: "+id" keeps it from going through all blocks for the sake of the order.
  const std::pair<Statement*, std::string_view> statements[] = {
      {&file.find_gpu, "SELECT id FROM gpu WHERE uuid=?"},
      {&file.find_metric, "SELECT id, rolled FROM metric WHERE key=? AND decimals=?"},
      {&file.find_blocks,
       "SELECT id, times, ticks FROM block WHERE last>=? AND first<? AND +id<? ORDER BY +id"},
      {&file.count_ticks, "SELECT coalesce(sum(ticks), 0) FROM block WHERE last>=? AND first<?"},
  };
  for (const auto& [statement, sql] : statements) {
    auto prepared = file.connection.prepare(sql);
    if (!prepared) return std::unexpected(std::move(prepared.error()));
    *statement = std::move(*prepared);
  }
  file_ = std::move(file);
  return &*file_;
}

HistoryReader::Wanted HistoryReader::wanted(const SeriesKey& key) {
  const model::MetricInfo& info = model::info(key.metric);
  return {key.gpu, info.key, info.entity, info.decimals, info.kind, key.instance};
}

Result<HistoryReader::Series> HistoryReader::find(File& file, const Wanted& wanted) const {
  file.find_gpu.bind_text(1, wanted.gpu);
  auto row = file.find_gpu.step();
  if (!row) return std::unexpected(std::move(row.error()));
  if (!*row) {
    return base::fail(ErrorKind::kNotFound,
                      fmt::format("cannot find the GPU {} in the history", wanted.gpu));
  }
  Series series;
  series.gpu = static_cast<std::uint32_t>(file.find_gpu.number(0));
  series.instance = wanted.instance;
  file.find_gpu.reset();
  file.find_metric.bind_text(1, wanted.key).bind(2, std::int64_t{wanted.decimals});
  row = file.find_metric.step();
  if (!row) return std::unexpected(std::move(row.error()));
  if (!*row) return series;
  series.known = true;
  series.metric = {.id = static_cast<std::uint32_t>(file.find_metric.number(0)),
                   .key = std::string(wanted.key),
                   .entity = wanted.entity,
                   .decimals = wanted.decimals,
                   .kind = wanted.kind,
                   .rolled = file.find_metric.number(1) != 0};
  file.find_metric.reset();
  return series;
}

Result<void> HistoryReader::with_open(File& file,
                                      const std::function<void(const OpenBlock*)>& use) const {
  if (live_) {
    MutexLock lock(live_->mutex);
    if (live_->taken_up) {
      file.tail = {};
      use(live_->block.get());
      return {};
    }
  }
  // Of another process, or of the last run as long as the store has not read it.
  const auto block = file.tail.look(file.connection);
  if (!block) return std::unexpected(block.error());
  use(*block);
  return {};
}

void HistoryReader::tell_of_damage(std::int64_t chunk, const std::string& why) const {
  if (!damaged_.insert(chunk).second) return;
  base::log(base::LogLevel::kWarning,
            fmt::format("{}: what chunk {} of {} holds counts as failed", why, chunk, path_));
}

const std::vector<std::int64_t>* HistoryReader::times_of(const Statement& row) const {
  const std::int64_t block = row.number(0);
  if (const auto known = times_.find(block); known != times_.end()) return &known->second;
  std::vector<std::int64_t> times;
  if (!decode_times(row.bytes(1), static_cast<std::size_t>(row.number(2)), times)) return nullptr;
  while (times_.size() >= kKeptTimes) times_.erase(times_.begin());
  return &(times_[block] = std::move(times));
}

// The chunks of a query, one after the other: to move on is quicker than to open one anew. While
// one is open the file is as it was when the first was opened.
class HistoryReader::Chunks {
 public:
  explicit Chunks(sqlite3* handle) : handle_(handle) {}

  // False: there is none of that number.
  Result<bool> open(std::int64_t chunk) {
    int code = SQLITE_ERROR;
    if (blob_) {
      code = sqlite3_blob_reopen(blob_.get(), chunk);
    } else {
      sqlite3_blob* opened = nullptr;
      code = sqlite3_blob_open(handle_, "main", "chunk", "data", chunk, 0, &opened);
      blob_.reset(opened);
    }
    if (code == SQLITE_OK) return true;
    blob_.reset();
    // It is what SQLite says of a row that is not there, and of nothing else here.
    if (code == SQLITE_ERROR) return false;
    return sqlite_failure(handle_);
  }
  std::size_t size() const { return static_cast<std::size_t>(sqlite3_blob_bytes(blob_.get())); }
  // Valid until the next call.
  Result<std::string_view> read(std::size_t offset, std::size_t length) {
    if (offset > size() || length > size() - offset) {
      return base::fail(ErrorKind::kInvalidArgument, "cannot read a chunk: it is cut off");
    }
    buffer_.resize(std::max(buffer_.size(), length));
    if (sqlite3_blob_read(blob_.get(), buffer_.data(), static_cast<int>(length),
                          static_cast<int>(offset)) != SQLITE_OK) {
      return sqlite_failure(handle_);
    }
    return std::string_view(buffer_).substr(0, length);
  }

 private:
  struct Close {
    void operator()(sqlite3_blob* blob) const { sqlite3_blob_close(blob); }
  };
  sqlite3* handle_;
  std::unique_ptr<sqlite3_blob, Close> blob_;
  std::string buffer_;
};

Result<bool> HistoryReader::read_chunk(Chunks& chunks, std::int64_t chunk, const ColumnKey& key,
                                       std::size_t ticks, ColumnData& column) {
  const auto there = chunks.open(chunk);
  if (!there || !*there) return there;
  const Fetch fetch = [&](std::size_t offset, std::size_t length) {
    return chunks.read(offset, length);
  };
  constexpr std::size_t kFirstRead = 1024;  // most directories are shorter
  auto front = fetch(0, std::min(chunks.size(), kFirstRead));
  if (!front) return std::unexpected(front.error());
  const auto length = directory_bytes(*front);
  if (!length) return std::unexpected(length.error());
  if (*length > front->size()) {
    front = fetch(0, *length);
    if (!front) return std::unexpected(front.error());
  }
  const auto directory = parse_directory(*front);
  if (!directory) return std::unexpected(directory.error());
  if (directory->ticks != ticks) {
    return base::fail(ErrorKind::kInvalidArgument, "cannot read a chunk: it is of another block");
  }
  const ColumnEntry* entry = directory->find(key);
  if (entry == nullptr) return false;
  if (auto done = decode_column(*directory, *entry, fetch, column); !done) {
    return std::unexpected(std::move(done.error()));
  }
  return true;
}

Result<void> HistoryReader::visit_columns(File& file, const Series& series, std::int64_t begin,
                                          std::int64_t end, const VisitColumn& visit) const {
  // The open block first: what is closed meanwhile is in it, and left out of the file's.
  const ColumnKey key{series.metric.id, series.instance};
  ColumnData open_column;
  std::vector<std::int64_t> open_times;
  bool is_open = false;
  std::int64_t open_block = INT64_MAX;  // above all there are
  const auto looked = with_open(file, [&](const OpenBlock* open) {
    if (open == nullptr) return;
    open_block = static_cast<std::int64_t>(open->head().block);
    const auto& gpus = open->head().gpus;
    const auto place = std::ranges::find(gpus, series.gpu);
    if (place == gpus.end() || micros(open->first()) >= end || micros(open->last()) < begin) return;
    open->decode_times(open_times);
    is_open = open->decode(static_cast<std::size_t>(place - gpus.begin()), key, open_column);
  });
  if (!looked) return looked;

  ColumnData column;
  Chunks chunks(file.connection.handle());
  file.find_blocks.bind(1, begin).bind(2, end).bind(3, open_block);
  for (;;) {
    const auto row = file.find_blocks.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    const std::int64_t chunk = chunk_id(file.find_blocks.number(0), series.gpu);
    const auto ticks = static_cast<std::size_t>(file.find_blocks.number(2));
    const auto has = read_chunk(chunks, chunk, key, ticks, column);
    if (!has) {
      if (has.error().kind != ErrorKind::kInvalidArgument) {
        file.find_blocks.reset();
        return std::unexpected(has.error());
      }
      tell_of_damage(chunk, has.error().message);
      column.clear();
      column.runs.push_back({static_cast<std::uint32_t>(ticks), model::Absence::kFailed});
    } else if (!*has) {
      continue;
    }
    if (const auto* times = times_of(file.find_blocks)) {
      visit(*times, column);
    } else {
      tell_of_damage(chunk, "cannot read the times of a block: they are damaged");
    }
  }
  if (is_open) visit(open_times, open_column);
  return {};
}

Result<std::vector<SeriesSample>> HistoryReader::samples_of(const Wanted& wanted,
                                                            const TimeRange& range) const {
  if (auto fits = check(range, 1); !fits) return std::unexpected(std::move(fits.error()));
  MutexLock lock(mutex_);
  const auto opened = file();
  if (!opened) return std::unexpected(opened.error());
  const auto series = find(**opened, wanted);
  if (!series) return std::unexpected(series.error());
  std::vector<SeriesSample> samples;
  if (!series->known) return samples;
  const std::int64_t begin = micros(range.begin);
  const std::int64_t end = micros(range.end);
  const auto done = visit_columns(
      **opened, *series, begin, end,
      [&](const std::vector<std::int64_t>& times, const ColumnData& column) {
        column.for_each([&](std::size_t tick, const model::Reading& reading) {
          const std::int64_t time = times[tick];
          if (time < begin || time >= end) return;
          samples.push_back({base::WallTime{std::chrono::microseconds{time}}, reading});
        });
      });
  if (!done) return std::unexpected(done.error());
  // A clock that stepped back leaves blocks that overlap.
  if (!std::ranges::is_sorted(samples, {}, &SeriesSample::time)) {
    std::ranges::sort(samples, {}, &SeriesSample::time);
  }
  return samples;
}

Result<std::vector<SeriesSample>> HistoryReader::samples(const SeriesKey& key,
                                                         const TimeRange& range) const {
  return samples_of(wanted(key), range);
}

Result<std::vector<SeriesSample>> HistoryReader::health_samples(const std::string& gpu,
                                                                const TimeRange& range) const {
  return samples_of(health(gpu), range);
}

Result<void> HistoryReader::fill_from_ticks(File& file, const Series& series,
                                            const TimeRange& range, std::int64_t from,
                                            std::vector<SeriesBucket>& buckets) const {
  Parts parts(range, buckets);
  return visit_columns(
      file, series, std::max(from, micros(range.begin)), micros(range.end),
      [&](const std::vector<std::int64_t>& times, const ColumnData& column) {
        column.for_each_run([&](std::size_t tick, std::span<const std::int64_t> values) {
          const auto all = std::span(times).subspan(tick, values.size());
          const auto skipped =
              static_cast<std::size_t>(std::ranges::lower_bound(all, from) - all.begin());
          parts.add(all.subspan(skipped), values.subspan(skipped));
        });
      });
}

// Hours where a part is at least as long, else minutes; ticks for what they do not have yet.
Result<void> HistoryReader::fill_from_rollups(File& file, const Series& series,
                                              const TimeRange& range,
                                              std::vector<SeriesBucket>& buckets) const {
  const std::int64_t width =
      (micros(range.end) - micros(range.begin)) / static_cast<std::int64_t>(buckets.size());
  const bool hours = width >= kResolutionSeconds[1] * kMicros;
  const Resolution resolution = hours ? Resolution::kHour : Resolution::kMinute;
  const std::int64_t step = kResolutionSeconds[hours ? 1 : 0];
  const RollupColumns columns = rollup_columns(series.metric);
  const std::string table = rollup_table(series.metric.entity, resolution);
  // Every minute and hour has a row of the GPU itself, whatever of it had values.
  auto last = file.connection.number(
      fmt::format("SELECT coalesce(max(time), {}) FROM {} WHERE gpu={}", INT64_MIN,
                  rollup_table(model::Entity::kGpu, resolution), series.gpu));
  if (!last) return std::unexpected(std::move(last.error()));
  const std::int64_t covered = *last == INT64_MIN ? INT64_MIN : (*last + step) * kMicros;
  auto has = file.connection.number(fmt::format(
      "SELECT count(*) FROM pragma_table_info('{}') WHERE name='{}'", table, columns.min));
  if (!has) return std::unexpected(std::move(has.error()));
  if (*has > 0) {
    auto rows = file.connection.prepare(
        fmt::format("SELECT time, ticks, {}, {}, {} FROM {} WHERE gpu=? AND time>=? AND time<?{}",
                    columns.min, columns.max, columns.third, table,
                    series.metric.entity == model::Entity::kGpu ? "" : " AND instance=?"));
    if (!rows) return std::unexpected(std::move(rows.error()));
    const auto seconds_of = [](base::WallTime time) {
      return std::chrono::ceil<std::chrono::seconds>(time).time_since_epoch().count();
    };
    rows->bind(1, std::int64_t{series.gpu})
        .bind(2, seconds_of(range.begin))
        .bind(3, seconds_of(range.end));
    if (series.metric.entity != model::Entity::kGpu) rows->bind(4, std::int64_t{series.instance});
    Parts parts(range, buckets);
    for (;;) {
      const auto row = rows->step();
      if (!row) return std::unexpected(row.error());
      if (!*row) break;
      SeriesBucket* const bucket = parts.at(rows->number(0) * kMicros);
      if (bucket == nullptr || rows->is_null(2)) continue;
      const auto ticks = static_cast<std::uint64_t>(rows->number(1));
      const std::int64_t third = rows->number(4);
      add(*bucket, ticks, rows->number(2), rows->number(3),
          static_cast<double>(third) * static_cast<double>(ticks), third);
    }
  }
  return fill_from_ticks(file, series, range, covered, buckets);
}

// Ticks answer what is short, or too finely cut for rollups, as far as they are kept.
Result<bool> HistoryReader::wants_rollups(File& file, const Series& series, const TimeRange& range,
                                          std::size_t count) const {
  if (!series.metric.rolled) return false;
  const std::int64_t length = micros(range.end) - micros(range.begin);
  const std::int64_t width = length / static_cast<std::int64_t>(count);
  if (width < kResolutionSeconds[0] * kMicros) return false;
  const std::size_t resolution = width >= kResolutionSeconds[1] * kMicros ? 1 : 0;
  file.count_ticks.bind(1, micros(range.begin)).bind(2, micros(range.end));
  const auto row = file.count_ticks.step();
  if (!row) return std::unexpected(row.error());
  const std::int64_t ticks = file.count_ticks.number(0);
  file.count_ticks.reset();
  if (ticks > kFewTicks &&
      ticks / kTicksPerRow > length / kMicros / kResolutionSeconds[resolution]) {
    return true;
  }
  const auto oldest =
      file.connection.number(fmt::format("SELECT coalesce(min(first), {}) FROM block", INT64_MAX));
  if (!oldest) return std::unexpected(oldest.error());
  const auto older = file.connection.number(
      fmt::format("SELECT EXISTS(SELECT 1 FROM rollup_minute WHERE gpu={} AND time<{})", series.gpu,
                  std::max(*oldest, micros(range.begin)) / kMicros - kResolutionSeconds[0]));
  if (!older) return std::unexpected(older.error());
  return micros(range.begin) < *oldest && *oldest != INT64_MAX && *older != 0;
}

Result<std::vector<SeriesBucket>> HistoryReader::buckets_of(const Wanted& wanted,
                                                            const TimeRange& range,
                                                            std::size_t count) const {
  const auto opened = file();
  if (!opened) return std::unexpected(opened.error());
  const auto series = find(**opened, wanted);
  if (!series) return std::unexpected(series.error());
  std::vector<SeriesBucket> buckets(count);
  if (!series->known || range.begin == range.end) return buckets;
  const auto rollups = wants_rollups(**opened, *series, range, count);
  if (!rollups) return std::unexpected(rollups.error());
  const auto done = *rollups ? fill_from_rollups(**opened, *series, range, buckets)
                             : fill_from_ticks(**opened, *series, range, INT64_MIN, buckets);
  if (!done) return std::unexpected(done.error());
  for (SeriesBucket& bucket : buckets) {
    if (bucket.count > 0) bucket.mean /= static_cast<double>(bucket.count);
  }
  return buckets;
}

Result<std::vector<SeriesBucket>> HistoryReader::buckets(const SeriesKey& key,
                                                         const TimeRange& range,
                                                         std::size_t count) const {
  if (auto fits = check(range, count); !fits) return std::unexpected(std::move(fits.error()));
  MutexLock lock(mutex_);
  return buckets_of(wanted(key), range, count);
}

Result<std::vector<SeriesBucket>> HistoryReader::health_buckets(const std::string& gpu,
                                                                const TimeRange& range,
                                                                std::size_t count) const {
  if (auto fits = check(range, count); !fits) return std::unexpected(std::move(fits.error()));
  MutexLock lock(mutex_);
  return buckets_of(health(gpu), range, count);
}

Result<std::vector<std::optional<double>>> HistoryReader::window_means(
    std::span<const SeriesKey> keys, const TimeRange& range) const {
  if (auto fits = check(range, 1); !fits) return std::unexpected(std::move(fits.error()));
  MutexLock lock(mutex_);
  std::vector<std::optional<double>> means;
  for (const SeriesKey& key : keys) {
    const auto bucket = buckets_of(wanted(key), range, 1);
    if (!bucket) return std::unexpected(bucket.error());
    means.push_back(bucket->front().count == 0 ? std::nullopt
                                               : std::optional<double>(bucket->front().mean));
  }
  return means;
}

}  // namespace gpuscope::history
