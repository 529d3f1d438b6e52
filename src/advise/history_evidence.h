// What the samples of one machine's history add to evidence.
#pragma once

#include <atomic>
#include <memory>
#include <span>

#include "model/opinion.h"
#include "model/series.h"

namespace gpuscope::advise {

// GPUs are found by their UUID; MIG instances have no series of their own there and stay as they
// are. A value of a step is the mean of its ticks.
class HistoryEvidence final : public model::EvidenceReader {
 public:
  explicit HistoryEvidence(std::unique_ptr<model::SeriesReader> series)
      : series_(std::move(series)) {}

  base::Result<void> add_detail(std::span<model::UseEvidence> gpus,
                                const model::UsageWindow& window) override;
  void cancel() override { cancelled_ = true; }

 private:
  const std::unique_ptr<model::SeriesReader> series_;
  std::atomic<bool> cancelled_ = false;
};

}  // namespace gpuscope::advise
