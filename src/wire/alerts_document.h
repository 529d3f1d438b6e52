// Alerts and rules as Prometheus's HTTP API has them, and silences as Alertmanager's:
// docs/alerting.md.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "model/alert_status.h"

namespace gpuscope::wire {

struct RuleDocument {
  std::string_view name;
  std::string_view query;
  std::chrono::milliseconds duration{};     // `for`
  std::chrono::milliseconds keep_firing{};  // `keep_firing_for`
  const model::Labels& labels;              // as the rule file has them
  const model::Labels& annotations;
  std::vector<model::AlertStatus> alerts;  // pending and firing
  std::string_view error;                  // of the last evaluation; empty: none
  std::optional<base::WallTime> last_evaluation;
  std::chrono::microseconds evaluation_time{};
};

struct RuleGroupDocument {
  std::string_view name;
  std::string_view file;
  std::chrono::milliseconds interval{};
  std::vector<RuleDocument> rules;
};

// GET /api/v1/alerts.
void append_alerts_json(std::string& out, std::span<const model::AlertStatus> alerts);
// GET /api/v1/rules.
void append_rules_json(std::string& out, std::span<const RuleGroupDocument> groups);

struct SilenceMatcherDocument {
  std::string name;
  std::string value;
  bool is_regex = false;
  bool is_equal = true;
};
struct SilenceDocument {
  std::string id;  // empty: a new one
  std::vector<SilenceMatcherDocument> matchers;
  base::WallTime starts_at{};
  base::WallTime ends_at{};
  base::WallTime updated_at{};
  std::string created_by;
  std::string comment;
  std::string_view state;  // "pending", "active", "expired"
};

// GET /api/v2/silences and /api/v2/silence/{id}.
void append_silences_json(std::string& out, std::span<const SilenceDocument> silences);
void append_silence_json(std::string& out, const SilenceDocument& silence);
// POST /api/v2/silences: what was asked for; kInvalidArgument: what is wrong with it.
base::Result<SilenceDocument> parse_silence_json(std::string_view body);

}  // namespace gpuscope::wire
