// The agent's own history as the series that a Prometheus would have of it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "api/history_routes.h"
#include "api/query_routes.h"
#include "base/clock.h"
#include "collect/collector.h"
#include "config/agent_settings.h"
#include "history/history.h"
#include "http/server.h"
#include "model/labelled_series.h"
#include "prom/exposition.h"
#include "wire/metrics_text.h"

namespace gpuscope::app {

// The labels job and instance, and those that the settings give to what is sent, as every series of
// this agent has them.
prom::Labels agent_labels(const config::AgentSettings& settings,
                          const wire::MetricsOptions& metrics, std::uint16_t port);

// Null for a null history. One query at a time: who asks beside others takes one of his own. All
// outlive what is made.
std::shared_ptr<const model::LabelledSeriesReader> agent_series(const history::History* history,
                                                                const wire::MetricsOptions& metrics,
                                                                const prom::Labels& labels,
                                                                const collect::Collector& collector,
                                                                const base::Clock& clock);

// How requests are answered; `why_none` is that of the history.
api::QuerySetup query_setup(const config::AgentSettings& settings,
                            std::shared_ptr<const model::LabelledSeriesReader> series,
                            const api::HistorySetup& history);

}  // namespace gpuscope::app
