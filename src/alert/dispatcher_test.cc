#include "alert/dispatcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "alert/alert_testing.h"
#include "model/memory_state_store.h"

namespace gpuscope::alert {
namespace {

using base::WallTime;
using model::AlertNotification;
using model::AlertState;
using model::AlertStatus;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

AlertStatus make_alert(const std::string& name, const std::string& gpu, const std::string& severity,
                       const std::string& model = "H100") {
  AlertStatus alert;
  alert.labels = {{"alertname", name},
                  {"gpu_name", model},
                  {"gpu_uuid", "GPU-" + gpu},
                  {"instance", "n:1"},
                  {"severity", severity}};
  alert.state = AlertState::kFiring;
  alert.active_since = kStart - minutes{5};
  alert.fired_at = kStart;
  alert.rule = name;
  return alert;
}

AlertStatus resolved(AlertStatus alert, WallTime when) {
  alert.state = AlertState::kResolved;
  alert.resolved_at = when;
  return alert;
}

// "firing/resolved" of each message that is due, which are taken.
class Told {
 public:
  std::vector<std::string> at(std::chrono::milliseconds time,
                              const std::vector<AlertStatus>& alerts) {
    std::vector<std::string> told;
    messages = dispatcher.due(kStart + time, alerts, silences);
    for (const AlertNotification& message : messages) {
      const auto firing =
          std::ranges::count(message.alerts, AlertState::kFiring, &AlertStatus::state);
      told.push_back(message.receiver + " " + std::to_string(firing) + "/" +
                     std::to_string(message.alerts.size() - static_cast<std::size_t>(firing)));
      if (taking) dispatcher.told(message);
    }
    EXPECT_TRUE(store.apply(dispatcher.take_changes()));
    return told;
  }
  void restart() {
    dispatcher = Dispatcher({});
    EXPECT_EQ(dispatcher.restore(store.list(kGroupKind).value()), 0U);
  }

  model::MemoryStateStore store;
  Silences silences;
  Dispatcher dispatcher{DispatchOptions{}};
  std::vector<AlertNotification> messages;
  bool taking = true;
};

TEST(Dispatcher, WaitsForOthersThenTellsOnceThenOfTheEnd) {
  Told told;
  const AlertStatus a = make_alert("Hot", "0", "critical");
  const AlertStatus b = make_alert("Hot", "1", "critical");
  EXPECT_THAT(told.at(seconds{0}, {a}), IsEmpty());
  EXPECT_EQ(told.dispatcher.next(), kStart + seconds{10});
  EXPECT_THAT(told.at(seconds{9}, {a, b}), IsEmpty());
  EXPECT_THAT(told.at(seconds{10}, {a, b}), ElementsAre("critical 2/0"));
  const AlertNotification first = told.messages.front();
  EXPECT_EQ(first.group_labels, (model::Labels{{"alertname", "Hot"}, {"gpu_name", "H100"}}));
  EXPECT_EQ(first.time, kStart + seconds{10});
  EXPECT_TRUE(first.firing());
  EXPECT_THAT(told.at(seconds{40}, {a, b}), IsEmpty());
  EXPECT_THAT(told.at(seconds{70}, {a, resolved(b, kStart + seconds{60})}),
              ElementsAre("critical 1/1"));
  EXPECT_EQ(told.messages.front().group_key, first.group_key);
  EXPECT_NE(told.messages.front().id, first.id);
  EXPECT_THAT(told.at(seconds{100}, {a, resolved(b, kStart + seconds{60})}), IsEmpty());
  EXPECT_THAT(told.at(seconds{130}, {resolved(a, kStart + seconds{120})}),
              ElementsAre("critical 0/1"));
  EXPECT_FALSE(told.messages.front().firing());
  EXPECT_THAT(told.at(seconds{160}, {resolved(a, kStart + seconds{120})}), IsEmpty());
  EXPECT_FALSE(told.dispatcher.next());
  EXPECT_THAT(told.store.list(kGroupKind).value(), IsEmpty());
}

TEST(Dispatcher, GroupsByAlertModelAndSeverity) {
  Told told;
  std::vector<AlertStatus> alerts{
      make_alert("Hot", "0", "critical"), make_alert("Hot", "1", "critical", "A100"),
      make_alert("Down", "2", "emergency"), make_alert("Odd", "3", "odd")};
  AlertStatus pending = make_alert("Slow", "4", "info");
  pending.state = AlertState::kPending;
  alerts.push_back(pending);
  EXPECT_THAT(told.at(seconds{5}, alerts), ElementsAre("emergency 1/0"));
  EXPECT_THAT(told.at(seconds{10}, alerts),
              testing::UnorderedElementsAre("critical 1/0", "critical 1/0", "warning 1/0"));
}

TEST(Dispatcher, OneThatCameBackWithinTheIntervalIsNoNews) {
  Told told;
  const AlertStatus a = make_alert("Hot", "0", "critical");
  told.at(seconds{10}, {a});
  told.at(seconds{20}, {resolved(a, kStart + seconds{20})});
  EXPECT_THAT(told.at(seconds{40}, {a}), IsEmpty());
  // One that resolved before anybody was told of it is no news either.
  const AlertStatus b = make_alert("Hot", "1", "critical");
  EXPECT_THAT(told.at(seconds{70}, {a, resolved(b, kStart + seconds{65})}), IsEmpty());
}

TEST(Dispatcher, RepeatsWhatLasts) {
  Told told;
  const AlertStatus a = make_alert("Hot", "0", "critical");
  told.at(seconds{10}, {a});
  const std::string first = told.messages.front().id;
  int messages = 0;
  for (int s = 40; s <= 4 * 3600 + 10; s += 30)
    messages += static_cast<int>(told.at(seconds{s}, {a}).size());
  EXPECT_EQ(messages, 1);
  EXPECT_NE(told.messages.front().id, first);
}

TEST(Dispatcher, TellsAgainWhatNobodyCouldTake) {
  Told told;
  told.taking = false;
  const AlertStatus a = make_alert("Hot", "0", "critical");
  ASSERT_THAT(told.at(seconds{10}, {a}), SizeIs(1));
  const std::string id = told.messages.front().id;
  told.dispatcher.put_off(told.messages.front(), kStart + seconds{15});
  EXPECT_EQ(told.dispatcher.next(), kStart + seconds{15});
  told.taking = true;
  ASSERT_THAT(told.at(seconds{15}, {a}), SizeIs(1));
  EXPECT_EQ(told.messages.front().id, id);
}

TEST(Dispatcher, ASilenceHoldsBackAndItsEndTells) {
  Told told;
  Silence silence{.id = "",
                  .matchers = {{"alertname", "Hot"}},
                  .starts_at = kStart,
                  .ends_at = kStart + minutes{2},
                  .updated_at = {},
                  .created_by = "me",
                  .comment = ""};
  ASSERT_TRUE(told.silences.set(silence, kStart));
  const AlertStatus a = make_alert("Hot", "0", "critical");
  EXPECT_THAT(told.at(seconds{10}, {a}), IsEmpty());
  EXPECT_THAT(told.at(seconds{100}, {a}), IsEmpty());
  EXPECT_THAT(told.at(seconds{130}, {a}), ElementsAre("critical 1/0"));
  // What ends in silence ends silently.
  silence.ends_at = kStart + minutes{10};
  ASSERT_TRUE(told.silences.set(silence, kStart + seconds{140}));
  EXPECT_THAT(told.at(seconds{160}, {resolved(a, kStart + seconds{150})}), IsEmpty());
  EXPECT_THAT(told.at(minutes{11}, {resolved(a, kStart + seconds{150})}), IsEmpty());
}

TEST(Dispatcher, WhoSaysMoreSilencesWhoSaysLess) {
  struct Case {
    const char* source;
    const char* target;
    const char* target_gpu;
    bool inhibits;
  };
  for (const Case& each : {Case{"GPUDown", "GPUHighTemperature", "0", true},
                           {"GPUDown", "GPUHighTemperature", "1", false},
                           {"GPUDown", "GPUXidCritical", "0", false},
                           {"GPUDown", "GPUMissing", "9", true},
                           {"GPUVeryHighTemperature", "GPUHighTemperature", "0", true},
                           {"GPUHighTemperature", "GPUHighPowerConsumption", "0", false}}) {
    const AlertStatus source = make_alert(each.source, "0", "emergency");
    const AlertStatus target = make_alert(each.target, each.target_gpu, "critical");
    Told told;
    const auto messages = told.at(seconds{10}, {source, target});
    EXPECT_EQ(messages.size(), each.inhibits ? 1U : 2U) << each.source << " and " << each.target;
    // When the source ends, the target is told of.
    if (each.inhibits) {
      const auto next = told.at(seconds{40}, {resolved(source, kStart + seconds{30}), target});
      EXPECT_EQ(next.size(), 2U);
    }
  }
}

TEST(Dispatcher, InhibitsAsAlertmanagerIsToldTo) {
  std::ifstream file(GPUSCOPE_SOURCE_DIR "/deploy/alertmanager/alertmanager.yml");
  const std::string settings{std::istreambuf_iterator<char>(file), {}};
  const auto matchers = [](std::string_view selector) {
    std::string list(selector.substr(1, selector.size() - 2));
    for (std::size_t at = 0; (at = list.find(',', at)) != std::string::npos; at += 2) {
      list.replace(at, 1, ", ");
    }
    return "[" + list + "]";
  };
  for (const Inhibition& rule : inhibitions()) {
    std::string equal;
    for (const std::string_view name : rule.equal) {
      equal.append(equal.empty() ? "" : ", ").append(name);
    }
    EXPECT_THAT(settings, HasSubstr("  - source_matchers: " + matchers(rule.source) +
                                    "\n    target_matchers: " + matchers(rule.target) +
                                    "\n    equal: [" + equal + "]\n"));
  }
  std::size_t count = 0;
  for (std::size_t at = 0; (at = settings.find("source_matchers", at)) != std::string::npos; ++at) {
    ++count;
  }
  EXPECT_EQ(count, inhibitions().size());
}

TEST(Dispatcher, ARestartNeitherLosesNorRepeats) {
  const AlertStatus a = make_alert("Hot", "0", "critical");
  // While it waits for others.
  Told told;
  told.at(seconds{0}, {a});
  told.restart();
  EXPECT_THAT(told.at(seconds{12}, {a}), ElementsAre("critical 1/0"));
  const std::string id = told.messages.front().id;
  // Once everybody was told.
  told.restart();
  EXPECT_THAT(told.at(seconds{20}, {a}), IsEmpty());
  EXPECT_THAT(told.at(seconds{60}, {a}), IsEmpty());
  // Over while it was down; and the rule is no more.
  Told other;
  other.at(seconds{10}, {a});
  other.restart();
  EXPECT_THAT(other.at(minutes{3}, {}), ElementsAre("critical 0/1"));
  EXPECT_EQ(other.messages.front().alerts[0].resolved_at, kStart + minutes{3});
  other.restart();
  EXPECT_THAT(other.at(minutes{4}, {}), IsEmpty());
  // Taken, but not known to be taken: the same message, by its id.
  Told lost;
  lost.taking = false;
  lost.at(seconds{10}, {a});
  EXPECT_EQ(lost.messages.front().id, id);
  lost.restart();
  lost.at(seconds{25}, {a});
  EXPECT_EQ(lost.messages.front().id, id);
}

TEST(Dispatcher, PassesOverWhatItCannotRead) {
  Dispatcher dispatcher({});
  const std::vector<model::StateRecord> records{
      {"a", "x"}, {"b", "receiver info\nmessages x\n"}, {"c", ""}};
  EXPECT_EQ(dispatcher.restore(records), 3U);
  EXPECT_FALSE(dispatcher.next());
}

}  // namespace
}  // namespace gpuscope::alert
