// What a run of the analysis asks for second opinions: rules for every GPU, a chat model for those
// that it is worth asking about.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "advise/builtin_adviser.h"
#include "advise/options.h"
#include "base/clock.h"
#include "model/opinion.h"

namespace gpuscope::advise {

// consult() belongs to one thread at a time; stop() to any.
class Consultant {
 public:
  // All outlive it. `chat` may be null: there is no model. `details` may be null: the means are all
  // that is known.
  Consultant(base::Clock& clock, Ask ask, model::Advisor* chat, model::EvidenceReader* details)
      : clock_(clock), ask_(ask), chat_(chat), details_(details) {}

  // One for each GPU, in their order. A model is asked only with `use_ai`; then samples are read,
  // too, of the GPUs that it may be asked about: those are judged by more than their means.
  std::vector<model::SecondOpinions> consult(std::vector<model::UseEvidence> gpus,
                                             const model::UsageWindow& window, bool use_ai);
  // Ends consult() soon, and for good.
  void stop();

 private:
  base::Clock& clock_;
  const Ask ask_;
  model::Advisor* const chat_;
  model::EvidenceReader* const details_;
  std::atomic<bool> stopping_ = false;
};

}  // namespace gpuscope::advise
