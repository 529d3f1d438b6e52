// The parts of a running program: started in one written order, stopped in the reverse of it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace gpuscope::base {

// Not thread-safe: one thread builds, starts and stops it.
class RunGroup {
 public:
  struct Part {
    std::string name;  // as in "cannot stop NAME …"
    std::function<Result<void>()> start;
    std::function<void()> stop;  // called only after a start that succeeded
  };

  // Parts start in the order in which they are added.
  void add(Part part);

  // Starts every part. When one fails, those before it are stopped, within `stop_limit` as well,
  // and its error is returned, with that of stopping behind it.
  Result<void> start(Clock& clock, std::chrono::milliseconds stop_limit);

  // Stops what was started, last first. kDeadlineExceeded, with the name of the part, when that
  // takes longer than `limit` in all: its stop() then still runs on a thread that was left behind,
  // so the process must end without destroying anything that the parts use. Idempotent.
  Result<void> stop(Clock& clock, std::chrono::milliseconds limit);

 private:
  std::vector<Part> parts_;
  std::size_t started_ = 0;
};

}  // namespace gpuscope::base
