// Random expressions of the subset, and random series for them.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "model/labelled_series.h"

namespace gpuscope::differential {

struct RandomSeries {
  model::Labels labels;
  std::vector<model::LabelledSample> samples;
};

// Gauges `g` and `h`, counters `c`, constants `k`, with labels `a` and `b`, over `length_ms` from
// `begin_ms` on: with gaps, jitter, staleness markers, and values that are no numbers.
std::vector<RandomSeries> random_series(std::mt19937_64& random, std::int64_t begin_ms,
                                        std::int64_t length_ms);

// An instant vector or a number that parses; what it is evaluated to may still be an error.
std::string random_expression(std::mt19937_64& random);

}  // namespace gpuscope::differential
