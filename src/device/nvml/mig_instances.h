// The MIG instances of a GPU that is split, as entities of their own.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "device/nvml/abi.h"
#include "device/nvml/gpm.h"
#include "device/nvml/library.h"
#include "device/nvml/turn.h"
#include "model/snapshot.h"

namespace gpuscope::device::nvml {

// They take turns: each tick one is read, so that any number of them costs the same; activity is
// the mean over a whole round. Not thread-safe. Allocates nothing while the GPU stays split as it
// is.
class MigInstances {
 public:
  explicit MigInstances(std::shared_ptr<const Session> session) : session_(std::move(session)) {}

  // Finds and reads all instances there are. Any number of calls. `with_gpm` where the GPU gives
  // GPM metrics.
  void find_all(nvmlDevice_t device, bool with_gpm);
  // Begins to find them, one a tick. One call.
  void begin(nvmlDevice_t device, bool with_gpm);
  void forget();

  // The next instance in turn, or now and then a look whether one came or went. At most five calls,
  // about three in the mean; `calls` is raised by them. The code is an error of the GPU or the
  // driver, or success.
  nvmlReturn_t read_next(nvmlDevice_t device, base::WallTime tick, int& calls);

  // In the order of NVML's indexes.
  void publish(std::vector<model::MigInstance>& out) const;

 private:
  struct Slot {
    bool present = false;
    nvmlDevice_t handle{};
    model::MigInstance instance;
    std::unique_ptr<GpmMeter> gpm;
    Turn ecc_turn;
  };

  nvmlReturn_t look(nvmlDevice_t device, Slot& slot, unsigned int index, int& calls);
  nvmlReturn_t identify(Slot& slot, int& calls);
  nvmlReturn_t read(nvmlDevice_t device, base::WallTime tick, Slot& slot, int& calls);
  void read_memory(Slot& slot);
  void read_ecc(Slot& slot);

  const std::shared_ptr<const Session> session_;
  bool with_gpm_ = false;
  std::vector<Slot> slots_;    // by NVML's index
  std::size_t next_ = 0;       // to be read
  std::size_t next_look_ = 0;  // to be looked for
  Turn look_turn_;
};

}  // namespace gpuscope::device::nvml
