// How a series that Prometheus would have stored follows from what is kept: one view of it, by one
// of its names.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "model/labels.h"
#include "model/reading.h"
#include "model/series.h"

namespace gpuscope::model {

struct SeriesView {
  enum class Of : std::uint8_t {
    kReading,      // the one input's
    kSum,          // of what the inputs have
    kWholeSum,     // the same where all have something
    kClockEvents,  // NVML's mask of the inputs, which are flags in the order of its bits
    kHealth,       // the verdict on the input's GPU: 0 healthy to 4 unknown
    kOne,          // 1 at every tick of the input's GPU
  };
  LabelsPtr labels;
  Of of = Of::kReading;
  std::vector<SeriesKey> inputs;  // never empty
  // As of model::Family: from the catalogue's unit to that of the name. `divisor` comes first, and
  // cuts off what is left over.
  std::int64_t divisor = 1;
  int binary_shift = 0;
  int decimals = 0;         // of what is then there
  std::int64_t factor = 1;  // where decimals would be below 0
  // Where a value is a label, too: a series for each, with these labels. Empty: one series.
  std::function<LabelsPtr(std::int64_t value)> labels_of{};
};

}  // namespace gpuscope::model
