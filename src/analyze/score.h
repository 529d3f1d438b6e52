// From the means of a window to scores, states and what they come to.
#pragma once

#include <optional>
#include <vector>

#include "analyze/options.h"
#include "base/clock.h"
#include "model/score.h"
#include "model/usage.h"

namespace gpuscope::analyze {

// Without a score: unknown.
model::UseStatus status_of(std::optional<double> score, const ScoreOptions& options);

// One GPU. A value whose weight is 0 is not needed for a score.
model::GpuUse judge(model::GpuUsage usage, const ScoreOptions& options, base::WallTime time);

// Lowest score first, those without one last; of equals by identity.
void sort_by_score(std::vector<model::GpuUse>& gpus);

model::UseStats stats_of(const std::vector<model::GpuUse>& gpus, const ScoreOptions& options);

}  // namespace gpuscope::analyze
