#include "config/rule_file.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <span>
#include <tuple>
#include <utility>

#include "base/file.h"
#include "config/nearest.h"
#include "config/yaml_screen.h"

namespace gpuscope::embedded {
extern const std::string_view builtin_rules;
}  // namespace gpuscope::embedded

namespace gpuscope::config {
namespace {

using alert::Rule;
using alert::RuleGroup;
using alert::RuleText;
using std::chrono::milliseconds;

constexpr std::size_t kMaxRuleMistakes = 50;
constexpr std::string_view kBuiltin = "built-in rules";
constexpr std::string_view kDurationTakes = "a duration such as 30s, 5m or 1h30m";

int line_of(const YAML::Node& node) { return node.Mark().is_null() ? 0 : node.Mark().line + 1; }

class RuleReader {
 public:
  explicit RuleReader(std::string_view file) : file_(file) {}

  RuleFile read(const std::string& text) {
    if (text.size() > kMaxRuleFileBytes) {
      wrong(1, "the file is longer than 1 MiB");
      return std::move(result_);
    }
    const auto root = load_yaml(text);
    if (!root) {
      wrong(root.error().line, root.error().what);
    } else if (!root->IsNull()) {
      members(*root, "a rule file", std::array{std::string_view("groups")},
              [&](std::string_view, const YAML::Node& value) { read_groups(value); });
    }
    return std::move(result_);
  }

 private:
  void wrong(int line, std::string what) {
    if (result_.mistakes.size() < kMaxRuleMistakes) {
      // A text of the file may stand in it, line ends and all.
      std::ranges::replace(what, '\n', ' ');
      result_.mistakes.push_back({std::string(file_), line, std::move(what)});
    }
  }

  // Gives each member of a map to `take`; those of another name are mistakes.
  template <typename Take>
  void members(const YAML::Node& node, std::string_view what,
               std::span<const std::string_view> known, Take take) {
    if (!node.IsMap()) return wrong(line_of(node), fmt::format("{} is not a map of keys", what));
    std::set<std::string> seen;
    for (const auto& member : node) {
      if (!member.first.IsScalar()) {
        wrong(line_of(member.first), fmt::format("a key of {} is no text", what));
        continue;
      }
      const std::string& key = member.first.Scalar();
      const int line = line_of(member.first);
      if (!seen.insert(key).second) {
        wrong(line, fmt::format("{}: it stands there twice", key));
      } else if (std::ranges::find(known, key) != known.end()) {
        take(key, member.second);
      } else {
        const std::string_view near = nearest(key, known);
        wrong(line, fmt::format("{}: {} has no such key{}", key, what,
                                near.empty() ? "" : fmt::format("; did you mean '{}'?", near)));
      }
    }
  }

  template <typename Take>
  void items(const YAML::Node& node, std::string_view what, Take take) {
    if (node.IsNull()) return;
    if (!node.IsSequence()) return wrong(line_of(node), fmt::format("{} is not a list", what));
    for (const YAML::Node& item : node) take(item);
  }

  std::optional<RuleText> text(const YAML::Node& node, std::string_view what) {
    if (node.IsScalar()) return RuleText{node.Scalar(), line_of(node)};
    wrong(line_of(node), fmt::format("{} is no text", what));
    return std::nullopt;
  }

  std::optional<milliseconds> duration(const YAML::Node& node, std::string_view what) {
    const auto given = text(node, what);
    if (!given) return std::nullopt;
    const auto parsed = parse_prometheus_duration(given->text);
    if (!parsed) {
      wrong(given->line, fmt::format("{}: '{}' is not {}", what, given->text, kDurationTakes));
    }
    return parsed;
  }

  void read_groups(const YAML::Node& node) {
    items(node, "groups", [&](const YAML::Node& item) { read_group(item); });
  }

  void read_group(const YAML::Node& node) {
    constexpr std::array<std::string_view, 3> kKeys{"name", "interval", "rules"};
    RuleGroup group;
    group.file = file_;
    members(node, "a group", kKeys, [&](std::string_view key, const YAML::Node& value) {
      if (key == "name") {
        if (auto name = text(value, key)) group.name = std::move(name->text);
      } else if (key == "interval") {
        group.interval = duration(value, key);
        if (group.interval && group.interval->count() == 0) {
          wrong(line_of(value), "interval: '0' is not a duration such as 15s");
        }
      } else {
        items(value, key, [&](const YAML::Node& item) { read_rule(group, item); });
      }
    });
    if (group.name.empty()) wrong(line_of(node), "a group has no name");
    result_.groups.push_back(std::move(group));
  }

  void read_rule(RuleGroup& group, const YAML::Node& node) {
    constexpr std::array<std::string_view, 7> kKeys{
        "alert", "expr", "for", "keep_firing_for", "labels", "annotations", "record"};
    Rule rule;
    bool records = false;
    members(node, "a rule", kKeys, [&](std::string_view key, const YAML::Node& value) {
      if (key == "alert") {
        rule.name = text(value, key).value_or(RuleText{});
      } else if (key == "expr") {
        rule.expression = text(value, key).value_or(RuleText{});
      } else if (key == "for") {
        rule.hold = duration(value, key).value_or(milliseconds{0});
      } else if (key == "keep_firing_for") {
        rule.keep_firing = duration(value, key).value_or(milliseconds{0});
      } else if (key == "labels") {
        read_fields(rule.labels, value, key);
      } else if (key == "annotations") {
        read_fields(rule.annotations, value, key);
      } else {
        records = true;
        wrong(line_of(value),
              "record: rules that record series are not supported here; alerts are");
      }
    });
    if (records) return;
    const int line = line_of(node);
    if (rule.name.text.empty()) wrong(line, "a rule has no name: 'alert' is missing");
    if (rule.expression.text.empty()) wrong(line, "a rule has no expression: 'expr' is missing");
    if (!rule.name.text.empty() && !rule.expression.text.empty()) {
      group.rules.push_back(std::move(rule));
    }
  }

  void read_fields(std::vector<std::pair<std::string, RuleText>>& fields, const YAML::Node& node,
                   std::string_view what) {
    if (node.IsNull()) return;
    if (!node.IsMap()) return wrong(line_of(node), fmt::format("{} is not a map of texts", what));
    std::set<std::string> seen;
    for (const auto& member : node) {
      auto name = text(member.first, what);
      auto value = name ? text(member.second, name->text) : std::nullopt;
      if (!value) continue;
      if (!seen.insert(name->text).second) {
        wrong(name->line, fmt::format("{}: it stands there twice", name->text));
      } else {
        fields.emplace_back(std::move(name->text), std::move(*value));
      }
    }
  }

  std::string_view file_;
  RuleFile result_;
};

}  // namespace

RuleFile parse_rule_file(std::string_view file, const std::string& text) {
  RuleFile read;
  // yaml-cpp throws where a node is not what it is taken for; every look above asks first.
  try {
    read = RuleReader(file).read(text);
  } catch (const YAML::Exception& error) {
    read.mistakes.push_back({std::string(file), error.mark.is_null() ? 1 : error.mark.line + 1,
                             "not YAML: " + error.msg});
  }
  std::ranges::sort(read.mistakes, {}, [](const alert::RuleMistake& mistake) {
    return std::tie(mistake.line, mistake.what);
  });
  return read;
}

base::Result<RuleFile> read_rule_file(const std::string& path) {
  const auto text = base::read_file(path, kMaxRuleFileBytes);
  if (!text) return std::unexpected(text.error());
  return parse_rule_file(path, *text);
}

RuleFile builtin_rules() { return parse_rule_file(kBuiltin, std::string(embedded::builtin_rules)); }

std::string describe(const alert::RuleMistake& mistake) {
  return fmt::format("{}:{}: {}", mistake.file, mistake.line, mistake.what);
}

std::optional<milliseconds> parse_prometheus_duration(std::string_view text) {
  struct Unit {
    std::string_view name;
    std::int64_t milliseconds;
  };
  constexpr std::array<Unit, 7> kUnits{{{"y", 31'536'000'000},
                                        {"w", 604'800'000},
                                        {"d", 86'400'000},
                                        {"h", 3'600'000},
                                        {"m", 60'000},
                                        {"s", 1000},
                                        {"ms", 1}}};
  constexpr std::int64_t kMost = 100 * 31'536'000'000;
  if (text == "0") return milliseconds{0};
  if (text.empty()) return std::nullopt;
  std::int64_t sum = 0;
  std::size_t next = 0;  // units come in order, each once
  while (!text.empty()) {
    if (text.front() < '0' || text.front() > '9') return std::nullopt;
    std::int64_t number = 0;
    const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || number > kMost) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(at - text.data()));
    const std::string_view unit =
        text.substr(0, std::min(text.find_first_of("0123456789"), text.size()));
    while (next < kUnits.size() && kUnits[next].name != unit) ++next;
    if (next == kUnits.size() || number > kMost / kUnits[next].milliseconds) return std::nullopt;
    sum += number * kUnits[next++].milliseconds;
    text.remove_prefix(unit.size());
  }
  return sum <= kMost ? std::optional(milliseconds{sum}) : std::nullopt;
}

}  // namespace gpuscope::config
