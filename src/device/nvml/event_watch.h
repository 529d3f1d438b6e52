// The XIDs of all GPUs of one source, waited for on a thread of their own.
#pragma once

#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "device/nvml/abi.h"
#include "device/nvml/library.h"
#include "model/snapshot.h"

namespace gpuscope::device::nvml {

// One event set of NVML. Only critical XIDs are asked for: NVML's clock events tell of every change
// of frequency, dozens a second on a busy card, and each would cost a call; what holds the clocks
// is known from flags and counters that are read anyway. Thread-safe.
class EventWatch {
 public:
  // `devices` by index of the source; null for one that could not be found.
  EventWatch(std::shared_ptr<const Session> session, std::vector<nvmlDevice_t> devices);
  ~EventWatch();  // stops
  EventWatch(const EventWatch&) = delete;
  EventWatch& operator=(const EventWatch&) = delete;

  // Registers the GPUs and begins to wait, on the thread; GPUs without events are left out. From
  // the second call on, and after stop(), it does nothing. Without a thread to be had there are no
  // events.
  void start();
  // Joins the thread, which looks up at least every half second; leaves it behind, with all that it
  // touches, where a call does not come back. Idempotent.
  void stop();

  // Appends what came for a device since the last call, as of `tick`; at most the newest
  // kMostWaiting.
  void take(std::size_t device, base::WallTime tick, std::vector<model::Event>& out);

  static constexpr std::size_t kMostWaiting = 64;

 private:
  class Shared;

  const std::shared_ptr<Shared> shared_;
  base::Mutex mutex_;
  bool started_ GUARDED_BY(mutex_) = false;
  std::thread thread_ GUARDED_BY(mutex_);
};

}  // namespace gpuscope::device::nvml
