// The port through which expressions read: series as Prometheus stores them, by labels, with plain
// numbers. model/series.h has the same data by metric and in the catalogue's scale.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/labels.h"

namespace gpuscope::model {

struct LabelledSample {
  std::int64_t time_ms = 0;  // since 1970
  double value = 0;
  friend bool operator==(const LabelledSample&, const LabelledSample&) = default;
};

// The value that says: from here on the series is no more. One of many that are not a number, told
// by its bits, which are Prometheus's.
inline double stale_marker() { return std::bit_cast<double>(std::uint64_t{0x7ff0000000000002}); }
inline bool is_stale(double value) {
  return std::bit_cast<std::uint64_t>(value) == std::uint64_t{0x7ff0000000000002};
}

struct LabelMatcher {
  enum class Kind : std::uint8_t { kEqual, kNotEqual, kRegex, kNotRegex };
  std::string label;
  Kind kind = Kind::kEqual;
  std::string value;
  // Whether a label of this value fits; an absent label is an empty one. Never empty; thread-safe.
  std::function<bool(std::string_view)> fits;
};

// Whether all fit.
inline bool fits(std::span<const LabelMatcher> matchers, const Labels& labels) {
  return std::ranges::all_of(matchers, [&](const LabelMatcher& matcher) {
    return matcher.fits(label_value(labels, matcher.label));
  });
}

// Series that fit all matchers, with their samples from `begin_ms` to `end_ms`, both included.
struct SeriesRequest {
  std::vector<LabelMatcher> matchers;
  std::int64_t begin_ms = 0;
  std::int64_t end_ms = 0;
  // Where not 0: only the last sample at or before each of the times steps_from_ms + N × step_ms is
  // looked at, the last of them being end_ms or just before it. What is never looked at may be left
  // out.
  std::int64_t step_ms = 0;
  std::int64_t steps_from_ms = 0;
};

struct LabelledSeries {
  LabelsPtr labels;
  std::vector<LabelledSample> samples;  // in order of time, each time once; markers among them
};

// What a reading may cost.
struct ReadLimits {
  std::size_t samples = std::numeric_limits<std::size_t>::max();  // in all that is read
  // Asked now and then: an error ends the reading with it. Empty: nothing ends it.
  std::function<base::Result<void>()> go_on{};
};

// Thread-safe. Errors are kInvalidArgument where a limit is passed, what go_on() says, and
// kUnavailable when what holds the series does not answer.
class LabelledSeriesReader {
 public:
  virtual ~LabelledSeriesReader() = default;

  // By request, those of one request in no particular order, no labels twice. Series without a
  // sample may be left out.
  virtual base::Result<std::vector<std::vector<LabelledSeries>>> read(
      std::span<const SeriesRequest> requests, const ReadLimits& limits) const = 0;
  // The labels of series that fit and may have samples from begin_ms to end_ms: at least those that
  // do. No more than `most`.
  virtual base::Result<std::vector<LabelsPtr>> labels(const SeriesRequest& request,
                                                      std::size_t most) const = 0;
};

}  // namespace gpuscope::model
