// What the samples of a window come to.
#pragma once

#include <chrono>
#include <optional>
#include <span>

#include "model/opinion.h"

namespace gpuscope::advise {

// One value a step, the last one at the window's end; none: there was no sample, which counts for
// nothing. None at all: nullopt.
std::optional<model::SeriesSummary> summarize(std::span<const std::optional<double>> values);

// The same of utilization.
model::UseDetail detail_of(std::span<const std::optional<double>> utilization,
                           std::chrono::seconds step);

}  // namespace gpuscope::advise
