// The port through which ticks leave the sampler: to a recording, a live stream, the history.
#pragma once

#include <memory>

#include "model/snapshot.h"

namespace gpuscope::model {

class SampleSink {
 public:
  virtual ~SampleSink() = default;

  // One tick. Called on the sampler's thread, by one thread at a time, ticks in order: must return
  // at once, never wait for a disk, a peer or a lock that somebody holds for long, and never throw.
  // The snapshot may be kept for as long as it is needed; hand on shared_ptr alone, since the
  // sampler uses a snapshot again once nobody holds it.
  virtual void take(std::shared_ptr<const Snapshot> snapshot) = 0;
};

}  // namespace gpuscope::model
