// What tests of alerts stand on.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "alert/rule.h"
#include "alert/rule_set.h"
#include "alert/rule_states.h"
#include "model/alert_status.h"
#include "query/query.h"

namespace gpuscope::alert {

using std::chrono::minutes;
using std::chrono::seconds;

inline constexpr base::WallTime kStart{seconds{1'780'000'000}};

inline Rule make_rule(std::string name, std::string expression, std::chrono::milliseconds hold,
                      std::string severity = "critical") {
  return {.name = {std::move(name)},
          .expression = {std::move(expression)},
          .hold = hold,
          .keep_firing = {},
          .labels = {{"severity", {std::move(severity)}}},
          .annotations = {{"summary", {"GPU {{ $labels.gpu }} is at {{ $value }}"}}}};
}

inline RuleGroup make_group(std::vector<Rule> rules, std::string name = "group") {
  return {.name = std::move(name), .file = "f", .interval = {}, .rules = std::move(rules)};
}

inline RuleSet make_rules(std::vector<Rule> rules) {
  const std::vector<RuleGroup> groups{make_group(std::move(rules))};
  return make_rule_set(groups, seconds{15}).value();
}

inline query::Sample make_sample(model::Labels labels, double value) {
  return {std::make_shared<const model::Labels>(std::move(labels)), value};
}

// What rules gave at one time: a vector for each.
inline GroupResult make_result(base::WallTime time, std::vector<query::Vector> vectors) {
  GroupResult result{.group = 0, .time = time, .results = {}, .durations = {}};
  for (query::Vector& vector : vectors) {
    result.results.emplace_back(std::move(vector));
    result.durations.emplace_back(100);
  }
  return result;
}

}  // namespace gpuscope::alert
