// From the series of several answers to GPUs with their means.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "model/usage.h"
#include "prom/vector_parser.h"

namespace gpuscope::prom {

// One answer of one attempt; those of attempts that failed do not count in the end.
using AttemptId = std::uint32_t;

// Thread-safe. Attempts are numbered from 1, a later one of the same question higher.
class UsageJoin {
 public:
  // A series of that metric.
  void add(model::UsageMetric metric, AttemptId attempt, const LabelViews& labels, double value);
  // The attempt is whole. True where it had values that are no numbers.
  bool succeed(AttemptId attempt);

  // Series without a UUID; they are nobody's.
  std::size_t nameless() const;
  // How many are known.
  std::size_t size() const;
  // The GPUs that have a utilization, and how many series were one more of the same. Leaves
  // nothing.
  model::UsageAnswer take();

 private:
  struct Cell {
    double sum = 0;
    std::uint32_t count = 0;
    AttemptId attempt = 0;
  };
  struct Gpu {
    model::GpuIdentity identity;
    AttemptId active = 0;  // by which attempt there is a series of its utilization
    std::array<Cell, model::kUsageMetricCount> cells{};
  };
  struct Attempt {
    bool succeeded = false;
    bool has_no_numbers = false;
  };

  Gpu& find(const LabelViews& labels) REQUIRES(mutex_);
  Attempt& attempt(AttemptId id) REQUIRES(mutex_);

  mutable base::Mutex mutex_;
  std::vector<Gpu> gpus_ GUARDED_BY(mutex_);
  std::unordered_map<std::string, std::uint32_t> by_key_ GUARDED_BY(mutex_);
  std::string key_ GUARDED_BY(mutex_);
  std::vector<Attempt> attempts_ GUARDED_BY(mutex_);
  std::size_t nameless_ GUARDED_BY(mutex_) = 0;
  std::size_t duplicates_ GUARDED_BY(mutex_) = 0;
};

}  // namespace gpuscope::prom
