// The agent's part that tells people of alerts, and what that says of itself.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "api/metrics_routes.h"
#include "base/clock.h"
#include "base/result.h"
#include "collect/collector.h"
#include "config/agent_settings.h"
#include "history/history.h"
#include "model/alert_status.h"
#include "model/state_store.h"
#include "notify/alertmanager_feed.h"
#include "notify/notifier.h"
#include "wire/notifications_document.h"
#include "wire/rest.h"

namespace gpuscope::app {

// Where states are kept: the history's file, also where no history is kept; in memory where there
// is no place for data.
std::unique_ptr<model::StateStore> open_states(const config::AgentSettings& settings);

class NotifyPart {
 public:
  // `store`, `clock` and what the surroundings use outlive it.
  static base::Result<std::unique_ptr<NotifyPart>> start(const config::AgentSettings& settings,
                                                         base::Clock& clock,
                                                         model::StateStore& store,
                                                         const notify::Surroundings& surroundings);

  // One message: see notify::Notifier::take().
  base::Result<void> take(const model::AlertNotification& message) {
    return notifier_->take(message);
  }
  // Starts telling Alertmanagers, where there are any, of these: what fires, and what resolved a
  // short time ago.
  base::Result<void> follow(notify::AlertmanagerFeed::Alerts alerts);
  // Before what is followed goes. Idempotent.
  void unfollow();
  void stop();

  // These wait for nothing.
  wire::Notifications look(std::size_t most) const;
  std::optional<wire::NotificationsHealth> health() const;  // none: nobody is told
  void add_metrics(api::PartMetrics& parts) const;

 private:
  NotifyPart(base::Clock& clock, notify::AlertmanagerOptions alertmanager, bool durable);
  std::vector<model::ReceiverStatus> receivers() const;

  base::Clock& clock_;
  const notify::AlertmanagerOptions alertmanager_;
  const bool durable_;
  std::unique_ptr<notify::Notifier> notifier_;
  std::unique_ptr<notify::AlertmanagerFeed> feed_;  // null: there is none
};

// What messages say of this machine. All but the settings outlive what is made of it; `history` may
// be null.
notify::Surroundings notify_surroundings(const config::AgentSettings& settings,
                                         const collect::Collector& collector,
                                         const history::History* history);

}  // namespace gpuscope::app
