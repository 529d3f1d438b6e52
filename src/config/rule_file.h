// Files of alerting rules in Prometheus's format: docs/formats/rule_file.md.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "alert/rule.h"
#include "base/result.h"

namespace gpuscope::config {

// A file that is longer has a mistake.
inline constexpr std::size_t kMaxRuleFileBytes = 1'048'576;

struct RuleFile {
  std::vector<alert::RuleGroup> groups;
  // Of the format alone, in the order of their lines: expressions and templates are not looked at.
  std::vector<alert::RuleMistake> mistakes;
};

// Reads a rule file's text; `file` is its name for the groups and mistakes.
RuleFile parse_rule_file(std::string_view file, const std::string& text);
// The same from disk. The error is that of reading.
base::Result<RuleFile> read_rule_file(const std::string& path);

// The rules that every agent has unless it is given others:
// deploy/prometheus/rules/gpuscope.rules.yml.
RuleFile builtin_rules();

// "FILE:LINE: what".
std::string describe(const alert::RuleMistake& mistake);

// A duration as Prometheus writes it: whole numbers with y, w, d, h, m, s and ms, in this order;
// nullopt for anything else.
std::optional<std::chrono::milliseconds> parse_prometheus_duration(std::string_view text);

}  // namespace gpuscope::config
