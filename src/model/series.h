// The port through which everything that looks back reads: what metrics were, over time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "model/catalog.h"
#include "model/reading.h"

namespace gpuscope::model {

// One metric of one device.
struct SeriesKey {
  std::string gpu;  // its UUID
  Metric metric = Metric::kTemperature;
  // Which fan or link of the GPU, by its place; of a MIG instance 65536 × the GPU instance's id +
  // the compute instance's id. 0 for metrics of the GPU itself.
  std::uint32_t instance = 0;
  friend auto operator<=>(const SeriesKey&, const SeriesKey&) = default;
};

// From `begin` on, up to but without `end`. Nothing lies in a range that ends where it begins.
struct TimeRange {
  base::WallTime begin{};
  base::WallTime end{};
};

// Which series: every field that is there must fit.
struct SeriesMatch {
  std::optional<std::string> gpu;
  std::optional<Metric> metric;
};

struct SeriesSample {
  base::WallTime time{};
  Reading reading;
  friend bool operator==(const SeriesSample&, const SeriesSample&) = default;
};

// Ticks of a range: all of them, or with a step the last alone of those that follow each other
// before the next of the times `first_end` + N × `step`, N from 0 on.
struct Ticks {
  TimeRange range;
  base::WallTime first_end{};
  std::chrono::microseconds step{};  // 0: all
};

// Takes samples of one of several series, by its place among them. An error ends the reading with
// it. It must not read from the same reader.
using SampleVisitor =
    std::function<base::Result<void>(std::size_t series, std::span<const SeriesSample> samples)>;

// The values within one of the equal parts of a range, in the scale of the metric's catalogue row.
// From rollups, a minute or an hour counts to the part in which it begins; `count` is then of
// ticks.
struct SeriesBucket {
  std::uint64_t count = 0;  // 0: there is no value, and the rest means nothing
  std::int64_t min = 0;
  std::int64_t max = 0;
  double mean = 0;
  std::int64_t last = 0;  // from rollups, of a gauge: the last mean
};

// Thread-safe. Errors are kInvalidArgument for a range that ends before it begins, kNotFound for a
// GPU that was never there, and kUnavailable when what holds the series does not answer.
class SeriesReader {
 public:
  virtual ~SeriesReader() = default;

  // The series that have a reading somewhere, by GPU, metric, instance.
  virtual base::Result<std::vector<SeriesKey>> select(const SeriesMatch& match) const = 0;
  // Many series, each in pieces: its samples in order of time, those without a value with their
  // reason. None of a GPU that was never there. Quick where keys of the same GPU stand together.
  virtual base::Result<void> visit(std::span<const SeriesKey> keys, const Ticks& ticks,
                                   const SampleVisitor& visit) const = 0;
  // The range in `count` equal parts (1 to 100,000).
  virtual base::Result<std::vector<SeriesBucket>> buckets(const SeriesKey& key,
                                                          const TimeRange& range,
                                                          std::size_t count) const = 0;
  // The mean of each series over the range; none where it has no value.
  virtual base::Result<std::vector<std::optional<double>>> window_means(
      std::span<const SeriesKey> keys, const TimeRange& range) const = 0;
};

}  // namespace gpuscope::model
