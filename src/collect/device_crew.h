// As many threads as devices, for sources whose devices may block: a device that hangs holds up
// itself and one thread, and nobody else for more than a millisecond.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <stop_token>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "model/snapshot.h"
#include "model/source.h"

namespace gpuscope::collect {

// Used by one thread. A call that the kernel does not give back cannot be cancelled: its thread is
// left behind, detached, and shares the ownership of all that it still touches.
class DeviceCrew {
 public:
  // Starts the threads. kUnavailable when the system gives none. `clock` must outlive the crew.
  static base::Result<std::unique_ptr<DeviceCrew>> start(base::Clock& clock,
                                                         std::shared_ptr<model::Source> source,
                                                         std::size_t devices);
  // Joins every thread whose device answers before the last deadline that read() was given, and no
  // later than kGrace from now; leaves the others behind.
  ~DeviceCrew();
  DeviceCrew(const DeviceCrew&) = delete;
  DeviceCrew& operator=(const DeviceCrew&) = delete;

  // Reads every device that is not still busy with an earlier call into `out` (by device), until
  // all have answered, `deadline` has come, or `stop` is asked for. A device without an answer gets
  // what `previous` (null, or of the same devices) knows once and for all, and kTimedOut for the
  // rest; its late answer is dropped, but for its events, which come with the next one. Returns how
  // many those were.
  std::size_t read(base::WallTime tick, base::SteadyTime deadline, const std::stop_token& stop,
                   const model::Snapshot* previous, std::span<model::DeviceSample> out);

  static constexpr std::chrono::milliseconds kGrace{1500};

 private:
  struct Seat;
  struct Hand;
  struct Shared;
  DeviceCrew(base::Clock& clock, std::shared_ptr<Shared> shared);
  static void keep_events(Seat& seat);
  static void work(const std::shared_ptr<Shared>& shared, std::size_t self);

  base::Clock& clock_;
  std::shared_ptr<Shared> shared_;
  std::vector<std::thread> threads_;
  base::SteadyTime deadline_{};
};

}  // namespace gpuscope::collect
