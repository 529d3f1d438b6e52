// The agent's part that watches its own history and tells people, and what that says of itself.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "alert/alerting.h"
#include "api/metrics_routes.h"
#include "base/clock.h"
#include "base/result.h"
#include "collect/collector.h"
#include "config/agent_settings.h"
#include "model/alert_status.h"
#include "model/labelled_series.h"
#include "model/state_store.h"
#include "wire/rest.h"

namespace gpuscope::app {

// What alerting stands on; all of it outlives what is made.
struct AlertingSetup {
  const model::LabelledSeriesReader* series = nullptr;  // null: there is no history
  model::StateStore& store;
  const collect::Collector& collector;
  std::function<base::Result<void>(const model::AlertNotification&)> deliver;
  std::string url;  // of the agent, as browsers reach it, without a slash at its end
};

// Not started yet. Null where alerts are off or there is no history, which /health shows. An error
// names every mistake of the rule files.
base::Result<std::unique_ptr<alert::Alerting>> make_alerting(const config::AgentSettings& settings,
                                                             const AlertingSetup& setup,
                                                             base::Clock& clock);

// Why there is none, as its routes say.
std::string why_no_alerting(const config::AgentSettings& settings);

// None for null.
std::optional<wire::AlertingHealth> alerting_health(const alert::Alerting* alerting);

// gpuscope_alerting_*, gpuscope_alerts_*.
void add_metrics(const alert::Alerting& alerting, api::PartMetrics& parts);

}  // namespace gpuscope::app
