// The signals that end the program or make it read its settings again, as values.
#pragma once

#include <csignal>

#include <chrono>
#include <optional>

namespace gpuscope::base {

// Takes SIGINT, SIGTERM and SIGHUP for the whole process while it lives, and ignores SIGPIPE. Make
// it on the main thread before any other thread starts: those inherit that they are blocked. (So
// does a child process, which has to unblock them.)
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();  // as before, but for SIGPIPE
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // Waits for one of them: its number, or nullopt once `timeout` has passed. Once SIGINT or SIGTERM
  // has come, the next one ends the process at once, as if nobody had taken it; SIGHUP comes as
  // often as it is sent. Main thread only.
  std::optional<int> wait(std::chrono::milliseconds timeout);

 private:
  void release();

  sigset_t taken_{};
  sigset_t before_{};
  bool released_ = false;
};

}  // namespace gpuscope::base
