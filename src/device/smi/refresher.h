// Reads the whole document, and what dcgmi says, again and again beside the ticks.
#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/subprocess.h"
#include "device/smi/board.h"
#include "device/smi/tools.h"
#include "device/smi/worker.h"

namespace gpuscope::device::smi {

// Who is where: what does not change while the source is open.
struct Known {
  std::string uuid;    // empty: only the bus id is known
  std::string bus_id;  // empty: only the UUID is
};

// Which of `known` this GPU is; its number.
std::optional<std::size_t> find_known(const std::vector<Known>& known, const std::string& uuid,
                                      const std::string& bus_id);

// Gives MIG instances the UUIDs and profiles that only the list has.
void name_mig_instances(const std::vector<ListedGpu>& list, Report& report);

class Refresher {
 public:
  // All of these must outlive it.
  Refresher(const Options& options, const base::Clock& clock, const std::vector<Known>& known,
            Board& board);

  // The first document, which open() has read in `took` already.
  void put_first(Report report, std::chrono::milliseconds took);
  // One round of dcgmi, on the caller's thread.
  void ask_dcgmi();

  void start();
  void stop();
  // A round is worth it now.
  void hurry() { worker_.wake(); }

  // Lost GPUs, whose names keep nvidia-smi from answering. Thread-safe.
  std::vector<std::string> reachable_gpus() const;

 private:
  void run();
  void refresh();
  void put(Report report);
  void put_verdicts(const DcgmHealth& health);
  void give_up_dcgmi(DcgmFailure failure);
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
  std::vector<DcgmGpu> dcgm_gpus_;
  base::SteadyTime dcgmi_next_{};
  int failures_ = 0;

  mutable base::Mutex mutex_;
  std::vector<bool> lost_ GUARDED_BY(mutex_);
};

}  // namespace gpuscope::device::smi
