// Reads the whole document again and again, beside the ticks.
#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/subprocess.h"
#include "device/smi/board.h"
#include "device/smi/known.h"
#include "device/smi/tools.h"
#include "device/smi/worker.h"

namespace gpuscope::device::smi {

// Gives MIG instances the UUIDs and profiles that only the list has.
void name_mig_instances(const std::vector<ListedGpu>& list, Report& report);

class Refresher {
 public:
  // All of these must outlive it.
  Refresher(const Options& options, const base::Clock& clock, const std::vector<Known>& known,
            Board& board);

  // The first document, which open() has read in `took` already.
  void put_first(Report report, std::chrono::milliseconds took);
  base::Result<void> start();
  void stop();
  // A round is worth it now.
  void hurry() { worker_.wake(); }

  // The bus ids of those that are not lost; none where all are there. Thread-safe.
  std::vector<std::string> reachable_gpus() const;

 private:
  void run();
  void refresh();
  void put(Report report);
  std::chrono::milliseconds first_retry() const;
  std::chrono::milliseconds period_after(std::chrono::milliseconds took) const;

  const Options options_;
  const base::Clock& clock_;
  const std::vector<Known>& known_;
  std::vector<std::string> bus_ids_;
  Board& board_;
  base::Interrupt interrupt_;
  Tools tools_;
  Worker worker_;

  // The worker's own.
  std::chrono::milliseconds period_{0};
  std::chrono::milliseconds retry_{0};
  int failures_ = 0;

  mutable base::Mutex mutex_;
  std::vector<bool> lost_ GUARDED_BY(mutex_);
};

}  // namespace gpuscope::device::smi
