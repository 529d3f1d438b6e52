// What the samples in a Prometheus-compatible engine add to evidence.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "model/opinion.h"
#include "prom/engine.h"
#include "prom/options.h"
#include "prom/usage_query.h"

namespace gpuscope::prom {

// Five requests for every kGpusPerRequest GPUs, one after the other, and two before them: the
// engine makes the extremes and the spread of their series, so that no sample travels.
class EngineEvidence final : public model::EvidenceReader {
 public:
  // VictoriaMetrics takes queries of 16 KiB.
  static constexpr std::size_t kGpusPerRequest = 15;

  // kInvalidArgument for a condition or an address that cannot be. `clock` outlives it.
  static base::Result<std::unique_ptr<EngineEvidence>> create(base::Clock& clock,
                                                              const ReaderOptions& options);
  EngineEvidence(std::unique_ptr<Engine> engine, std::vector<Matcher> condition)
      : engine_(std::move(engine)), condition_(std::move(condition)) {}

  base::Result<void> add_detail(std::span<model::UseEvidence> gpus,
                                const model::UsageWindow& window) override;
  void cancel() override { engine_->cancel(); }

 private:
  const std::unique_ptr<Engine> engine_;
  const std::vector<Matcher> condition_;
};

// A condition on the label UUID that holds for these GPUs alone.
std::string uuid_condition(std::span<const model::UseEvidence> gpus);

}  // namespace gpuscope::prom
