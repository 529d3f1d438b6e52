#include "history/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

namespace gpuscope::history {
namespace {

using base::ErrorKind;
using base::MutexLock;
using base::Result;
using model::SeriesBucket;
using model::SeriesKey;
using model::SeriesSample;
using model::TimeRange;

constexpr unsigned kGpuBits = 16;
constexpr std::size_t kMaxBuckets = 100'000;
constexpr std::int64_t kMicros = 1'000'000;
// Up to this length of a range ticks are read, over it rollups, where each bucket holds some.
constexpr std::int64_t kLongestTickRange = std::int64_t{2} * 86'400 * kMicros;

std::int64_t micros(base::WallTime time) { return time.time_since_epoch().count(); }

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

// Puts times into the equal parts of a range.
class Parts {
 public:
  Parts(const TimeRange& range, std::vector<SeriesBucket>& buckets)
      : begin_(micros(range.begin)),
        end_(micros(range.end)),
        buckets_(buckets),
        width_(static_cast<double>(end_ - begin_) / static_cast<double>(buckets.size())) {}

  // Null where `time` is not in the range.
  SeriesBucket* at(std::int64_t time) {
    if (time < begin_ || time >= end_) return nullptr;
    const auto place = static_cast<std::size_t>(static_cast<double>(time - begin_) / width_);
    return &buckets_[std::min(place, buckets_.size() - 1)];
  }

 private:
  std::int64_t begin_;
  std::int64_t end_;
  std::vector<SeriesBucket>& buckets_;
  double width_;
};

// `mean` holds the sum until all is added.
void add(SeriesBucket& bucket, std::uint64_t count, std::int64_t min, std::int64_t max, double sum,
         std::int64_t last) {
  bucket.min = bucket.count == 0 ? min : std::min(bucket.min, min);
  bucket.max = bucket.count == 0 ? max : std::max(bucket.max, max);
  bucket.mean += sum;
  bucket.last = last;
  bucket.count += count;
}

std::string key_of(model::Metric metric) { return std::string(model::info(metric).key); }

}  // namespace

Result<HistoryReader::File*> HistoryReader::file() const {
  if (file_) return &*file_;
  auto connection = Connection::open(path_, Connection::Mode::kRead);
  if (!connection) return std::unexpected(std::move(connection.error()));
  const auto state = check_file(*connection);
  if (!state) return std::unexpected(state.error());
  if (*state == FileState::kNew) {
    return base::fail(ErrorKind::kUnavailable,
                      fmt::format("cannot read {}: nothing has been written to it yet", path_));
  }
  File file{std::move(*connection), {}, {}, {}, {}};
  const std::pair<Statement*, std::string_view> statements[] = {
      {&file.find_gpu, "SELECT id FROM gpu WHERE uuid=?"},
      {&file.find_metric, "SELECT id, rolled FROM metric WHERE key=? AND decimals=?"},
      {&file.find_blocks,
       "SELECT id, times, ticks FROM block WHERE last>=? AND first<? AND id<? ORDER BY id"},
      {&file.find_chunk, "SELECT length(data) FROM chunk WHERE id=?"},
  };
  for (const auto& [statement, sql] : statements) {
    auto prepared = file.connection.prepare(sql);
    if (!prepared) return std::unexpected(std::move(prepared.error()));
    *statement = std::move(*prepared);
  }
  file_ = std::move(file);
  return &*file_;
}

Result<HistoryReader::Series> HistoryReader::find(File& file, const SeriesKey& key) const {
  file.find_gpu.bind_text(1, key.gpu);
  auto row = file.find_gpu.step();
  if (!row) return std::unexpected(std::move(row.error()));
  if (!*row) {
    return base::fail(ErrorKind::kNotFound,
                      fmt::format("cannot find the GPU {} in the history", key.gpu));
  }
  Series series;
  series.gpu = static_cast<std::uint32_t>(file.find_gpu.number(0));
  file.find_gpu.reset();
  const model::MetricInfo& info = model::info(key.metric);
  file.find_metric.bind_text(1, info.key).bind(2, std::int64_t{info.decimals});
  row = file.find_metric.step();
  if (!row) return std::unexpected(std::move(row.error()));
  if (!*row) return series;
  series.known = true;
  series.metric = static_cast<std::uint32_t>(file.find_metric.number(0));
  series.rolled = file.find_metric.number(1) != 0;
  file.find_metric.reset();
  return series;
}

// The block that another process has open, by what it has committed.
Result<std::unique_ptr<OpenBlock>> HistoryReader::load_tail(File& file) const {
  auto rows = file.connection.prepare("SELECT id, data FROM tail ORDER BY id");
  if (!rows) return std::unexpected(std::move(rows.error()));
  std::unique_ptr<OpenBlock> block;
  std::unique_ptr<TailDecoder> decoder;
  for (;;) {
    const auto row = rows->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    if (!decoder) {
      BlockHead head;
      if (rows->number(0) != 0 || !decode_head(rows->bytes(1), head)) break;
      block = std::make_unique<OpenBlock>(head);
      decoder = std::make_unique<TailDecoder>(head);
      continue;
    }
    decoder->feed(rows->bytes(1));
    while (decoder->next()) block->append(decoder->machine());
    if (decoder->failed()) break;
  }
  return block;
}

// False: the open block does not have the series. `block` is its number, or above all there are.
Result<bool> HistoryReader::read_open(File& file, const Series& series, std::uint32_t instance,
                                      std::uint64_t& block, ColumnData& column,
                                      std::vector<std::int64_t>& times) const {
  const auto read = [&](const OpenBlock& open) {
    block = open.head().block;
    const auto& gpus = open.head().gpus;
    const auto place = std::ranges::find(gpus, series.gpu);
    if (place == gpus.end()) return false;
    open.decode_times(times);
    return open.decode(static_cast<std::size_t>(place - gpus.begin()), {series.metric, instance},
                       column);
  };
  block = INT64_MAX;
  if (live_) {
    MutexLock lock(live_->mutex);
    return live_->block && read(*live_->block);
  }
  auto tail = load_tail(file);
  if (!tail) return std::unexpected(std::move(tail.error()));
  return *tail && read(**tail);
}

Result<bool> HistoryReader::read_chunk(File& file, std::int64_t chunk, const ColumnKey& key,
                                       ColumnData& column) const {
  file.find_chunk.bind(1, chunk);
  const auto row = file.find_chunk.step();
  if (!row) return std::unexpected(row.error());
  if (!*row) return false;
  const auto size = static_cast<std::size_t>(file.find_chunk.number(0));
  file.find_chunk.reset();
  sqlite3_blob* opened = nullptr;
  sqlite3* const handle = file.connection.handle();
  if (sqlite3_blob_open(handle, "main", "chunk", "data", chunk, 0, &opened) != SQLITE_OK) {
    return sqlite_failure(handle);
  }
  const std::unique_ptr<sqlite3_blob, decltype(&sqlite3_blob_close)> blob(opened,
                                                                          &sqlite3_blob_close);
  std::string buffer;
  const Fetch fetch = [&](std::size_t offset, std::size_t length) -> Result<std::string_view> {
    if (offset > size || length > size - offset) {
      return base::fail(ErrorKind::kInvalidArgument, "cannot read a chunk: it is cut off");
    }
    buffer.resize(length);
    if (sqlite3_blob_read(blob.get(), buffer.data(), static_cast<int>(length),
                          static_cast<int>(offset)) != SQLITE_OK) {
      return sqlite_failure(handle);
    }
    return std::string_view(buffer);
  };
  constexpr std::size_t kFirstRead = 1024;  // most directories are shorter
  auto front = fetch(0, std::min(size, kFirstRead));
  if (!front) return std::unexpected(front.error());
  const auto length = directory_bytes(*front);
  if (!length) return std::unexpected(length.error());
  if (*length > front->size()) {
    front = fetch(0, *length);
    if (!front) return std::unexpected(front.error());
  }
  const auto directory = parse_directory(*front);
  if (!directory) return std::unexpected(directory.error());
  const ColumnEntry* entry = directory->find(key);
  if (entry == nullptr) return false;
  if (auto done = decode_column(*directory, *entry, fetch, column); !done) {
    return std::unexpected(std::move(done.error()));
  }
  return true;
}

Result<void> HistoryReader::visit_columns(File& file, const Series& series, std::uint32_t instance,
                                          std::int64_t begin, std::int64_t end,
                                          const VisitColumn& visit) const {
  // The open block first: what is closed meanwhile is in it, and left out of the file's.
  ColumnData open_column;
  std::vector<std::int64_t> open_times;
  std::uint64_t open_block = 0;
  const auto open = read_open(file, series, instance, open_block, open_column, open_times);
  if (!open) return std::unexpected(open.error());

  ColumnData column;
  std::vector<std::int64_t> times;
  file.find_blocks.bind(1, begin).bind(2, end).bind(3, static_cast<std::int64_t>(open_block));
  for (;;) {
    const auto row = file.find_blocks.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    const std::int64_t id = file.find_blocks.number(0);
    const auto has =
        read_chunk(file, id << kGpuBits | series.gpu, {series.metric, instance}, column);
    if (!has) {
      file.find_blocks.reset();
      return std::unexpected(has.error());
    }
    if (!*has) continue;
    ByteReader in(file.find_blocks.bytes(1));
    const auto codec = static_cast<ValuesCodec>(in.byte());
    const std::int64_t base = in.signed_number();
    const std::uint64_t unit = in.varint();
    const auto ticks = static_cast<std::size_t>(file.find_blocks.number(2));
    const std::string_view all = file.find_blocks.bytes(1);
    const bool whole = in.ok() && decode_values(codec, unit, base,
                                                all.substr(all.size() - in.left()), ticks, times);
    std::size_t sum = 0;
    for (const Run& run : column.runs) sum += run.ticks;
    if (!whole || sum != times.size()) {
      file.find_blocks.reset();
      return base::fail(ErrorKind::kInvalidArgument,
                        fmt::format("cannot read block {} of {}: it is damaged", id, path_));
    }
    visit(times, column);
  }
  if (*open) visit(open_times, open_column);
  return {};
}

Result<std::vector<SeriesKey>> HistoryReader::select(const model::SeriesMatch& match) const {
  MutexLock lock(mutex_);
  const auto opened = file();
  if (!opened) return std::unexpected(opened.error());
  File& file = **opened;
  std::map<std::uint32_t, std::string> gpus;
  std::map<std::uint32_t, model::Metric> metrics;
  for (const auto& [sql, is_gpu] : {std::pair{"SELECT id, uuid, 0 FROM gpu", true},
                                    std::pair{"SELECT id, key, decimals FROM metric", false}}) {
    auto rows = file.connection.prepare(sql);
    if (!rows) return std::unexpected(std::move(rows.error()));
    for (;;) {
      const auto row = rows->step();
      if (!row) return std::unexpected(row.error());
      if (!*row) break;
      const auto id = static_cast<std::uint32_t>(rows->number(0));
      if (is_gpu) {
        if (!match.gpu || *match.gpu == rows->text(1)) gpus[id] = rows->text(1);
        continue;
      }
      const auto metric = model::find_metric(rows->text(1));
      if (!metric || model::info(*metric).decimals != rows->number(2)) continue;
      if (!match.metric || *match.metric == *metric) metrics[id] = *metric;
    }
  }
  std::set<SeriesKey> found;
  const auto put = [&](std::uint32_t gpu, const ColumnKey& key) {
    const auto metric = metrics.find(key.metric);
    if (metric != metrics.end()) found.insert({gpus[gpu], metric->second, key.instance});
  };
  const auto put_open = [&](const OpenBlock& open) {
    ColumnData column;
    for (std::size_t i = 0; i < open.head().gpus.size(); ++i) {
      if (!gpus.contains(open.head().gpus[i])) continue;
      for (const ColumnKey& key : open.columns(i)) {
        if (open.decode(i, key, column) && !column.values.empty()) {
          put(open.head().gpus[i], key);
        }
      }
    }
  };
  if (live_) {
    MutexLock live_lock(live_->mutex);
    if (live_->block) put_open(*live_->block);
  } else {
    auto tail = load_tail(file);
    if (!tail) return std::unexpected(std::move(tail.error()));
    if (*tail) put_open(**tail);
  }
  auto chunks = file.connection.prepare("SELECT id, substr(data, 1, 65536) FROM chunk");
  if (!chunks) return std::unexpected(std::move(chunks.error()));
  for (;;) {
    const auto row = chunks->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    const auto gpu = static_cast<std::uint32_t>(chunks->number(0) & ((1U << kGpuBits) - 1));
    if (!gpus.contains(gpu)) continue;
    const auto directory = parse_directory(chunks->bytes(1));
    if (!directory) return std::unexpected(directory.error());
    for (const ColumnEntry& entry : directory->entries) {
      if (entry.kind != ColumnEntry::Kind::kAbsent) put(gpu, entry.key);
    }
  }
  return std::vector<SeriesKey>(found.begin(), found.end());
}

Result<std::vector<SeriesSample>> HistoryReader::samples(const SeriesKey& key,
                                                         const TimeRange& range) const {
  if (auto fits = check(range, 1); !fits) return std::unexpected(std::move(fits.error()));
  MutexLock lock(mutex_);
  const auto opened = file();
  if (!opened) return std::unexpected(opened.error());
  const auto series = find(**opened, key);
  if (!series) return std::unexpected(series.error());
  std::vector<SeriesSample> samples;
  if (!series->known) return samples;
  const std::int64_t begin = micros(range.begin);
  const std::int64_t end = micros(range.end);
  const auto done = visit_columns(
      **opened, *series, key.instance, begin, end,
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

Result<void> HistoryReader::fill_from_ticks(File& file, const Series& series,
                                            std::uint32_t instance, const TimeRange& range,
                                            std::int64_t from,
                                            std::vector<SeriesBucket>& buckets) const {
  Parts parts(range, buckets);
  return visit_columns(file, series, instance, std::max(from, micros(range.begin)),
                       micros(range.end),
                       [&](const std::vector<std::int64_t>& times, const ColumnData& column) {
                         column.for_each_value([&](std::size_t tick, std::int64_t value) {
                           const std::int64_t time = times[tick];
                           SeriesBucket* const bucket = time < from ? nullptr : parts.at(time);
                           if (bucket != nullptr)
                             add(*bucket, 1, value, value, static_cast<double>(value), value);
                         });
                       });
}

// Hours where a part is at least as long, else minutes; ticks for what they do not have yet.
Result<void> HistoryReader::fill_from_rollups(File& file, const Series& series,
                                              const SeriesKey& key, const TimeRange& range,
                                              std::vector<SeriesBucket>& buckets) const {
  const std::int64_t width =
      (micros(range.end) - micros(range.begin)) / static_cast<std::int64_t>(buckets.size());
  const bool hours = width >= kResolutionSeconds[1] * kMicros;
  const std::int64_t step = kResolutionSeconds[hours ? 1 : 0];
  const model::MetricInfo& info = model::info(key.metric);
  const RollupColumns columns =
      rollup_columns({series.metric, key_of(key.metric), info.decimals, info.kind, true});
  const std::string_view table = hours ? "rollup_hour" : "rollup_minute";
  std::int64_t covered = INT64_MIN;
  auto has = file.connection.number(fmt::format(
      "SELECT count(*) FROM pragma_table_info('{}') WHERE name='{}'", table, columns.min));
  if (!has) return std::unexpected(std::move(has.error()));
  if (*has > 0) {
    auto last = file.connection.number(fmt::format(
        "SELECT coalesce(max(time), {}) FROM {} WHERE gpu={}", INT64_MIN, table, series.gpu));
    if (!last) return std::unexpected(std::move(last.error()));
    if (*last != INT64_MIN) covered = (*last + step) * kMicros;
    auto rows = file.connection.prepare(
        fmt::format("SELECT time, ticks, {}, {}, {} FROM {} WHERE gpu=? AND time>=? AND time<?",
                    columns.min, columns.max, columns.third, table));
    if (!rows) return std::unexpected(std::move(rows.error()));
    const auto seconds_of = [](base::WallTime time) {
      return std::chrono::ceil<std::chrono::seconds>(time).time_since_epoch().count();
    };
    rows->bind(1, std::int64_t{series.gpu})
        .bind(2, seconds_of(range.begin))
        .bind(3, seconds_of(range.end));
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
  return fill_from_ticks(file, series, key.instance, range, covered, buckets);
}

// Ticks answer what is short, or too finely cut for rollups, as far as they are kept.
Result<bool> HistoryReader::wants_rollups(File& file, const Series& series, const TimeRange& range,
                                          std::size_t count) const {
  if (!series.rolled) return false;
  const std::int64_t length = micros(range.end) - micros(range.begin);
  const std::int64_t width = length / static_cast<std::int64_t>(count);
  if (width < kResolutionSeconds[0] * kMicros) return false;
  if (length > kLongestTickRange) return true;
  const auto oldest =
      file.connection.number(fmt::format("SELECT coalesce(min(first), {}) FROM block", INT64_MAX));
  if (!oldest) return std::unexpected(oldest.error());
  const auto older = file.connection.number(
      fmt::format("SELECT EXISTS(SELECT 1 FROM rollup_minute WHERE gpu={} AND time<{})", series.gpu,
                  std::max(*oldest, micros(range.begin)) / kMicros - kResolutionSeconds[0]));
  if (!older) return std::unexpected(older.error());
  return micros(range.begin) < *oldest && *oldest != INT64_MAX && *older != 0;
}

Result<std::vector<SeriesBucket>> HistoryReader::buckets_locked(const SeriesKey& key,
                                                                const TimeRange& range,
                                                                std::size_t count) const {
  const auto opened = file();
  if (!opened) return std::unexpected(opened.error());
  const auto series = find(**opened, key);
  if (!series) return std::unexpected(series.error());
  std::vector<SeriesBucket> buckets(count);
  if (!series->known || range.begin == range.end) return buckets;
  const auto rollups = wants_rollups(**opened, *series, range, count);
  if (!rollups) return std::unexpected(rollups.error());
  const auto done =
      *rollups ? fill_from_rollups(**opened, *series, key, range, buckets)
               : fill_from_ticks(**opened, *series, key.instance, range, INT64_MIN, buckets);
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
  return buckets_locked(key, range, count);
}

Result<std::vector<std::optional<double>>> HistoryReader::window_means(
    std::span<const SeriesKey> keys, const TimeRange& range) const {
  if (auto fits = check(range, 1); !fits) return std::unexpected(std::move(fits.error()));
  MutexLock lock(mutex_);
  std::vector<std::optional<double>> means;
  for (const SeriesKey& key : keys) {
    const auto bucket = buckets_locked(key, range, 1);
    if (!bucket) return std::unexpected(bucket.error());
    means.push_back(bucket->front().count == 0 ? std::nullopt
                                               : std::optional<double>(bucket->front().mean));
  }
  return means;
}

}  // namespace gpuscope::history
