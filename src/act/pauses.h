// For whom the control service was called, and when it may be called for them again.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "model/score.h"
#include "model/state_store.h"

namespace gpuscope::act {

struct Pause {
  base::WallTime called{};
  base::WallTime until{};
  int failures = 0;  // of the last calls, one after the other

  friend bool operator==(const Pause&, const Pause&) = default;
};

// Not thread-safe.
class Pauses {
 public:
  // No pause is longer: one that is was made by another clock.
  static constexpr std::chrono::hours kLongest{24};

  // Who a result is about: a GPU in the hands of one pod.
  static std::string key_of(const model::GpuIdentity& gpu);

  // What was kept; what is damaged is passed over.
  base::Result<void> load(model::StateStore& store);
  // Nullptr: it was never called for, or long ago.
  const Pause* find(const std::string& key, base::WallTime now) const;
  // Keeps it, in the store first.
  base::Result<void> put(const std::string& key, const Pause& pause, model::StateStore& store);
  // Forgets those that ended longer ago than kLongest.
  base::Result<void> forget_old(base::WallTime now, model::StateStore& store);

 private:
  std::map<std::string, Pause> pauses_;
};

}  // namespace gpuscope::act
