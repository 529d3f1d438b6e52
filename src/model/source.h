// The port through which GPUs are read. Implemented by device/nvml, device/smi, device/sim and
// device/replay.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "base/result.h"
#include "model/snapshot.h"

namespace gpuscope::model {

// Life: open() until it succeeds; then read() any number of times; open() again whenever lost().
// open() and close() are called by one thread, with no read() under way on a device that answers; a
// read() that a device never returned from may still be running, and must survive close() and
// destruction of everything it does not itself own (it is left behind, see collect/sampler.h).
class Source {
 public:
  virtual ~Source() = default;

  // Finds the driver and the devices, or says what is wrong and how to mend it
  // (kUnavailable: no driver or library; kPermissionDenied). May take seconds.
  virtual base::Result<std::shared_ptr<const Inventory>> open() = 0;

  // True when a device's read() may block in the kernel: then each device gets a worker thread of
  // its own and a deadline. False: all devices are read inline, on the sampler's thread.
  virtual bool devices_may_block() const = 0;

  // Reads one device into `out`, which holds what the last read of the same device left there (so
  // slow values may simply stay). Calls for different devices may run at once; calls for one device
  // never do. Never fails as a whole: what could not be read is absent with its reason, and a
  // device that is gone is marked kGone. `tick` is the sampler's time stamp.
  virtual void read(std::size_t device, base::WallTime tick, DeviceSample& out) = 0;

  // True once the driver itself went away (unloaded, updated), or has other GPUs than open() told
  // of: the sampler then calls open() again, with growing pauses. Thread-safe.
  virtual bool lost() const = 0;

  // Makes an open() that is under way, or comes later, end soon, with an error. For good, and from
  // any thread. A source whose open() never waits for others does nothing.
  virtual void interrupt() {}

  // What does not work beside read(), such as a tool that hangs, as long as it does not: why values
  // are missing or old. Thread-safe.
  virtual std::optional<base::Error> trouble() const { return std::nullopt; }
};

}  // namespace gpuscope::model
