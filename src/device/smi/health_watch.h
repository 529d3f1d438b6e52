// What dcgmi says of the GPUs' health, asked for again and again beside everything else.
#pragma once

#include <vector>

#include "base/clock.h"
#include "base/subprocess.h"
#include "device/smi/board.h"
#include "device/smi/known.h"
#include "device/smi/tools.h"
#include "device/smi/worker.h"

namespace gpuscope::device::smi {

class HealthWatch {
 public:
  // All of these must outlive it.
  HealthWatch(const Options& options, const base::Clock& clock, const std::vector<Known>& known,
              Board& board);

  // One round, on the caller's thread; before start().
  void ask();
  base::Result<void> start();
  void stop();

 private:
  void put_verdicts(const DcgmHealth& health);
  void give_up(DcgmFailure failure);

  const Options options_;
  const std::vector<Known>& known_;
  Board& board_;
  base::Interrupt interrupt_;
  Tools tools_;
  Worker worker_;
  std::vector<DcgmGpu> dcgm_gpus_;  // the worker's own
};

}  // namespace gpuscope::device::smi
