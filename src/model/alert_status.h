// What is alerted of: how one alert stands, and the message that tells people of a group of them.
// alert/ makes both, notify/ delivers the messages, wire/ and api/ show them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "model/labels.h"

namespace gpuscope::model {

enum class AlertState : std::uint8_t {
  kPending,   // its condition holds, for less long than its rule asks
  kFiring,    // its condition has held for that long
  kResolved,  // it fired, and its condition holds no more
};
// "pending", "firing", "resolved".
constexpr std::string_view alert_state_name(AlertState state) {
  return state == AlertState::kPending  ? "pending"
         : state == AlertState::kFiring ? "firing"
                                        : "resolved";
}

// One alert. Within one agent its labels say which.
struct AlertStatus {
  Labels labels;       // "alertname", "severity" and "service" among them
  Labels annotations;  // "summary", "description", "runbook_url": texts for people, UTF-8
  AlertState state = AlertState::kPending;
  base::WallTime active_since{};              // when its condition began to hold
  std::optional<base::WallTime> fired_at;     // none while it is pending
  std::optional<base::WallTime> resolved_at;  // none until it is resolved
  double value = 0;           // of the rule's expression, when it held last; may be NaN or infinite
  std::string rule;           // the rule's name, as label alertname has it
  std::string expression;     // the rule's, as its file has it
  std::string generator_url;  // where a browser sees the expression; empty: nowhere
  friend bool operator==(const AlertStatus&, const AlertStatus&) = default;
};

// One message: all that is to be said of one group of alerts at one time.
struct AlertNotification {
  // Of this message and no other, also when it is made a second time because the agent was ended
  // before it knew that somebody has taken it: whoever delivers takes each id once.
  std::string id;
  // Of the group, the same for as long as the rules stay as they are: where answers belong together
  // (a mail's thread, a webhook's groupKey).
  std::string group_key;
  Labels group_labels;    // what the group's alerts have in common: alertname, gpu_name
  std::string receiver;   // who is to be told: "info", "warning", "critical" or "emergency"
  base::WallTime time{};  // when it was decided
  // Firing ones first, then those that resolved since the last message; each by time, then labels.
  // Never empty, never a pending one.
  std::vector<AlertStatus> alerts;

  // Whether anything in it fires still: else all of the group is over.
  bool firing() const { return !alerts.empty() && alerts.front().state == AlertState::kFiring; }
  friend bool operator==(const AlertNotification&, const AlertNotification&) = default;
};

}  // namespace gpuscope::model
