// Rules that can be evaluated: expressions and templates of a rule file, parsed.
#pragma once

#include <chrono>
#include <expected>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "alert/rule.h"
#include "alert/template.h"
#include "query/query.h"

namespace gpuscope::alert {

struct ReadyRule {
  std::string name;
  query::Expression expression;
  std::chrono::milliseconds hold{};
  std::chrono::milliseconds keep_firing{};
  std::vector<std::pair<std::string, Template>> labels;
  std::vector<std::pair<std::string, Template>> annotations;
  // The same as the file has them, for whoever looks at the rules.
  model::Labels label_texts;
  model::Labels annotation_texts;
};

struct ReadyGroup {
  std::string name;
  std::string file;
  std::chrono::milliseconds interval{};
  std::vector<ReadyRule> rules;
};

using RuleSet = std::vector<ReadyGroup>;

// Groups without an interval of their own get `interval`. An error has every mistake, in the order
// of the groups.
std::expected<RuleSet, std::vector<RuleMistake>> make_rule_set(std::span<const RuleGroup> groups,
                                                               std::chrono::milliseconds interval);

}  // namespace gpuscope::alert
