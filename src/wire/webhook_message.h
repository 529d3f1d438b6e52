// What leaves for other systems when alerts fire: docs/formats/notifications.md.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "model/alert_status.h"

namespace gpuscope::wire {

// What a message says beside its alerts.
struct MessageContext {
  std::string_view receiver;      // its name: "webhook"
  std::string_view subject;       // the message in one line
  std::string_view host;          // where the agent runs
  std::string_view external_url;  // of the agent; empty: not known
  bool simulated = false;         // the GPUs are not real
};

// Prometheus's number of a label set, 16 hexadecimal digits: the same alert has the same there.
std::string alert_fingerprint(const model::Labels& labels);

// Alertmanager's webhook, version 4. An alert has `value` and `since`, the message `gpuscope`,
// beside what Alertmanager has.
void append_webhook_message(std::string& out, const model::AlertNotification& message,
                            const MessageContext& context);
// An incoming webhook of Slack, Mattermost and their like.
void append_slack_message(std::string& out, const model::AlertNotification& message,
                          const MessageContext& context);
// A workflow of Microsoft Teams: an Adaptive Card.
void append_teams_message(std::string& out, const model::AlertNotification& message,
                          const MessageContext& context);

// The body of Alertmanager's POST /api/v2/alerts. A firing alert ends at `until` unless it is sent
// again; pending ones are left out.
void append_alertmanager_alerts(std::string& out, std::span<const model::AlertStatus> alerts,
                                base::WallTime until);

// A number for people: up to six digits, no exponent where it can be helped; "no value" for NaN.
std::string alert_value_text(double value);
// "2026-11-22 09:24:42 UTC".
std::string alert_time_text(base::WallTime time);
// "GPU 0, SIM-RTX4090"; empty where the alert is of none.
std::string gpu_text(const model::AlertStatus& alert);
// The summary, or the rule's name where there is none.
std::string_view summary_of(const model::AlertStatus& alert);

}  // namespace gpuscope::wire
