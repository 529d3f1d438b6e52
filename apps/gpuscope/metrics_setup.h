// From settings to what /metrics is to look like.
#pragma once

#include <string>

#include "api/metrics_routes.h"
#include "base/result.h"
#include "config/agent_settings.h"

namespace gpuscope::app {

// This machine's name; empty when the system does not say.
std::string own_hostname();

// Reads the list of counters, if one is named, and logs a warning for every line of it that is left
// out. The error is that of a file that cannot be read.
base::Result<api::MetricsSetup> metrics_setup(const config::AgentSettings& settings);

}  // namespace gpuscope::app
