// What one may say of the calls that act on GPUs that are used little.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace gpuscope::act {

struct Options {
  bool enabled = false;
  std::string url{};  // CONTROL_API
  std::chrono::milliseconds timeout{5000};
  bool dry_run = false;            // everything but the call itself
  std::size_t most_per_run = 100;  // calls
  // Nobody is called for twice within it: a little less than the interval between two runs, so that
  // runs on demand act on nobody twice.
  std::chrono::seconds cool_down{240};
};

}  // namespace gpuscope::act
