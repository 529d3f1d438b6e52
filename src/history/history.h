// The agent remembers: every tick goes into one SQLite file.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "base/result.h"
#include "history/reader.h"
#include "history/store.h"
#include "model/sample_sink.h"

namespace gpuscope::history {

struct HistoryOptions {
  StoreOptions store;
  std::size_t queue = 120;  // ticks that wait for the writer; over that they are dropped
  std::chrono::milliseconds retry_after{5000};  // that long after the file could not be written
};

struct HistoryStatus {
  bool failing = false;                      // the last attempt to write came to nothing
  base::Error error;                         // why: the last failure, also when it is over
  std::uint64_t write_errors = 0;            // attempts to write that came to nothing
  std::optional<base::WallTime> last_write;  // when it was last committed
  std::uint64_t ticks = 0;                   // committed
  std::uint64_t dropped = 0;                 // ticks that are not in the file
  std::uint64_t duplicates = 0;              // ticks with the time of the one before, left out
  std::uint64_t bytes = 0;                   // of the file
  std::size_t memory = 0;                    // bytes of the open block
};

// Never holds up a tick and never ends the program: what goes wrong is in the log and in status(),
// and is tried again. Thread-safe, but for stop().
class History final : public model::SampleSink {
 public:
  // Starts the thread that writes; the file is opened there. `clock` outlives the history.
  static base::Result<std::unique_ptr<History>> start(base::Clock& clock,
                                                      const HistoryOptions& options);
  ~History() override;  // stops

  void take(std::shared_ptr<const model::Snapshot> snapshot) override;
  HistoryStatus status() const;
  // How long and how much is kept from now on: keep_ticks, keep_rollups and max_bytes alone.
  void change_limits(const StoreOptions& limits);
  // Reads this history, with the ticks that are not written yet. It may outlive the history.
  std::unique_ptr<HistoryReader> reader() const;
  // Commits what has been taken, and joins the thread. Idempotent. What is taken later is dropped.
  void stop();

 private:
  class Impl;
  explicit History(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gpuscope::history
