// Sends every tick that the history kept to a Prometheus remote-write endpoint, in order, through
// outages of either side.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "base/result.h"
#include "model/tick_reader.h"
#include "prom/options.h"
#include "wire/metrics_text.h"

namespace gpuscope::prom {

// How it goes about it; tests alone have reason to differ.
struct RemoteWriteLimits {
  std::size_t max_samples = 20'000;      // of one batch, but for a tick that has more
  std::size_t max_ticks = 1000;          // of one batch
  std::size_t max_bytes = 2'097'152;     // about, of one request before it is compressed
  std::chrono::milliseconds poll{1000};  // how often it looks for new ticks
  std::chrono::milliseconds first_retry{500};
  std::chrono::milliseconds last_retry{30'000};        // doubling up to there
  std::chrono::milliseconds longest_wait{600'000};     // that a server may ask for
  std::chrono::milliseconds request_timeout{30'000};   // of one request, answer included
  std::chrono::milliseconds connect_timeout{10'000};   // a part of it
  std::chrono::microseconds clock_slack{300'000'000};  // a tick from the future is none
};

struct RemoteWriteStatus {
  bool failing = false;  // the last attempt came to nothing
  base::Error error;     // why: the last failure, also when it is over
  std::uint64_t sent_samples = 0;
  std::uint64_t sent_bytes = 0;          // compressed
  std::uint64_t requests = 0;            // that were answered with success
  std::uint64_t failed_requests = 0;     // that were not, and are tried again
  std::uint64_t refused_samples = 0;     // the server said that it will never take them
  std::uint64_t lost_ticks = 0;          // the history dropped them before they were sent
  std::uint64_t disordered_ticks = 0;    // not later than what was sent before: a clock went back
  std::uint64_t pending_ticks = 0;       // durable and not sent yet
  std::optional<base::WallTime> newest;  // the newest tick that was sent
  std::chrono::microseconds lag{0};      // its age, as long as there is more to send
};

// Never holds up a tick, and never ends the program: what goes wrong is in the log and in status(),
// and is tried again. Thread-safe, but for stop().
class RemoteWriter {
 public:
  // Starts the thread that sends. `reader` is its own; `metrics` is how /metrics looks.
  static base::Result<std::unique_ptr<RemoteWriter>> start(
      base::Clock& clock, RemoteWriteOptions options, wire::MetricsOptions metrics,
      std::unique_ptr<model::TickReader> reader, RemoteWriteLimits limits = {});
  ~RemoteWriter();  // stops
  RemoteWriter(const RemoteWriter&) = delete;
  RemoteWriter& operator=(const RemoteWriter&) = delete;

  RemoteWriteStatus status() const;
  // How /metrics looks from now on: taken with the next batch.
  void change(wire::MetricsOptions metrics);
  // Ends what is under way and joins the thread. What was not sent is sent after the next start.
  // Idempotent.
  void stop();

 private:
  class Impl;
  explicit RemoteWriter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gpuscope::prom
