// Tells Alertmanagers of every alert, and again and again as long as it fires. What they make of it
// is theirs: nothing is queued, since what counts is how alerts stand now.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "model/alert_status.h"
#include "model/delivery.h"
#include "notify/options.h"

namespace gpuscope::notify {

// Each Alertmanager has a thread of its own. Thread-safe, but for stop().
class AlertmanagerFeed {
 public:
  // How alerts stand: those that fire, and those that resolved a short time ago. Called on threads
  // of the feed's.
  using Alerts = std::function<std::vector<model::AlertStatus>()>;

  // The clock outlives it.
  static base::Result<std::unique_ptr<AlertmanagerFeed>> start(base::Clock& clock,
                                                               const AlertmanagerOptions& options,
                                                               const Alerts& alerts);
  ~AlertmanagerFeed();  // stops
  // `sent` counts requests; nothing is ever queued.
  std::vector<model::ReceiverStatus> statuses() const;
  // Idempotent.
  void stop();

 private:
  class Link;
  AlertmanagerFeed();
  std::vector<std::unique_ptr<Link>> links_;
};

}  // namespace gpuscope::notify
