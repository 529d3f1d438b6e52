// The agent's part that sends what it keeps elsewhere, and what that says of itself.
#pragma once

#include <memory>
#include <optional>

#include "api/metrics_routes.h"
#include "base/clock.h"
#include "base/result.h"
#include "config/agent_settings.h"
#include "prom/remote_writer.h"
#include "wire/metrics_text.h"
#include "wire/rest.h"

namespace gpuscope::app {

// Null where nothing is to be sent, or nothing is kept, which the log has. `metrics` is how
// /metrics looks, `port` where the agent serves.
base::Result<std::unique_ptr<prom::RemoteWriter>> start_remote_write(
    const config::AgentSettings& settings, const wire::MetricsOptions& metrics, std::uint16_t port,
    base::Clock& clock);

// None for null.
std::optional<wire::RemoteWriteHealth> remote_write_health(const config::AgentSettings& settings,
                                                           const prom::RemoteWriter* writer);

// gpuscope_remote_write_*.
void add_metrics(const prom::RemoteWriter& writer, api::PartMetrics& parts);

}  // namespace gpuscope::app
