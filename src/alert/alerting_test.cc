#include "alert/alerting.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "alert/alert_testing.h"
#include "base/fake_clock.h"
#include "model/memory_state_store.h"
#include "query/memory_series.h"

namespace gpuscope::alert {
namespace {

using base::WallTime;
using model::AlertNotification;
using model::AlertState;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// A GPU that is too hot from the second minute to the tenth, as one agent after another sees it.
class World {
 public:
  World() {
    std::vector<model::LabelledSample> samples;
    const std::int64_t start = kStart.time_since_epoch() / std::chrono::milliseconds{1};
    for (std::int64_t s = 0; s <= 1200; s += 5) {
      samples.push_back({start + s * 1000, s >= 120 && s < 600 ? 90.0 : 50.0});
    }
    series.add({{"__name__", "t"}, {"gpu", "0"}}, std::move(samples));
  }

  void restart() {
    agent.reset();
    store.fail_with(std::nullopt);
    AlertingOptions options;
    options.rules = rules;
    options.dispatch.group_wait = seconds{10};
    auto made = Alerting::make(
        clock, options,
        {.reader = series,
         .store = store,
         .deliver = [this](const AlertNotification& message) { return take(message); },
         .ready = [this] { return ready; }});
    ASSERT_TRUE(made);
    agent = std::move(*made);
  }
  // Steps through a time, second by second.
  void run_until(seconds end) {
    for (; now <= end; now += seconds{1}) step();
  }
  void step() {
    const WallTime time = kStart + now;
    clock.advance(time - clock.wall_now());
    agent->step(time);
  }

  base::FakeClock clock{kStart};
  query::MemorySeries series;
  model::MemoryStateStore store;
  std::vector<RuleGroup> rules{make_group({make_rule("Hot", "t > 80", minutes{1})})};
  std::unique_ptr<Alerting> agent;
  seconds now{0};
  bool ready = true;
  bool taking = true;
  bool dying = false;  // nothing reaches the store any more once a message was taken
  std::vector<std::string> told;

 private:
  base::Result<void> take(const AlertNotification& message) {
    if (!taking) return base::fail(base::ErrorKind::kUnavailable, "cannot take it: no mail server");
    if (taken_.insert(message.id).second) {
      const auto& alert = message.alerts.front();
      told.push_back(fmt::format("{} {}", message.receiver, model::alert_state_name(alert.state)));
    }
    if (dying)
      store.fail_with(base::Error{base::ErrorKind::kUnavailable, "cannot write: it is going down"});
    return {};
  }
  std::set<std::string> taken_;
};

TEST(Alerting, TellsOfAnAlertAndOfItsEnd) {
  World world;
  world.restart();
  world.run_until(seconds{150});
  EXPECT_THAT(world.agent->alerts(), SizeIs(1));
  EXPECT_THAT(world.agent->active(), IsEmpty());
  EXPECT_EQ(world.agent->status().pending, 1U);
  world.run_until(seconds{300});
  EXPECT_THAT(world.told, ElementsAre("critical firing"));
  EXPECT_EQ(world.agent->status().firing, 1U);
  EXPECT_THAT(world.agent->active(), SizeIs(1));
  const auto rules = world.agent->rules();
  ASSERT_THAT(rules, SizeIs(1));
  ASSERT_THAT(rules[0].rules, SizeIs(1));
  EXPECT_EQ(rules[0].rules[0].rule->name, "Hot");
  EXPECT_EQ(rules[0].rules[0].alerts.size(), 1U);
  world.run_until(seconds{1200});
  EXPECT_THAT(world.told, ElementsAre("critical firing", "critical resolved"));
  EXPECT_THAT(world.agent->alerts(), IsEmpty());
  EXPECT_THAT(world.agent->active(), SizeIs(1));  // resolved a while ago
  EXPECT_EQ(world.agent->status().messages, 2U);
  EXPECT_EQ(world.agent->status().error, "");
}

TEST(Alerting, ARestartAtAnyTimeNeitherLosesNorRepeatsAMessage) {
  // Before, pending, waiting for the group, told, over but not told, all told.
  for (const int when :
       {60, 119, 121, 140, 179, 183, 189, 191, 195, 210, 400, 599, 606, 614, 620, 640, 700}) {
    for (const int down : {0, 40}) {
      World world;
      world.restart();
      world.run_until(seconds{when});
      world.now += seconds{down};
      world.restart();
      world.run_until(seconds{1200});
      EXPECT_THAT(world.told, ElementsAre("critical firing", "critical resolved"))
          << "restarted after " << when << " s for " << down << " s";
    }
  }
}

TEST(Alerting, AnAgentThatDiesOnceAMessageIsTakenDoesNotRepeatIt) {
  for (const int until : {300, 900}) {
    World world;
    world.restart();
    if (until == 900) world.run_until(seconds{500});
    world.dying = true;
    const std::size_t before = world.told.size();
    while (world.told.size() == before) world.run_until(world.now);
    world.dying = false;
    world.restart();
    world.run_until(seconds{1200});
    EXPECT_THAT(world.told, ElementsAre("critical firing", "critical resolved"));
  }
}

TEST(Alerting, TriesAgainWhatNobodyTakes) {
  World world;
  world.taking = false;
  world.restart();
  world.run_until(seconds{300});
  EXPECT_THAT(world.told, IsEmpty());
  EXPECT_THAT(world.agent->status().error, HasSubstr("no mail server"));
  EXPECT_GT(world.agent->status().message_failures, 5U);
  world.taking = true;
  world.run_until(seconds{310});
  EXPECT_THAT(world.told, ElementsAre("critical firing"));
  EXPECT_EQ(world.agent->status().error, "");
}

TEST(Alerting, GoesOnWithoutAStoreAndSaysSo) {
  World world;
  world.restart();
  world.store.fail_with(base::Error{base::ErrorKind::kUnavailable, "cannot write: disk full"});
  world.run_until(seconds{300});
  EXPECT_THAT(world.told, ElementsAre("critical firing"));
  EXPECT_THAT(world.agent->status().error, HasSubstr("disk full"));
  world.store.fail_with(std::nullopt);
  world.run_until(seconds{320});
  EXPECT_EQ(world.agent->status().error, "");
  world.restart();
  world.run_until(seconds{1200});
  EXPECT_THAT(world.told, ElementsAre("critical firing", "critical resolved"));
}

TEST(Alerting, WaitsForTheFirstData) {
  World world;
  world.restart();
  world.run_until(seconds{300});
  world.ready = false;
  world.restart();
  world.now = seconds{700};
  world.run_until(seconds{720});
  EXPECT_EQ(world.agent->status().evaluations, 0U);
  EXPECT_THAT(world.told, ElementsAre("critical firing"));
  world.ready = true;
  world.run_until(seconds{760});
  EXPECT_THAT(world.told, ElementsAre("critical firing", "critical resolved"));
}

TEST(Alerting, ARuleThatFailsIsShownAndHoldsUpNoOther) {
  World world;
  world.rules = {
      make_group({make_rule("Twice", "t + on () group_left () {__name__=~\"t|u\"}", minutes{1}),
                  make_rule("Hot", "t > 80", minutes{1})})};
  world.series.add({{"__name__", "u"}, {"gpu", "0"}},
                   {{kStart.time_since_epoch() / std::chrono::milliseconds{1}, 1}});
  world.restart();
  world.run_until(seconds{60});
  EXPECT_THAT(world.agent->status().error, HasSubstr("cannot evaluate Twice"));
  EXPECT_GT(world.agent->status().rule_failures, 0U);
  world.run_until(seconds{300});
  EXPECT_THAT(world.told, ElementsAre("critical firing"));
}

TEST(Alerting, SilencesHoldBackFromNowOnAndOutliveARestart) {
  World world;
  world.restart();
  world.run_until(seconds{150});
  const auto id = world.agent->set_silence({.id = "",
                                            .matchers = {{"alertname", "Hot"}},
                                            .starts_at = kStart,
                                            .ends_at = kStart + minutes{9},
                                            .updated_at = {},
                                            .created_by = "me",
                                            .comment = "known"});
  ASSERT_TRUE(id) << id.error().message;
  world.run_until(seconds{160});
  world.restart();
  world.run_until(seconds{400});
  EXPECT_THAT(world.told, IsEmpty());
  EXPECT_EQ(world.agent->status().silences, 1U);
  ASSERT_TRUE(world.agent->silence(*id));
  EXPECT_TRUE(world.agent->expire_silence(*id));
  world.run_until(seconds{440});
  EXPECT_THAT(world.told, ElementsAre("critical firing"));
  EXPECT_EQ(state_of(world.agent->silences()[0], world.clock.wall_now()), SilenceState::kExpired);
}

TEST(Alerting, RefusesBrokenRules) {
  World world;
  AlertingOptions options;
  options.rules = {make_group({make_rule("A", "t >", minutes{1})})};
  const auto made =
      Alerting::make(world.clock, options,
                     {.reader = world.series, .store = world.store, .deliver = {}, .ready = {}});
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error(), SizeIs(1));
}

TEST(Alerting, ItsThreadDoesTheSameAndWritesDownWhatCameLast) {
  World world;
  world.restart();
  ASSERT_TRUE(world.agent->start());
  while (world.agent->status().evaluations < 2) world.clock.advance(seconds{1});
  ASSERT_TRUE(world.agent->set_silence({.id = "",
                                        .matchers = {{"alertname", "Hot"}},
                                        .starts_at = world.clock.wall_now(),
                                        .ends_at = world.clock.wall_now() + std::chrono::hours{1},
                                        .updated_at = {},
                                        .created_by = "me",
                                        .comment = ""}));
  world.agent->stop();
  EXPECT_THAT(world.store.list(kSilenceKind).value(), SizeIs(1));
}

}  // namespace
}  // namespace gpuscope::alert
