// Rules as a file in Prometheus's format has them: texts, with the lines they stand on. config/
// reads them, rule_set.h makes something of them that can be evaluated.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace gpuscope::alert {

// A text of a file; `line` counts from 1, and is 0 where it came from no file.
struct RuleText {
  std::string text;
  int line = 0;
};

struct Rule {
  RuleText name;
  RuleText expression;
  std::chrono::milliseconds hold{0};         // `for`: so long its condition holds before it fires
  std::chrono::milliseconds keep_firing{0};  // `keep_firing_for`: so long it fires on afterwards
  // Templates, by name.
  std::vector<std::pair<std::string, RuleText>> labels;
  std::vector<std::pair<std::string, RuleText>> annotations;
};

struct RuleGroup {
  std::string name;
  std::string file;                                   // in which it stands
  std::optional<std::chrono::milliseconds> interval;  // none: the default one
  std::vector<Rule> rules;
};

// What is wrong with a rule, and where: "FILE:LINE: what".
struct RuleMistake {
  std::string file;
  int line = 0;
  std::string what;
};

}  // namespace gpuscope::alert
