// Writes a recording of what an agent reads.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "model/sample_sink.h"

namespace gpuscope::device::replay {

struct RecorderOptions {
  std::string path;
  std::size_t queue = 32;  // ticks that wait for the disk; over that they are dropped
  // What has come together for so long, or is so large, is written.
  std::chrono::milliseconds flush_after{5000};
  std::size_t flush_bytes = 65'536;
};

struct RecorderStatus {
  bool failing = false;       // the last attempt to write came to nothing
  base::Error error;          // why: the last failure, also when it is over
  std::uint64_t ticks = 0;    // written
  std::uint64_t dropped = 0;  // ticks that are not in the file: a slow or failing disk
  std::uint64_t bytes = 0;    // of the file
};

// Never holds up a tick, and never ends the program: what goes wrong is in the log and in status(),
// and is tried again. Thread-safe, but for stop(). The file goes on where it is a recording
// already.
class Recorder final : public model::SampleSink {
 public:
  // Starts the thread that writes; the file is opened there. `clock` outlives the recorder.
  static base::Result<std::unique_ptr<Recorder>> start(base::Clock& clock,
                                                       const RecorderOptions& options);
  ~Recorder() override;  // stops

  void take(std::shared_ptr<const model::Snapshot> snapshot) override;
  RecorderStatus status() const;
  // Writes what has been taken, and joins the thread. Idempotent. What is taken later is dropped.
  void stop();

 private:
  class Impl;
  explicit Recorder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gpuscope::device::replay
