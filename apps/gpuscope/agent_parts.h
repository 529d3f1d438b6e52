// The parts of an agent that keep what it reads, and what they say of themselves.
#pragma once

#include <memory>
#include <optional>

#include "api/history_routes.h"
#include "api/metrics_routes.h"
#include "base/clock.h"
#include "base/result.h"
#include "config/agent_settings.h"
#include "device/replay/recorder.h"
#include "history/history.h"
#include "http/server.h"
#include "wire/rest.h"

namespace gpuscope::app {

// Null where nothing is to be recorded.
base::Result<std::unique_ptr<device::replay::Recorder>> make_recorder(
    const config::AgentSettings& settings, base::Clock& clock);

// Where the history is: gpuscope.db in the data directory.
std::string history_path(const std::string& data_dir);

// Null where nothing is to be remembered, or there is no place for it, which the log has. A file
// that cannot be written is no error: history says so of itself, and tries again. `host`: what this
// machine is called in /metrics.
base::Result<std::unique_ptr<history::History>> start_history(const config::AgentSettings& settings,
                                                              const std::string& host,
                                                              base::Clock& clock);

// Takes what changed of how long and how much is kept; null: nothing is.
void change_history(history::History* history, const config::HistorySettings& settings);

// How requests look back; `history` and `server` outlive what is made of it. Null: why not.
api::HistorySetup history_setup(const config::AgentSettings& settings,
                                const history::History* history, http::Server& server);

// None for null.
std::optional<wire::RecordingHealth> recording_health(const config::AgentSettings& settings,
                                                      const device::replay::Recorder* recorder);
std::optional<wire::HistoryHealth> history_health(const config::AgentSettings& settings,
                                                  const history::History* history);

// gpuscope_history_*.
void add_metrics(const history::History& history, api::PartMetrics& parts);

}  // namespace gpuscope::app
