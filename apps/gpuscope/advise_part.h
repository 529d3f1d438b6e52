// Second opinions and acting on them, as a part of a program that analyses how GPUs are used.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "act/controller.h"
#include "advise/chat_adviser.h"
#include "advise/consultant.h"
#include "base/clock.h"
#include "base/result.h"
#include "model/opinion.h"
#include "model/score.h"
#include "model/state_store.h"
#include "wire/metrics_format.h"

namespace gpuscope::app {

// consult() and act() belong to the analysis's thread, all else to any.
class AdvisePart {
 public:
  // `clock` and `store` outlive it. `details` may be null.
  static base::Result<std::unique_ptr<AdvisePart>> create(
      base::Clock& clock, const advise::Options& opinions, const act::Options& control,
      model::StateStore& store, std::unique_ptr<model::EvidenceReader> details);

  std::vector<model::SecondOpinions> consult(std::vector<model::UseEvidence> gpus,
                                             const model::UsageWindow& window, bool use_ai) {
    return consultant_.consult(std::move(gpus), window, use_ai);
  }
  // Whether control is on; act() does nothing where it is not.
  bool acts() const { return controller_ != nullptr; }
  void act(std::span<const model::GpuUse> gpus, double threshold);
  // Ends both soon, and for good.
  void cancel();

  // There is a model that may be asked.
  bool ai_configured() const { return chat_ != nullptr; }
  void append_metrics(wire::MetricsFormat format, std::string& out) const;
  // What was done, as control_document() has it; kNotFound where control is off. May wait for the
  // disk.
  base::Result<std::string> actions() const;

 private:
  AdvisePart(base::Clock& clock, advise::Ask ask, std::unique_ptr<advise::ChatAdviser> chat,
             std::unique_ptr<act::Controller> controller,
             std::unique_ptr<model::EvidenceReader> details);

  const std::unique_ptr<model::EvidenceReader> details_;
  const std::unique_ptr<advise::ChatAdviser> chat_;
  const std::unique_ptr<act::Controller> controller_;
  advise::Consultant consultant_;
};

}  // namespace gpuscope::app
