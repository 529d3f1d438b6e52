// Snapshots to the records of a recording.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/snapshot.h"

namespace gpuscope::device::replay {

// Remembers the tick before, and writes what changed. Not thread-safe. Allocates nothing once it
// has seen a machine and `out` has room.
class Encoder {
 public:
  // Appends one tick, and in front of it what a reader does not know yet: at the beginning a
  // session, for another inventory that. False, with nothing appended, for a machine that is larger
  // than the format allows.
  bool append(const model::Snapshot& snapshot, std::string& out);

  // Begins anew, as for a file of its own: what was appended last has not come to the reader.
  void reset();

 private:
  std::shared_ptr<const model::Inventory> inventory_;  // null: no session yet
  std::vector<model::DeviceSample> previous_;          // by device
  std::int64_t time_ = 0;                              // µs
  std::int64_t sequence_ = 0;
};

}  // namespace gpuscope::device::replay
