// Reads the history's file, of this process or another, while it is written.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "history/blocks.h"
#include "history/schema.h"
#include "history/sqlite.h"
#include "history/store.h"
#include "history/tail_view.h"
#include "model/series.h"
#include "model/snapshot.h"

namespace gpuscope::history {

// A GPU as the file knows it.
struct StoredGpu {
  std::string uuid;
  bool simulated = false;
  model::GpuInfo info{};  // the facts that were stored
  // In the scale of the catalogue; not_yet where the file has none.
  model::Reading minor{};
  model::Reading pcie_generation{};
  model::Reading pcie_width{};
  model::Reading power_limit{};
  std::optional<std::size_t> index{};                   // that it had at last
  std::string host{};                                   // empty: not known
  std::map<std::uint32_t, std::string> mig_profiles{};  // by SeriesKey::instance
};

struct HistorySpan {
  std::optional<base::WallTime> first;  // tick
  std::optional<base::WallTime> last;
  std::optional<base::WallTime> first_minute;
};

struct HistoryInfo {
  std::uint64_t bytes = 0;          // of the file
  std::uint64_t log_bytes = 0;      // of what waits beside it
  std::uint64_t free_bytes = 0;     // of the file, those that hold nothing
  std::uint64_t payload_bytes = 0;  // of ticks: chunks, times and the tail
  std::uint64_t blocks = 0;
  std::uint64_t ticks = 0;
  // Ticks times the columns that have a value in their block: a tick that lacks one is counted.
  std::uint64_t samples = 0;
  std::optional<base::WallTime> first;  // tick
  std::optional<base::WallTime> last;
  std::optional<base::WallTime> first_minute;
  std::optional<base::WallTime> first_hour;
  std::vector<model::TimeRange> gaps;  // from the last tick before to the first after, in order
};

// Thread-safe; one query at a time. Where a chunk is damaged, its ticks are there without a value
// (failed), and the log says so once.
class HistoryReader final : public model::SeriesReader {
 public:
  // Opens the file at the first query. `live`: the block that a store in this process fills; null
  // when another process writes: then what that has committed is read. (So it is
  // until the store has opened its file.)
  // `stop`: ends a query that is under way when it says so; where there is any.
  HistoryReader(std::string path, std::shared_ptr<LiveBlock> live, std::function<bool()> stop = {})
      : path_(std::move(path)), live_(std::move(live)), stop_(std::move(stop)) {}

  base::Result<std::vector<model::SeriesKey>> select(
      const model::SeriesMatch& match) const override;
  base::Result<void> visit(std::span<const model::SeriesKey> keys, const model::Ticks& ticks,
                           const model::SampleVisitor& visit) const override;
  base::Result<std::vector<model::SeriesBucket>> buckets(const model::SeriesKey& key,
                                                         const model::TimeRange& range,
                                                         std::size_t count) const override;
  base::Result<std::vector<std::optional<double>>> window_means(
      std::span<const model::SeriesKey> keys, const model::TimeRange& range) const override;

  // Every tick of the range, in order of time. kNotFound for a GPU that was never there.
  base::Result<std::vector<model::SeriesSample>> samples(const model::SeriesKey& key,
                                                         const model::TimeRange& range) const;

  // The health of GPUs, 0 healthy to 4 unknown, as the others give metrics.
  base::Result<void> visit_health(std::span<const std::string> gpus, const model::Ticks& ticks,
                                  const model::SampleVisitor& visit) const;
  base::Result<std::vector<model::SeriesSample>> health_samples(
      const std::string& gpu, const model::TimeRange& range) const;
  base::Result<std::vector<model::SeriesBucket>> health_buckets(const std::string& gpu,
                                                                const model::TimeRange& range,
                                                                std::size_t count) const;
  // All that were ever there, by UUID.
  base::Result<std::vector<StoredGpu>> gpus() const;
  // False where there is no such GPU.
  base::Result<bool> is_simulated(const std::string& gpu) const;
  // The same three times as info() has, without a look at everything.
  base::Result<HistorySpan> span() const;
  // `gap`: from that long on, time without a tick is a gap; the newest `max_gaps` are told.
  base::Result<HistoryInfo> info(std::chrono::microseconds gap, std::size_t max_gaps) const;

 private:
  // What a query needs of the file, read once.
  struct File {
    Connection connection;
    Statement find_gpu;
    Statement find_metric;
    Statement count_ticks;
    TailView tail;
    Blocks blocks;
  };
  // What a query is of.
  struct Series {
    bool known = false;  // false: the file has no such metric
    std::uint32_t gpu = 0;
    std::uint32_t instance = 0;
    StoredMetric metric;
  };
  // A metric by what the catalogue says of it.
  struct Wanted {
    std::string_view gpu;
    std::string_view key;
    model::Entity entity = model::Entity::kGpu;
    int decimals = 0;
    model::Kind kind = model::Kind::kState;
    std::uint32_t instance = 0;
  };
  static Wanted wanted(const model::SeriesKey& key);
  static Wanted health(const std::string& gpu) { return {.gpu = gpu, .key = kHealthKey}; }
  // The times and columns of a block.
  using VisitColumn =
      std::function<void(const std::vector<std::int64_t>& times, const ColumnData& column)>;

  base::Result<File*> file() const REQUIRES(mutex_);
  static base::Result<std::uint32_t> find_gpu(File& file, std::string_view uuid);
  // None: the file has no such metric.
  static base::Result<std::optional<StoredMetric>> find_metric(File& file, const Wanted& wanted);
  static base::Result<Series> find(File& file, const Wanted& wanted);
  // Calls `visit` for the column of every block that meets the range, oldest first.
  base::Result<void> visit_columns(File& file, const Series& series, std::int64_t begin,
                                   std::int64_t end, const VisitColumn& visit) const
      REQUIRES(mutex_);
  // Calls `use` with the open block, or with null.
  base::Result<void> with_open(File& file, const std::function<void(const OpenBlock*)>& use) const
      REQUIRES(mutex_);
  // What the open block has.
  struct Newest {
    std::int64_t block = INT64_MAX;       // its number; what the file has is below
    std::optional<std::int64_t> first{};  // its first tick, where it meets the range
    std::vector<std::vector<model::SeriesSample>> samples{};  // by series
  };
  // Those of many that the file knows, each with its column and its place among the wanted.
  struct Known {
    std::vector<Series> series;
    std::vector<GpuColumn> columns;
    std::vector<std::size_t> places;
  };
  base::Result<Known> find_all(File& file, std::span<const Wanted> wanted) const REQUIRES(mutex_);
  base::Result<Newest> newest(File& file, std::span<const Series> series,
                              const model::Ticks& ticks) const REQUIRES(mutex_);
  base::Result<void> visit_series(std::span<const Wanted> wanted, const model::Ticks& ticks,
                                  const model::SampleVisitor& visit) const;
  base::Result<void> fill_from_rollups(File& file, const Series& series,
                                       const model::TimeRange& range,
                                       std::vector<model::SeriesBucket>& buckets) const
      REQUIRES(mutex_);
  base::Result<void> fill_from_ticks(File& file, const Series& series,
                                     const model::TimeRange& range, std::int64_t from,
                                     std::vector<model::SeriesBucket>& buckets) const
      REQUIRES(mutex_);
  base::Result<bool> wants_rollups(File& file, const Series& series, const model::TimeRange& range,
                                   std::size_t count) const REQUIRES(mutex_);
  base::Result<std::vector<model::SeriesSample>> samples_of(const Wanted& wanted,
                                                            const model::TimeRange& range) const;
  base::Result<std::vector<model::SeriesBucket>> buckets_of(const Wanted& wanted,
                                                            const model::TimeRange& range,
                                                            std::size_t count) const
      REQUIRES(mutex_);
  static base::Result<void> read_sizes(File& file, const std::string& path, HistoryInfo& info);
  base::Result<void> read_ticks(File& file, std::chrono::microseconds gap, std::size_t max_gaps,
                                HistoryInfo& info) const REQUIRES(mutex_);

  const std::string path_;
  const std::shared_ptr<LiveBlock> live_;
  const std::function<bool()> stop_;
  mutable base::Mutex mutex_;
  mutable std::optional<File> file_ GUARDED_BY(mutex_);
};

// Gives the space of what was let go of back to the disk. While an agent writes, a little at a
// time, so that it never waits for long; else the file is written anew, which takes as much room
// beside it for a while. `stop` is asked every now and then; what it ends is undone, or was done.
base::Result<void> vacuum(const std::string& path, const std::function<bool()>& stop);

}  // namespace gpuscope::history
