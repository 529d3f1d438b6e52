// Ticks on their way into requests: which series they have, and what those were.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/snapshot.h"
#include "prom/exposition.h"
#include "prom/write_request.h"
#include "wire/metrics_text.h"
#include "wire/prometheus_text.h"

namespace gpuscope::prom {

// The series of a tick are those of /gpu/metric and /metrics, under the same names, labels and
// numbers: each tick is rendered as those pages render it, and read again. Not thread-safe.
class TickBatch {
 public:
  // `labels` are put on every series that has no label of the name, and `simulated="true"` on those
  // of simulated GPUs.
  TickBatch(wire::MetricsOptions metrics, Labels labels);
  ~TickBatch();
  TickBatch(const TickBatch&) = delete;
  TickBatch& operator=(const TickBatch&) = delete;

  // Takes a tick, later than the one before. A series that the tick before had and this one has not
  // ends here: it gets a stale marker.
  void add(const model::Snapshot& tick);
  // The tick before the first: has nothing to send, and says which series there were.
  void begin_behind(const model::Snapshot& tick);

  std::size_t samples() const { return samples_; }
  std::size_t ticks() const { return ticks_; }

  // Fills `request` with what comes next, up to about `max_bytes`; false: that was all. `from` is 0
  // at first, and is moved on.
  bool next_request(std::size_t& from, std::size_t max_bytes, WriteRequest& request) const;
  // All of it was sent.
  void clear();
  // How /metrics looks from the next tick on: series that are renamed end and begin anew.
  void change(wire::MetricsOptions metrics);

 private:
  struct Series {
    std::string labels;             // as encode_labels() has them
    std::vector<Sample> samples{};  // of the batch
    std::uint64_t tick = 0;         // the last that had it
    bool listed = false;            // in batch_
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  // By its line in the page; nodes stay where they are.
  using Known = std::unordered_map<std::string, Series, Hash, std::equal_to<>>;
  using Entry = Known::value_type;

  void take(const model::Snapshot& tick, bool send);
  Entry* find(std::string_view line);
  void put(Entry& entry, Sample sample);
  bool goes_on(const Entry& entry) const;

  const Labels labels_;
  wire::PrometheusText gpu_metric_;
  std::unique_ptr<wire::MetricsText> metrics_;
  std::string page_;

  bool changed_ = false;         // how the pages look, since the last tick
  bool simulated_ = false;       // the last tick
  std::array<Known, 2> known_;   // of real GPUs and of simulated ones: their labels differ
  std::vector<Entry*> present_;  // of the last tick, in the order of the page
  std::vector<Entry*> before_;
  std::vector<Entry*> batch_;  // those with samples
  std::uint64_t tick_ = 0;
  std::size_t samples_ = 0;
  std::size_t ticks_ = 0;
};

}  // namespace gpuscope::prom
