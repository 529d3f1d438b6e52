// Readings to a verdict: what is wrong with a GPU, why we say so, and what to do.
#pragma once

#include "base/clock.h"
#include "model/health.h"
#include "model/snapshot.h"

namespace gpuscope::health {

// Judges one device by the machine's rule set: the table in rules.cc. Allocates nothing.
// Thread-safe (no state). What the source's own tool says (DeviceSample::source_verdict) has no
// part in it.
//
// A rule whose reading or limit is absent is not judged. So a device is unknown, never healthy,
// when no rule could be judged, or when its temperature is missing for any reason but that the card
// has none to give (kUnsupported, as in many virtual machines: then the other rules decide). A rule
// that fires counts even so. A lost device (temperature kGone) is critical.
// What was seen lately is in `trend`, as of the tick `now`; null where nobody follows the device:
// rules about it are not judged then.
//
// Verdict::gpu is the worst of all findings; Verdict::overall the worst of those whose rule raises
// it. Verdict::temperature and Verdict::memory are empty when no rule of theirs could be judged.
model::Verdict judge(model::RuleSet rules, const model::DeviceSample& device,
                     const model::GpuTrend* trend = nullptr, base::WallTime now = {});

}  // namespace gpuscope::health
