// The call that asks a control service to act on a GPU; docs/advise.md shows it.
#pragma once

#include <string>

#include "model/score.h"

namespace gpuscope::wire {

// `{gpu_id, pod, namespace, hostname, score, status, timestamp, ai_analysis: {status, confidence,
// reason, recommendation}}`; the last is left out where there is none. The score is present.
std::string control_call(const model::GpuUse& gpu);

}  // namespace gpuscope::wire
