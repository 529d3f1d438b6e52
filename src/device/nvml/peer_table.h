// How the GPUs of one source reach each other over NVLink, asked beside the ticks.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <vector>

#include "device/nvml/abi.h"
#include "device/nvml/library.h"
#include "device/nvml/side_thread.h"
#include "model/snapshot.h"

namespace gpuscope::device::nvml {

// One call for each pair, once a minute, on a thread of its own: a GPU that does not answer holds
// up nothing but this table. Thread-safe.
class PeerTable {
 public:
  static constexpr std::chrono::seconds kPeriod{60};
  // Machines of more have no table: pairs grow as the square.
  static constexpr std::size_t kMostDevices = 64;

  // `devices` by index of the source; null for one that could not be found.
  PeerTable(std::shared_ptr<const Session> session, std::vector<nvmlDevice_t> devices);

  // Begins to ask, on the thread, where there is more than one GPU and the driver can say. From the
  // second call on, and after stop(), it does nothing.
  void start();
  // Joins the thread; leaves it behind, with all that it touches, where a call does not come back.
  // Idempotent.
  void stop() { thread_.stop(); }

  // What is known of a device's links: by index, or empty. Allocates nothing once `out` has held
  // it.
  void copy(std::size_t device, std::vector<model::PeerLink>& out) const;

 private:
  class Shared;

  const std::shared_ptr<Shared> shared_;
  SideThread thread_;
};

}  // namespace gpuscope::device::nvml
