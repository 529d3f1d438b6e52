// Readings to a verdict: what is wrong with a GPU, why we say so, and what to do.
#pragma once

#include "model/health.h"
#include "model/snapshot.h"

namespace gpuscope::health {

// Judges one device by the machine's rule set. Allocates nothing. Thread-safe (no state).
// A device whose readings are absent is unknown, never healthy; a lost one is critical.
model::Verdict judge(model::RuleSet rules, const model::DeviceSample& device);

}  // namespace gpuscope::health
