// Opinions from rules: no network, no waiting, the same evidence gives the same opinion.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "model/opinion.h"

namespace gpuscope::advise {

// What the rules make of a GPU; docs/advise.md lists them. None when the evidence is too thin for
// any: no mean of the utilization, or under half of the samples. `adjusted_score` is never set:
// rules have made the score already. Pure.
std::optional<model::Opinion> judge(const model::UseEvidence& evidence, base::WallTime now);

// From this confidence on rules count as sure.
inline constexpr double kSureFrom = 0.75;

// Whether rules leave a question open: they find it suspicious, are not sure, or say of a GPU that
// scores low that it works, or of one that does not that it is idle. False without an opinion:
// nobody could say more for want of data.
bool is_unsure(const model::UseEvidence& evidence, const std::optional<model::Opinion>& opinion);

class BuiltInAdviser final : public model::Advisor {
 public:
  // `clock` outlives it.
  explicit BuiltInAdviser(const base::Clock& clock) : clock_(clock) {}

  std::vector<model::Advice> advise(std::span<const model::UseEvidence> gpus) override;
  void stop() override {}

 private:
  const base::Clock& clock_;
};

}  // namespace gpuscope::advise
