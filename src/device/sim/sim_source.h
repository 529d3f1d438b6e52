// Simulated GPUs as a Source: no hardware, no driver.
#pragma once

#include <memory>

#include "device/sim/options.h"
#include "model/source.h"

namespace gpuscope::device::sim {

std::unique_ptr<model::Source> make_sim_source(const Options& options);

}  // namespace gpuscope::device::sim
