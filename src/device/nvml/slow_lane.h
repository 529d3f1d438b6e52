// What a GPU tells only by calls that block for milliseconds, read beside the ticks.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "device/nvml/abi.h"
#include "device/nvml/library.h"
#include "device/nvml/side_thread.h"
#include "device/nvml/turn.h"
#include "model/reading.h"

namespace gpuscope::device::nvml {

// What one process had of the GPU, in 0.01 %.
struct ProcessShare {
  std::uint32_t pid = 0;
  std::int64_t sm = 0;
  std::int64_t memory = 0;
  std::int64_t encoder = 0;
  std::int64_t decoder = 0;
};

struct SlowReadings {
  model::Reading power_average;  // mW
  model::Reading pcie_sent;      // bytes a second; kNotYet unless asked for
  model::Reading pcie_received;
  model::Absence shares_absence = model::Absence::kNotYet;
  std::vector<ProcessShare> shares;  // by pid; a process that is not among them did nothing
};

// One round is average power (3 ms), what each process had (2 ms), and where there are no counters
// the PCIe throughput (40 ms). Rounds run on a thread of the lane's own, started by the first
// request(); a call that never comes back is left behind with all that it needs.
class SlowLane {
 public:
  // How often a round is worth it, and over how long it averages.
  static constexpr Period kPeriod = std::chrono::seconds{10};

  SlowLane(std::shared_ptr<const Session> session, nvmlDevice_t device);

  // A round on the caller's thread, over all that the driver still has. Before any request().
  void run(bool with_pcie);
  // Asks for a round over the time before `tick` and returns at once; one that is under way or
  // asked for already is enough.
  void request(base::WallTime tick, bool with_pcie);
  // The readings of the last round, once each; false when there was none since the last take().
  bool take(SlowReadings& out);

 private:
  class Shared;

  const std::shared_ptr<Shared> shared_;
  SideThread thread_;
};

}  // namespace gpuscope::device::nvml
