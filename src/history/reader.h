// Reads the history's file, of this process or another, while it is written.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "history/sqlite.h"
#include "history/store.h"
#include "model/series.h"

namespace gpuscope::history {

// Thread-safe; one query at a time.
class HistoryReader final : public model::SeriesReader {
 public:
  // Opens the file at the first query. `live`: the block that a store in this process fills; null
  // when another process writes: then what that has committed is read.
  HistoryReader(std::string path, std::shared_ptr<LiveBlock> live)
      : path_(std::move(path)), live_(std::move(live)) {}

  base::Result<std::vector<model::SeriesKey>> select(
      const model::SeriesMatch& match) const override;
  base::Result<std::vector<model::SeriesSample>> samples(
      const model::SeriesKey& key, const model::TimeRange& range) const override;
  base::Result<std::vector<model::SeriesBucket>> buckets(const model::SeriesKey& key,
                                                         const model::TimeRange& range,
                                                         std::size_t count) const override;
  base::Result<std::vector<std::optional<double>>> window_means(
      std::span<const model::SeriesKey> keys, const model::TimeRange& range) const override;

 private:
  // What a query needs of the file, read once.
  struct File {
    Connection connection;
    Statement find_gpu;
    Statement find_metric;
    Statement find_blocks;
    Statement find_chunk;
  };
  // What a query is of: numbers of the file's tables.
  struct Series {
    bool known = false;  // false: the file has no such metric
    std::uint32_t gpu = 0;
    std::uint32_t metric = 0;
    bool rolled = false;
  };
  using Visit = std::function<void(std::int64_t time, const model::Reading& reading)>;
  using VisitColumn =
      std::function<void(const std::vector<std::int64_t>& times, const ColumnData& column)>;

  base::Result<File*> file() const REQUIRES(mutex_);
  base::Result<Series> find(File& file, const model::SeriesKey& key) const REQUIRES(mutex_);
  // Calls `visit` for the column of every block that meets the range, oldest first.
  base::Result<void> visit_columns(File& file, const Series& series, std::uint32_t instance,
                                   std::int64_t begin, std::int64_t end,
                                   const VisitColumn& visit) const REQUIRES(mutex_);
  base::Result<bool> read_open(File& file, const Series& series, std::uint32_t instance,
                               std::uint64_t& block, ColumnData& column,
                               std::vector<std::int64_t>& times) const REQUIRES(mutex_);
  base::Result<bool> read_chunk(File& file, std::int64_t chunk, const ColumnKey& key,
                                ColumnData& column) const REQUIRES(mutex_);
  base::Result<void> fill_from_rollups(File& file, const Series& series,
                                       const model::SeriesKey& key, const model::TimeRange& range,
                                       std::vector<model::SeriesBucket>& buckets) const
      REQUIRES(mutex_);
  base::Result<void> fill_from_ticks(File& file, const Series& series, std::uint32_t instance,
                                     const model::TimeRange& range, std::int64_t from,
                                     std::vector<model::SeriesBucket>& buckets) const
      REQUIRES(mutex_);
  base::Result<bool> wants_rollups(File& file, const Series& series, const model::TimeRange& range,
                                   std::size_t count) const REQUIRES(mutex_);
  base::Result<std::vector<model::SeriesBucket>> buckets_locked(const model::SeriesKey& key,
                                                                const model::TimeRange& range,
                                                                std::size_t count) const
      REQUIRES(mutex_);
  base::Result<std::unique_ptr<OpenBlock>> load_tail(File& file) const REQUIRES(mutex_);

  const std::string path_;
  const std::shared_ptr<LiveBlock> live_;
  mutable base::Mutex mutex_;
  mutable std::optional<File> file_ GUARDED_BY(mutex_);
};

}  // namespace gpuscope::history
