// One opened source to judged snapshots.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>

#include "base/clock.h"
#include "base/result.h"
#include "collect/device_crew.h"
#include "collect/snapshot_pool.h"
#include "collect/trend.h"
#include "model/snapshot.h"
#include "model/source.h"

namespace gpuscope::collect {

// Used by one thread. Allocates nothing once devices and readers are steady.
class MachineReader {
 public:
  // For a source whose open() gave `inventory`. Starts the device threads where the source asks for
  // them. `clock` and `trends` must outlive the reader; without `trends` (null) snapshots have
  // none.
  static base::Result<std::unique_ptr<MachineReader>> start(
      base::Clock& clock, std::shared_ptr<model::Source> source,
      std::shared_ptr<const model::Inventory> inventory, Trends* trends = nullptr);

  struct Reading {
    std::shared_ptr<const model::Snapshot> snapshot;  // never null
    std::size_t timeouts = 0;                         // devices that did not answer in time
  };
  // Reads and judges every device under one time stamp. Devices that may block are waited for until
  // `deadline`, or until `stop` is asked for (the snapshot is then worth nothing).
  Reading read(std::uint64_t sequence, base::SteadyTime deadline, const std::stop_token& stop);

 private:
  MachineReader(base::Clock& clock, std::shared_ptr<model::Source> source,
                std::shared_ptr<const model::Inventory> inventory, Trends* trends)
      : clock_(clock),
        source_(std::move(source)),
        inventory_(std::move(inventory)),
        trends_(trends) {}
  void read_inline(model::Snapshot& snapshot);

  base::Clock& clock_;
  std::shared_ptr<model::Source> source_;
  std::shared_ptr<const model::Inventory> inventory_;
  Trends* const trends_;              // null: nobody follows
  std::unique_ptr<DeviceCrew> crew_;  // null for a source that cannot block
  SnapshotPool pool_;
  std::shared_ptr<const model::Snapshot> previous_;
};

}  // namespace gpuscope::collect
