// The latest of what the tools said, GPU by GPU, and how old it is.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "device/smi/query.h"
#include "model/snapshot.h"

namespace gpuscope::device::smi {

// Thread-safe. `clock` must outlive it.
class Board {
 public:
  using Age = std::chrono::milliseconds;

  // A line of the loop counts for `row_limit`.
  Board(const base::Clock& clock, std::size_t gpus, std::span<const model::Metric> row_metrics,
        Age row_limit);

  // All that the document says of a GPU; `limit` says for how long it counts.
  void put_report(std::size_t gpu, model::DeviceSample sample, Age limit);
  // The document does not have it any more, or says that it is lost.
  void put_gone(std::size_t gpu, Age limit);
  void put_row(std::size_t gpu, const model::GpuRow& row);
  void put_verdict(std::size_t gpu, std::optional<model::SourceVerdict> verdict, Age limit);

  // What is known now, by age: a value of the loop where it counts; else that of the document where
  // it is the newer one; else kTimedOut. Allocates nothing while the GPU keeps its lists.
  void read(std::size_t gpu, base::WallTime tick, model::DeviceSample& out);

  // Why values are missing, by what does not work; nothing once it does again.
  enum class Part : std::uint8_t { kReport, kLoop, kDcgmi };
  void set_trouble(Part part, std::optional<base::Error> error);
  // The first of them, in that order.
  std::optional<base::Error> trouble() const;
  bool in_trouble(Part part) const;

  // Everything has to be opened again.
  void lose() { lost_.store(true, std::memory_order_relaxed); }
  bool lost() const { return lost_.load(std::memory_order_relaxed); }

 private:
  struct Slot {
    base::Mutex mutex;
    model::DeviceSample report GUARDED_BY(mutex);
    base::SteadyTime report_at GUARDED_BY(mutex){};
    Age report_limit GUARDED_BY(mutex){0};
    bool gone GUARDED_BY(mutex) = false;
    model::GpuRow row GUARDED_BY(mutex){};
    base::SteadyTime row_at GUARDED_BY(mutex){};
    bool has_row GUARDED_BY(mutex) = false;
    base::SteadyTime verdict_until GUARDED_BY(mutex){};
    std::optional<std::uint64_t> clock_events GUARDED_BY(mutex);  // as last read
  };

  void overlay_row(Slot& slot, base::SteadyTime now, bool report_counts, model::DeviceSample& out)
      REQUIRES(slot.mutex);
  void notice_clock_events(Slot& slot, base::WallTime tick, model::DeviceSample& out)
      REQUIRES(slot.mutex);

  const base::Clock& clock_;
  const std::vector<model::Metric> row_metrics_;
  const Age row_limit_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::atomic<bool> lost_{false};

  mutable base::Mutex trouble_mutex_;
  std::array<std::optional<base::Error>, 3> trouble_ GUARDED_BY(trouble_mutex_);
};

}  // namespace gpuscope::device::smi
