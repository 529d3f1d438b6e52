// Tells the log what changes: a method that fails, runs or runs again, a GPU that is lost or back.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "collect/collector.h"
#include "model/reading.h"

namespace gpuscope::app {

// One thread.
class Watch {
 public:
  explicit Watch(const collect::Collector& collector) : collector_(collector) {}

  // Compares what is with what was, and logs each difference once.
  void look();

 private:
  struct Seen {
    std::string state;           // what was last logged of the method
    std::uint64_t sequence = 0;  // of the snapshot that was last looked at
    std::vector<model::Absence> gpus;
  };

  void look_at_gpus(const model::Snapshot& snapshot, Seen& seen);

  const collect::Collector& collector_;
  std::map<std::string, Seen> seen_;  // by method
};

}  // namespace gpuscope::app
