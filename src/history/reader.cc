#include "history/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

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
// Ticks are read where there are at most so many of them for each row of rollups that would be read
// instead: a row holds all metrics, and takes as long to find as so many ticks of one.
constexpr std::int64_t kTicksPerRow = 120;
constexpr std::int64_t kFewTicks = 200'000;    // two days at one a second: read in any case
constexpr std::int64_t kAboveAll = INT64_MAX;  // blocks there are

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

// The ticks of a block that are wanted, by their places.
std::vector<std::uint32_t> pick(const std::vector<std::int64_t>& times, const model::Ticks& ticks) {
  const std::int64_t step = ticks.step.count();
  const std::int64_t first_end = micros(ticks.first_end);
  auto next = std::ranges::lower_bound(times, micros(ticks.range.begin));
  const auto end = std::lower_bound(next, times.end(), micros(ticks.range.end));
  std::vector<std::uint32_t> picked;
  if (step == 0) picked.reserve(static_cast<std::size_t>(end - next));
  while (next < end) {
    if (step == 0) {
      ++next;
    } else {
      const std::int64_t steps = *next < first_end ? 0 : (*next - first_end) / step + 1;
      next = std::lower_bound(next + 1, end, first_end + steps * step);
    }
    picked.push_back(static_cast<std::uint32_t>(next - times.begin() - 1));
  }
  return picked;
}

void append_samples(const std::vector<std::int64_t>& times, const ColumnData& column,
                    std::span<const std::uint32_t> picked, std::vector<SeriesSample>& samples) {
  samples.reserve(samples.size() + picked.size());
  column.for_each_of(picked, [&](std::size_t tick, const model::Reading& reading) {
    samples.push_back({base::WallTime{std::chrono::microseconds{times[tick]}}, reading});
  });
}

// Whether each begins where all before have ended, and the open one, too.
bool are_in_order(std::span<const BlockRow> blocks, std::optional<std::int64_t> open_first) {
  std::int64_t last = INT64_MIN;
  for (const BlockRow& block : blocks) {
    if (block.first < last) return false;
    last = std::max(last, block.last);
  }
  return !open_first || *open_first >= last;
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
  File file{std::move(*connection), {}, {}, {}, {}, Blocks(path_)};
  const std::pair<Statement*, std::string_view> statements[] = {
      {&file.find_gpu, "SELECT id FROM gpu WHERE uuid=?"},
      {&file.find_metric, "SELECT id, rolled FROM metric WHERE key=? AND decimals=?"},
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

Result<std::uint32_t> HistoryReader::find_gpu(File& file, std::string_view uuid) {
  file.find_gpu.bind_text(1, uuid);
  const auto row = file.find_gpu.step();
  if (!row) return std::unexpected(row.error());
  if (!*row) {
    return base::fail(ErrorKind::kNotFound,
                      fmt::format("cannot find the GPU {} in the history", uuid));
  }
  const auto gpu = static_cast<std::uint32_t>(file.find_gpu.number(0));
  file.find_gpu.reset();
  return gpu;
}

Result<std::optional<StoredMetric>> HistoryReader::find_metric(File& file, const Wanted& wanted) {
  file.find_metric.bind_text(1, wanted.key).bind(2, std::int64_t{wanted.decimals});
  const auto row = file.find_metric.step();
  if (!row) return std::unexpected(row.error());
  if (!*row) return std::nullopt;
  StoredMetric metric{.id = static_cast<std::uint32_t>(file.find_metric.number(0)),
                      .key = std::string(wanted.key),
                      .entity = wanted.entity,
                      .decimals = wanted.decimals,
                      .kind = wanted.kind,
                      .rolled = file.find_metric.number(1) != 0};
  file.find_metric.reset();
  return metric;
}

Result<HistoryReader::Series> HistoryReader::find(File& file, const Wanted& wanted) {
  const auto gpu = find_gpu(file, wanted.gpu);
  if (!gpu) return std::unexpected(gpu.error());
  auto metric = find_metric(file, wanted);
  if (!metric) return std::unexpected(std::move(metric.error()));
  std::optional<StoredMetric>& stored = *metric;
  if (!stored) return Series{.gpu = *gpu, .instance = wanted.instance, .metric = {}};
  return Series{true, *gpu, wanted.instance, std::move(*stored)};
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

Result<void> HistoryReader::visit_columns(File& file, const Series& series, std::int64_t begin,
                                          std::int64_t end, const VisitColumn& visit) const {
  // The open block first: what is closed meanwhile is in it, and left out of the file's.
  const GpuColumn wanted{series.gpu, {series.metric.id, series.instance}};
  ColumnData open_column;
  std::vector<std::int64_t> open_times;
  bool is_open = false;
  std::int64_t open_block = kAboveAll;
  const auto looked = with_open(file, [&](const OpenBlock* open) {
    if (open == nullptr) return;
    open_block = static_cast<std::int64_t>(open->head().block);
    const auto& gpus = open->head().gpus;
    const auto place = std::ranges::find(gpus, series.gpu);
    if (place == gpus.end() || micros(open->first()) >= end || micros(open->last()) < begin) return;
    open->decode_times(open_times);
    is_open = open->decode(static_cast<std::size_t>(place - gpus.begin()), wanted.key, open_column);
  });
  if (!looked) return looked;
  const auto blocks = file.blocks.find(file.connection, begin, end, open_block);
  if (!blocks) return std::unexpected(blocks.error());
  Blocks::Reader reader(file.blocks, file.connection);
  for (const BlockRow& block : *blocks) {
    const auto* const times = file.blocks.times_of(block);
    if (times == nullptr) continue;
    const auto done = reader.read(block, {&wanted, 1},
                                  [&](std::size_t, const ColumnData& column) -> Result<void> {
                                    visit(*times, column);
                                    return {};
                                  });
    if (!done) return done;
  }
  if (is_open) visit(open_times, open_column);
  return {};
}

Result<HistoryReader::Newest> HistoryReader::newest(File& file, std::span<const Series> series,
                                                    const model::Ticks& ticks) const {
  Newest found;
  found.samples.resize(series.size());
  const auto looked = with_open(file, [&](const OpenBlock* open) {
    if (open == nullptr) return;
    found.block = static_cast<std::int64_t>(open->head().block);
    if (open->first() >= ticks.range.end || open->last() < ticks.range.begin) return;
    found.first = micros(open->first());
    std::vector<std::int64_t> times;
    open->decode_times(times);
    const std::vector<std::uint32_t> picked = pick(times, ticks);
    if (picked.empty()) return;
    const auto& gpus = open->head().gpus;
    auto gpu = gpus.end();
    ColumnData column;
    for (std::size_t i = 0; i < series.size(); ++i) {
      if (gpu == gpus.end() || *gpu != series[i].gpu) gpu = std::ranges::find(gpus, series[i].gpu);
      const ColumnKey key{series[i].metric.id, series[i].instance};
      if (gpu == gpus.end()) continue;
      const auto place = static_cast<std::size_t>(gpu - gpus.begin());
      if (open->decode(place, key, column, picked.front())) {
        append_samples(times, column, picked, found.samples[i]);
      }
    }
  });
  if (!looked) return std::unexpected(looked.error());
  return found;
}

Result<HistoryReader::Known> HistoryReader::find_all(File& file,
                                                     std::span<const Wanted> wanted) const {
  Known known;
  std::map<std::pair<std::string_view, int>, std::optional<StoredMetric>> metrics;
  std::string_view uuid;
  std::optional<std::uint32_t> gpu;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (i == 0 || wanted[i].gpu != uuid) {
      uuid = wanted[i].gpu;
      const auto number = find_gpu(file, uuid);
      if (!number && number.error().kind != ErrorKind::kNotFound) {
        return std::unexpected(number.error());
      }
      gpu = number ? std::optional(*number) : std::nullopt;
    }
    if (!gpu) continue;
    const std::pair name{wanted[i].key, wanted[i].decimals};
    auto metric = metrics.find(name);
    if (metric == metrics.end()) {
      auto looked = find_metric(file, wanted[i]);
      if (!looked) return std::unexpected(std::move(looked.error()));
      metric = metrics.emplace(name, std::move(*looked)).first;
    }
    const std::optional<StoredMetric>& stored = metric->second;
    if (!stored) continue;
    known.series.push_back({true, *gpu, wanted[i].instance, *stored});
    known.columns.push_back({*gpu, {stored->id, wanted[i].instance}});
    known.places.push_back(i);
  }
  return known;
}

Result<void> HistoryReader::visit_series(std::span<const Wanted> wanted, const model::Ticks& ticks,
                                         const model::SampleVisitor& visit) const {
  if (auto fits = check(ticks.range, 1); !fits) return fits;
  MutexLock lock(mutex_);
  const auto opened = file();
  if (!opened) return std::unexpected(opened.error());
  File& file = **opened;
  const auto known = find_all(file, wanted);
  if (!known) return std::unexpected(known.error());
  // The open block first: what is closed meanwhile is in it, and left out of the file's.
  auto newest = this->newest(file, known->series, ticks);
  if (!newest) return std::unexpected(std::move(newest.error()));
  const auto blocks = file.blocks.find(file.connection, micros(ticks.range.begin),
                                       micros(ticks.range.end), newest->block);
  if (!blocks) return std::unexpected(blocks.error());

  // A clock that stepped back leaves blocks that overlap: then all is put in order first.
  const bool in_order = are_in_order(*blocks, newest->first);
  std::vector<std::vector<SeriesSample>> held(in_order ? 0 : known->series.size());
  const auto give = [&](std::size_t place, std::span<const SeriesSample> samples) -> Result<void> {
    if (samples.empty()) return {};
    if (in_order) return visit(known->places[place], samples);
    held[place].insert(held[place].end(), samples.begin(), samples.end());
    return {};
  };
  Blocks::Reader reader(file.blocks, file.connection);
  std::vector<SeriesSample> samples;
  for (const BlockRow& block : *blocks) {
    const auto* const times = file.blocks.times_of(block);
    if (times == nullptr) continue;
    const std::vector<std::uint32_t> picked = pick(*times, ticks);
    const auto done =
        reader.read(block, known->columns, [&](std::size_t place, const ColumnData& column) {
          samples.clear();
          append_samples(*times, column, picked, samples);
          return give(place, samples);
        });
    if (!done) return done;
  }
  for (std::size_t place = 0; place < newest->samples.size(); ++place) {
    if (auto done = give(place, newest->samples[place]); !done) return done;
  }
  for (std::size_t place = 0; place < held.size(); ++place) {
    std::ranges::sort(held[place], {}, &SeriesSample::time);
    if (auto done = visit(known->places[place], held[place]); !done) return done;
  }
  return {};
}

Result<void> HistoryReader::visit(std::span<const SeriesKey> keys, const model::Ticks& ticks,
                                  const model::SampleVisitor& visit) const {
  std::vector<Wanted> all;
  all.reserve(keys.size());
  for (const SeriesKey& key : keys) all.push_back(wanted(key));
  return visit_series(all, ticks, visit);
}

Result<void> HistoryReader::visit_health(std::span<const std::string> gpus,
                                         const model::Ticks& ticks,
                                         const model::SampleVisitor& visit) const {
  std::vector<Wanted> all;
  all.reserve(gpus.size());
  for (const std::string& gpu : gpus) all.push_back(health(gpu));
  return visit_series(all, ticks, visit);
}

Result<std::vector<SeriesSample>> HistoryReader::samples_of(const Wanted& wanted,
                                                            const TimeRange& range) const {
  {
    MutexLock lock(mutex_);
    const auto opened = file();
    if (!opened) return std::unexpected(opened.error());
    if (const auto gpu = find_gpu(**opened, wanted.gpu); !gpu) return std::unexpected(gpu.error());
  }
  std::vector<SeriesSample> all;
  const auto done =
      visit_series({&wanted, 1}, {.range = range},
                   [&](std::size_t, std::span<const SeriesSample> samples) -> Result<void> {
                     all.insert(all.end(), samples.begin(), samples.end());
                     return {};
                   });
  if (!done) return std::unexpected(done.error());
  return all;
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
