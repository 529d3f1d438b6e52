// Snapshots that are used again once nobody holds them, so that a steady machine allocates nothing.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "model/snapshot.h"

namespace gpuscope::collect {

// Not thread-safe: one thread takes. Whoever holds what it gave out may be on any thread, and may
// hold it for as long as it likes. Hand on shared_ptr alone, never a weak_ptr.
class SnapshotPool {
 public:
  SnapshotPool() { pool_.reserve(kKept); }

  // One that nobody else holds, with whatever was in it.
  std::shared_ptr<model::Snapshot> take() {
    for (const auto& snapshot : pool_) {
      if (nobody_else_holds(snapshot)) return snapshot;
    }
    auto fresh = std::make_shared<model::Snapshot>();
    if (pool_.size() < kKept) pool_.push_back(fresh);
    return fresh;
  }

 private:
  // The one being filled, the latest, and a few readers. More than that are freed, not kept.
  static constexpr std::size_t kKept = 6;

  static bool nobody_else_holds(const std::shared_ptr<model::Snapshot>& snapshot) {
    if (snapshot.use_count() != 1) return false;
    // use_count() orders nothing. Taking a share and giving it back does: the release of a share is
    // an acquire and release of the count in every standard library, so that all a former reader
    // did with the snapshot happened before what is written into it next.
    std::shared_ptr<model::Snapshot>(snapshot).reset();
    return true;
  }

  std::vector<std::shared_ptr<model::Snapshot>> pool_;
};

}  // namespace gpuscope::collect
