#include "alert/rule_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "model/labels.h"

namespace gpuscope::alert {
namespace {

class Maker {
 public:
  explicit Maker(const RuleGroup& group, std::vector<RuleMistake>& mistakes)
      : group_(group), mistakes_(mistakes) {}

  ReadyGroup make(std::chrono::milliseconds interval) {
    ReadyGroup ready{group_.name, group_.file, group_.interval.value_or(interval), {}};
    for (const Rule& rule : group_.rules) add(ready, rule);
    return ready;
  }

 private:
  void wrong(int line, std::string what) {
    mistakes_.push_back({group_.file, line, std::move(what)});
  }

  void add(ReadyGroup& ready, const Rule& rule) {
    auto expression = query::Expression::parse(rule.expression.text);
    if (!expression) {
      wrong(rule.expression.line,
            fmt::format("{}: {}", rule.name.text, expression.error().message));
    } else if (expression->type() != query::Type::kVector &&
               expression->type() != query::Type::kScalar) {
      wrong(rule.expression.line,
            fmt::format("{}: the expression is a {}; a rule takes a vector or a scalar",
                        rule.name.text, query::type_name(expression->type())));
    }
    model::Labels label_texts;
    model::Labels annotation_texts;
    auto labels = templates(rule, rule.labels, label_texts);
    auto annotations = templates(rule, rule.annotations, annotation_texts);
    if (!expression) return;
    ready.rules.push_back({rule.name.text, std::move(*expression), rule.hold, rule.keep_firing,
                           std::move(labels), std::move(annotations), std::move(label_texts),
                           std::move(annotation_texts)});
  }

  std::vector<std::pair<std::string, Template>> templates(
      const Rule& rule, const std::vector<std::pair<std::string, RuleText>>& fields,
      model::Labels& texts) {
    std::vector<std::pair<std::string, Template>> made;
    for (const auto& [name, text] : fields) {
      if (!model::is_label_name(name) || name == model::kNameLabel) {
        wrong(text.line, fmt::format("{}: '{}' is no name of a label", rule.name.text, name));
        continue;
      }
      auto parsed = Template::parse(text.text);
      if (!parsed) {
        wrong(text.line, fmt::format("{}: {}: {}", rule.name.text, name, parsed.error().message));
        continue;
      }
      made.emplace_back(name, std::move(*parsed));
      texts.emplace_back(name, text.text);
    }
    std::ranges::sort(texts);
    return made;
  }

  const RuleGroup& group_;
  std::vector<RuleMistake>& mistakes_;
};

}  // namespace

std::expected<RuleSet, std::vector<RuleMistake>> make_rule_set(std::span<const RuleGroup> groups,
                                                               std::chrono::milliseconds interval) {
  RuleSet set;
  std::vector<RuleMistake> mistakes;
  std::set<std::pair<std::string, std::string>> names;
  for (const RuleGroup& group : groups) {
    if (!names.emplace(group.file, group.name).second) {
      const int line = group.rules.empty() ? 0 : group.rules.front().name.line;
      mistakes.push_back({group.file, line, fmt::format("there are two groups {}", group.name)});
    }
    set.push_back(Maker(group, mistakes).make(interval));
  }
  if (!mistakes.empty()) return std::unexpected(std::move(mistakes));
  return set;
}

}  // namespace gpuscope::alert
