// What the kernel says of this process.
#pragma once

#include <string>

#include "wire/metrics_agent.h"

namespace gpuscope::api {

// Reads `proc`/self and `proc`/stat (`proc` is "/proc"); what cannot be read is absent.
wire::ProcessMetrics read_process_stats(const std::string& proc);

}  // namespace gpuscope::api
