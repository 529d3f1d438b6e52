// The answers of /api/v1/range and /api/v1/series: docs/history.md.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/series.h"

namespace gpuscope::wire {

// A label and its value.
using Label = std::pair<std::string_view, std::string>;

// Which fan, link or MIG instance a series is of; empty for the GPU's own: {"fan", "0"}.
std::vector<Label> instance_labels(const model::SeriesKey& key);

struct RangeSeries {
  model::SeriesKey key;
  std::vector<model::SeriesBucket> buckets;
  bool simulated = false;
};

// Every series has as many buckets: the range's equal parts.
struct RangeAnswer {
  model::TimeRange range;
  std::size_t points = 0;
  std::vector<RangeSeries> series;
};

// One object per series with min, max, and mean (of a gauge) or last: a number per part, null where
// it has no value. In the catalogue's units; a mean has two more digits than its metric.
void append_range_json(std::string& out, const RangeAnswer& answer);
// A row for each series and part that has a value, with the time at which the part begins.
void append_range_csv(std::string& out, const RangeAnswer& answer);

// What Prometheus answers: a list of label sets. `truncated`: there are more.
void append_series_json(std::string& out, const std::vector<std::vector<Label>>& series,
                        bool truncated);
// Its error, with our own key beside: {"status": "error", …, "detail": "…"}.
void append_series_error(std::string& out, std::string_view type, std::string_view detail);

}  // namespace gpuscope::wire
