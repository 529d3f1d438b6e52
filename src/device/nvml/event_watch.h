// What happens to the GPUs of one source between ticks, waited for on a thread of its own.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "device/nvml/abi.h"
#include "device/nvml/library.h"
#include "device/nvml/side_thread.h"
#include "model/snapshot.h"

namespace gpuscope::device::nvml {

// One event set of NVML: critical XIDs, and where it is wanted and supported changes of the clocks.
// NVML's clock events tell of every change of frequency, and not why: after one, what holds the
// clocks is asked for, ten times a second at most. A driver that keeps the time of each reason
// itself tells the same in a tick's own batch, so it is spared them. Thread-safe.
class EventWatch {
 public:
  struct Watched {
    nvmlDevice_t device{};  // null for one that could not be found
    bool clocks = false;    // its clocks' events are wanted
  };
  // By index of the source.
  EventWatch(std::shared_ptr<const Session> session, std::vector<Watched> devices);

  // Registers the GPUs and begins to wait, on the thread; GPUs without events are left out. From
  // the second call on, and after stop(), it does nothing. Without a thread to be had there are no
  // events.
  void start();
  // Joins the thread, which looks up at least every half second; leaves it behind, with all that it
  // touches, where a call does not come back. Idempotent.
  void stop() { thread_.stop(); }

  // Appends what came for a device since the last call, as of `tick`: XIDs, and for every look at
  // its clocks what held them then. At most the newest kMostWaiting of each.
  void take(std::size_t device, base::WallTime tick, std::vector<model::Event>& out);

  static constexpr std::size_t kMostWaiting = 64;

 private:
  class Shared;

  const std::shared_ptr<Shared> shared_;
  SideThread thread_;
};

}  // namespace gpuscope::device::nvml
