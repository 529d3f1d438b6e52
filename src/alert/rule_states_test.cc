#include "alert/rule_states.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "alert/alert_testing.h"
#include "model/memory_state_store.h"

namespace gpuscope::alert {
namespace {

using base::WallTime;
using model::AlertState;
using testing::IsEmpty;
using testing::SizeIs;

const query::Vector kHot{make_sample({{"gpu", "0"}}, 90)};

Rule hot_rule(std::chrono::milliseconds hold = minutes{1}) {
  return make_rule("Hot", "t > 80", hold);
}

std::vector<model::StateRecord> records(model::StateStore& store) {
  return store.list(kAlertKind).value();
}

// Drives one rule, and keeps what it says is to be kept.
class Driver {
 public:
  explicit Driver(const Rule& rule, std::optional<WallTime> last_run = {},
                  std::vector<model::StateRecord> left = {})
      : states_(make_rules({rule}), "http://agent:9555") {
    unread_ = states_.restore(left, last_run);
  }
  std::optional<model::AlertStatus> at(std::chrono::milliseconds time,
                                       const query::Vector& vector) {
    states_.apply(make_result(kStart + time, {vector}));
    EXPECT_TRUE(store.apply(states_.take_changes()));
    const auto alerts = states_.alerts();
    return alerts.empty() ? std::nullopt : std::optional(alerts.front());
  }
  RuleStates& states() { return states_; }
  std::size_t unread() const { return unread_; }

  model::MemoryStateStore store;

 private:
  RuleStates states_;
  std::size_t unread_ = 0;
};

TEST(RuleStates, GoesFromPendingToFiringToResolvedAndIsForgotten) {
  Driver driver(hot_rule());
  auto alert = driver.at(seconds{0}, kHot);
  ASSERT_TRUE(alert);
  EXPECT_EQ(alert->state, AlertState::kPending);
  EXPECT_EQ(alert->labels,
            (model::Labels{{"alertname", "Hot"}, {"gpu", "0"}, {"severity", "critical"}}));
  EXPECT_EQ(alert->annotations, (model::Labels{{"summary", "GPU 0 is at 90"}}));
  EXPECT_EQ(alert->generator_url, "http://agent:9555/api/v1/query?query=t%20%3E%2080");
  EXPECT_EQ(driver.at(seconds{59}, kHot)->state, AlertState::kPending);
  alert = driver.at(seconds{60}, {make_sample({{"gpu", "0"}}, 91)});
  EXPECT_EQ(alert->state, AlertState::kFiring);
  EXPECT_EQ(alert->fired_at, kStart + seconds{60});
  EXPECT_EQ(alert->active_since, kStart);
  EXPECT_EQ(model::label_value(alert->annotations, "summary"), "GPU 0 is at 91");
  EXPECT_EQ(driver.at(seconds{75}, kHot)->fired_at, kStart + seconds{60});
  alert = driver.at(seconds{90}, {});
  EXPECT_EQ(alert->state, AlertState::kResolved);
  EXPECT_EQ(alert->resolved_at, kStart + seconds{90});
  EXPECT_TRUE(driver.at(seconds{90} + minutes{15}, {}));
  EXPECT_FALSE(driver.at(seconds{91} + minutes{15}, {}));
  EXPECT_THAT(records(driver.store), IsEmpty());
}

TEST(RuleStates, WhatStopsBeforeItsTimeNeverFires) {
  Driver driver(hot_rule());
  driver.at(seconds{0}, kHot);
  EXPECT_FALSE(driver.at(seconds{45}, {}));
  EXPECT_EQ(driver.at(seconds{60}, kHot)->active_since, kStart + seconds{60});
  EXPECT_EQ(driver.at(seconds{119}, kHot)->state, AlertState::kPending);
}

TEST(RuleStates, OneWithoutAWaitFiresAtOnceAndABackIsANewOne) {
  Driver driver(hot_rule(seconds{0}));
  EXPECT_EQ(driver.at(seconds{0}, kHot)->state, AlertState::kFiring);
  EXPECT_EQ(driver.at(seconds{15}, {})->state, AlertState::kResolved);
  const auto again = driver.at(seconds{30}, kHot);
  EXPECT_EQ(again->state, AlertState::kFiring);
  EXPECT_EQ(again->active_since, kStart + seconds{30});
  EXPECT_FALSE(again->resolved_at);
}

TEST(RuleStates, KeepsFiringForAWhileWhereToldTo) {
  Rule rule = hot_rule(seconds{0});
  rule.keep_firing = minutes{1};
  Driver driver(rule);
  driver.at(seconds{0}, kHot);
  EXPECT_EQ(driver.at(seconds{15}, {})->state, AlertState::kFiring);
  EXPECT_EQ(driver.at(seconds{60}, kHot)->state, AlertState::kFiring);
  EXPECT_EQ(driver.at(seconds{75}, {})->state, AlertState::kFiring);
  EXPECT_EQ(driver.at(seconds{134}, {})->state, AlertState::kFiring);
  EXPECT_EQ(driver.at(seconds{135}, {})->state, AlertState::kResolved);
}

TEST(RuleStates, AnErrorChangesNoAlert) {
  Driver driver(hot_rule(seconds{0}));
  driver.at(seconds{0}, kHot);
  GroupResult broken = make_result(kStart + seconds{15}, {});
  broken.results.emplace_back(base::fail(base::ErrorKind::kUnavailable, "cannot read"));
  broken.durations.emplace_back(1);
  driver.states().apply(broken);
  EXPECT_EQ(driver.states().alerts().front().state, AlertState::kFiring);
  EXPECT_EQ(driver.states().run_of(0, 0).error, "cannot read");
  driver.at(seconds{30}, {make_sample({{"gpu", "0"}, {"severity", "a"}}, 1),
                          make_sample({{"gpu", "0"}, {"severity", "b"}}, 1)});
  EXPECT_THAT(driver.states().run_of(0, 0).error, testing::HasSubstr("the same labels"));
  EXPECT_EQ(driver.states().alerts().front().state, AlertState::kFiring);
}

TEST(RuleStates, ATextThatCannotBeMadeSaysSo) {
  Rule rule = hot_rule();
  rule.annotations = {{"summary", {"{{ humanize $labels.gpu }}"}}};
  Driver driver(rule);
  const auto alert = driver.at(seconds{0}, {make_sample({{"gpu", "x"}}, 1)});
  EXPECT_THAT(std::string(model::label_value(alert->annotations, "summary")),
              testing::StartsWith("<error expanding template: "));
}

// ---- restarts

TEST(RuleStates, AFiringAlertFiresOnAfterARestart) {
  Driver before(hot_rule());
  before.at(seconds{0}, kHot);
  before.at(seconds{60}, kHot);
  Driver after(hot_rule(), kStart + seconds{60}, records(before.store));
  EXPECT_THAT(after.states().alerts(), SizeIs(1));
  const auto alert = after.at(minutes{5}, kHot);
  EXPECT_EQ(alert->state, AlertState::kFiring);
  EXPECT_EQ(alert->fired_at, kStart + seconds{60});
  Driver over(hot_rule(), kStart + seconds{60}, records(before.store));
  EXPECT_EQ(over.at(minutes{5}, {})->state, AlertState::kResolved);
}

TEST(RuleStates, TimeInWhichNobodyLookedDoesNotCount) {
  Driver before(hot_rule(minutes{5}));
  for (int s = 0; s <= 120; s += 15) before.at(seconds{s}, kHot);
  Driver after(hot_rule(minutes{5}), kStart + seconds{120}, records(before.store));
  // Two minutes were spent, ten nobody looked: three are left.
  EXPECT_EQ(after.at(minutes{12}, kHot)->state, AlertState::kPending);
  EXPECT_EQ(after.at(minutes{15} - seconds{1}, kHot)->state, AlertState::kPending);
  EXPECT_EQ(after.at(minutes{15}, kHot)->state, AlertState::kFiring);
  Driver late(hot_rule(minutes{5}), kStart + seconds{120}, records(before.store));
  EXPECT_EQ(late.at(minutes{63}, kHot)->active_since, kStart + minutes{63});
  Driver gone(hot_rule(minutes{5}), kStart + seconds{120}, records(before.store));
  EXPECT_FALSE(gone.at(minutes{12}, {}));
}

TEST(RuleStates, AlertsFollowTheirRuleOrGoWithIt) {
  Driver before(hot_rule(seconds{0}));
  before.at(seconds{0}, kHot);
  const auto left = records(before.store);
  Driver changed(make_rule("Hot", "t > 85", seconds{0}), kStart, left);
  EXPECT_EQ(changed.at(seconds{15}, kHot)->fired_at, kStart);
  EXPECT_THAT(records(changed.store), SizeIs(1));
  Driver other(make_rule("Other", "t > 80", seconds{0}), kStart, left);
  EXPECT_THAT(other.states().alerts(), IsEmpty());
  EXPECT_THAT(other.states().take_changes(), SizeIs(1));
  Driver damaged(hot_rule(), kStart, {{"key", "no record"}, {"key2", ""}});
  EXPECT_EQ(damaged.unread(), 2U);
  EXPECT_THAT(damaged.states().alerts(), IsEmpty());
}

TEST(Record, WhatIsWrittenIsReadAgain) {
  KeptAlert alert{.group = "a group\nof two lines \\n",
                  .status = {.labels = {{"alertname", "A b"}, {"x", "\\ \n é"}},
                             .annotations = {{"summary", ""}},
                             .state = AlertState::kResolved,
                             .active_since = kStart,
                             .fired_at = kStart + seconds{1},
                             .resolved_at = kStart + seconds{2},
                             .value = -1.5e300,
                             .rule = "A b",
                             .expression = "a >\n b",
                             .generator_url = ""},
                  .keep_since = kStart};
  const auto read = read_alert(write_alert(alert));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, alert);
  for (const char* text :
       {"x", "x\n", "state odd\n", "label a\n", "active_since x\n", "active_since -1\n",
        "alert \\x\n", "alert \\\n", "label a b\nlabel a c\n", "state firing\nlabel a b\n"}) {
    EXPECT_FALSE(read_alert(text)) << text;
  }
}

TEST(RuleSet, TellsEveryMistakeWithItsPlace) {
  Rule rule = make_rule("A", "t >", seconds{0});
  rule.expression.line = 3;
  rule.labels = {{"1x", {"a", 4}}, {"ok", {"{{ nothing }}", 5}}};
  Rule text = make_rule("B", "\"text\"", seconds{0});
  text.expression.line = 8;
  const std::vector<RuleGroup> groups{make_group({rule, text}), make_group({})};
  const auto made = make_rule_set(groups, seconds{15});
  ASSERT_FALSE(made);
  std::vector<int> lines;
  for (const RuleMistake& mistake : made.error()) lines.push_back(mistake.line);
  EXPECT_THAT(lines, testing::ElementsAre(3, 4, 5, 8, 0));
}

}  // namespace
}  // namespace gpuscope::alert
