#include "config/rule_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace gpuscope::config {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> mistakes_of(const std::string& text) {
  std::vector<std::string> told;
  for (const auto& mistake : parse_rule_file("f", text).mistakes) told.push_back(describe(mistake));
  return told;
}

TEST(RuleFile, ReadsWhatPrometheusReads) {
  const RuleFile file = parse_rule_file("rules.yml", R"(groups:
  - name: one
    interval: 1m30s
    rules:
      - alert: Hot
        expr: |
          temperature
            > 80
        for: 5m
        keep_firing_for: 1h
        labels: {severity: critical, team: "{{ $labels.team }}"}
        annotations:
          summary: too hot
  - name: two
    rules:
)");
  ASSERT_THAT(file.mistakes, IsEmpty());
  ASSERT_EQ(file.groups.size(), 2U);
  const alert::RuleGroup& group = file.groups[0];
  EXPECT_EQ(group.name, "one");
  EXPECT_EQ(group.file, "rules.yml");
  EXPECT_EQ(group.interval, milliseconds{90'000});
  ASSERT_EQ(group.rules.size(), 1U);
  const alert::Rule& rule = group.rules[0];
  EXPECT_EQ(rule.name.text, "Hot");
  EXPECT_EQ(rule.name.line, 5);
  EXPECT_EQ(rule.expression.text, "temperature\n  > 80\n");
  EXPECT_EQ(rule.expression.line, 6);
  EXPECT_EQ(rule.hold, milliseconds{300'000});
  EXPECT_EQ(rule.keep_firing, milliseconds{3'600'000});
  ASSERT_EQ(rule.labels.size(), 2U);
  EXPECT_EQ(rule.labels[1].second.text, "{{ $labels.team }}");
  ASSERT_EQ(rule.annotations.size(), 1U);
  EXPECT_EQ(rule.annotations[0].second.line, 13);
  EXPECT_TRUE(file.groups[1].rules.empty());
  EXPECT_FALSE(file.groups[1].interval);
}

TEST(RuleFile, TellsEveryMistakeWithItsLine) {
  EXPECT_THAT(
      mistakes_of(R"(groups:
  - name: a
    intervall: 1m
    rules:
      - alert: A
      - expr: x
      - record: r
        expr: x
      - alert: B
        expr: x
        for: 5 minutes
        labels: [a]
        labels: {}
)"),
      ElementsAre("f:3: intervall: a group has no such key; did you mean 'interval'?",
                  "f:5: a rule has no expression: 'expr' is missing",
                  "f:6: a rule has no name: 'alert' is missing",
                  "f:7: record: rules that record series are not supported here; alerts are",
                  "f:11: for: '5 minutes' is not a duration such as 30s, 5m or 1h30m",
                  "f:12: labels is not a map of texts", "f:13: labels: it stands there twice"));
  EXPECT_THAT(mistakes_of("groups: 3"), ElementsAre("f:1: groups is not a list"));
  EXPECT_THAT(mistakes_of("groups: [{rules: []}]"), ElementsAre("f:1: a group has no name"));
  EXPECT_THAT(mistakes_of("- a"), ElementsAre("f:1: a rule file is not a map of keys"));
  EXPECT_EQ(mistakes_of("groups: [").size(), 1U);
  EXPECT_THAT(mistakes_of(""), IsEmpty());
}

TEST(RuleFile, TakesPrometheussDurations) {
  for (const auto& [text, takes] :
       std::vector<std::pair<std::string, std::int64_t>>{{"0", 0},
                                                         {"0s", 0},
                                                         {"15s", 15'000},
                                                         {"1h30m", 5'400'000},
                                                         {"100ms", 100},
                                                         {"1d", 86'400'000},
                                                         {"1w2d", 777'600'000},
                                                         {"1y", 31'536'000'000},
                                                         {"1m500ms", 60'500}}) {
    EXPECT_EQ(parse_prometheus_duration(text), milliseconds{takes}) << text;
  }
  for (const char* text : {"", "5", "-5m", "1.5m", "30m1h", "5m5m", "m", "5x", "1ms1s",
                           "99999999999999999999s", "1000y"}) {
    EXPECT_FALSE(parse_prometheus_duration(text)) << text;
  }
}

TEST(RuleFile, TheBuiltInRulesAreThoseOfPrometheus) {
  const RuleFile file = builtin_rules();
  EXPECT_THAT(file.mistakes, IsEmpty());
  std::size_t rules = 0;
  for (const auto& group : file.groups) rules += group.rules.size();
  EXPECT_EQ(rules, 19U);
}

TEST(RuleFile, SaysWhyAFileCannotBeRead) { EXPECT_FALSE(read_rule_file("/nowhere/rules.yml")); }

}  // namespace
}  // namespace gpuscope::config
