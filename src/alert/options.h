// What alerting can be told.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "alert/rule.h"

namespace gpuscope::alert {

struct DispatchOptions {
  std::chrono::milliseconds group_wait{10'000};      // for others to come, before the first message
  std::chrono::milliseconds emergency_wait{5'000};   // the same where the severity is emergency
  std::chrono::milliseconds group_interval{30'000};  // between two messages of a group, at least
  std::chrono::milliseconds repeat_interval{std::chrono::hours{4}};  // of one that says nothing new
};

struct AlertingOptions {
  std::vector<RuleGroup> rules;
  // Of groups that have none of their own, and of subqueries without a step.
  std::chrono::milliseconds interval{15'000};
  DispatchOptions dispatch;
  std::string external_url;  // of the agent, as browsers reach it; empty: nowhere
};

}  // namespace gpuscope::alert
