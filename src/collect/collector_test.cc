#include "collect/collector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/allocation_count.h"
#include "base/fake_clock.h"
#include "collect/scripted_source.h"

namespace gpuscope::collect {
namespace {

using model::Absence;
using model::Metric;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr seconds kInterval{1};

// Keeps what it is given, or the last of it alone.
class Keeper final : public model::SampleSink {
 public:
  explicit Keeper(bool last_only = false) : last_only_(last_only) {}

  void take(std::shared_ptr<const model::Snapshot> snapshot) override {
    base::MutexLock lock(mutex_);
    if (last_only_) kept_.clear();
    kept_.push_back(std::move(snapshot));
  }
  std::vector<std::shared_ptr<const model::Snapshot>> kept() const {
    base::MutexLock lock(mutex_);
    return kept_;
  }

 private:
  const bool last_only_;
  mutable base::Mutex mutex_;
  std::vector<std::shared_ptr<const model::Snapshot>> kept_ GUARDED_BY(mutex_);
};

class CollectorTest : public testing::Test {
 protected:
  // A method is one script; "primary" is the method that the agent was started with.
  std::shared_ptr<Script> add(const std::string& method, std::size_t gpus = 1,
                              bool may_block = false) {
    return scripts_[method] = std::make_shared<Script>(gpus, may_block);
  }
  Collector& collector() {
    if (!collector_) {
      collector_ = std::make_unique<Collector>(
          clock_, Options{}, "primary",
          [this](std::string_view method) -> base::Result<std::unique_ptr<model::Source>> {
            ++made_;
            const auto script = scripts_.find(std::string(method));
            if (script == scripts_.end()) {
              return base::fail(base::ErrorKind::kInvalidArgument, "cannot read by this method");
            }
            return std::make_unique<ScriptedSource>(script->second);
          });
    }
    return *collector_;
  }
  void TearDown() override {
    for (auto& [method, script] : scripts_) script->release();
    if (collector_) stop_in_time();
    collector_.reset();
    for (const auto& entry : scripts_) {
      eventually([&entry] { return entry.second.use_count() == 1; });
    }
  }
  // stop(), with time passing as long as it takes.
  void stop_in_time() {
    std::atomic<bool> stopped = false;
    std::thread stopper([&] {
      collector_->stop();
      stopped = true;
    });
    eventually([&] {
      clock_.advance(milliseconds{100});
      return stopped.load();
    });
    stopper.join();
  }
  SourceStatus status(const std::string& method = "primary") {
    return collector().peek(method).status;
  }
  void wait_for_ticks(std::uint64_t ticks, const std::string& method = "primary") {
    eventually([&] { return status(method).ticks >= ticks; });
  }
  void run_ticks(int count) {
    for (int i = 0; i < count; ++i) {
      const auto ticks = collector().peek("primary").status.ticks;
      clock_.advance(kInterval);
      eventually([&] { return collector().peek("primary").status.ticks > ticks; });
    }
  }

  base::FakeClock clock_;
  std::map<std::string, std::shared_ptr<Script>> scripts_;
  std::atomic<int> made_ = 0;
  Keeper last_{/*last_only=*/true};
  std::unique_ptr<Collector> collector_;
};

TEST_F(CollectorTest, TicksOnTheGridOfItsInterval) {
  add("primary");
  const auto begun = clock_.wall_now();
  collector().start();
  wait_for_ticks(1);
  EXPECT_EQ(status().state, SourceState::kRunning);
  run_ticks(5);
  const View view = collector().peek("primary");
  EXPECT_EQ(view.snapshot->sequence, 6U);
  EXPECT_EQ(view.snapshot->time, begun + 5 * kInterval);
  EXPECT_EQ(view.status.missed_ticks, 0U);
  EXPECT_EQ(view.snapshot->inventory->method, "scripted");
}

// A longer pause that has begun is not waited for.
TEST_F(CollectorTest, TakesAnotherIntervalAtOnce) {
  add("primary");
  collector().start();
  wait_for_ticks(1);
  collector().change({.interval = seconds{60}});
  wait_for_ticks(2);
  const auto second = clock_.wall_now();
  EXPECT_EQ(collector().peek("primary").snapshot->time, second);
  collector().change({.interval = milliseconds{100}});
  wait_for_ticks(3);
  clock_.advance(milliseconds{100});
  wait_for_ticks(4);
  const View view = collector().peek("primary");
  EXPECT_EQ(view.snapshot->time, second + milliseconds{100});
  EXPECT_EQ(view.status.missed_ticks, 0U);
  // Methods that start later keep the same time.
  add("other");
  collector().view("other");
  eventually([&] { return collector().peek("other").status.ticks == 1; });
  clock_.advance(milliseconds{100});
  eventually([&] { return collector().peek("other").status.ticks == 2; });
}

TEST_F(CollectorTest, TicksThatWereSleptThroughAreCountedAndNotCaughtUp) {
  add("primary");
  collector().start();
  wait_for_ticks(1);
  clock_.advance(10 * kInterval + milliseconds{200});
  wait_for_ticks(2);
  EXPECT_EQ(status().missed_ticks, 9U);
  run_ticks(1);
  EXPECT_EQ(status().ticks, 3U);
  EXPECT_EQ(status().missed_ticks, 9U);
}

TEST_F(CollectorTest, ADeviceThatHangsIsTimedOutAndTheTicksGoOn) {
  const auto script = add("primary", 4, true);
  collector().start();
  wait_for_ticks(1);
  script->hang(2);
  clock_.advance(kInterval);
  eventually([&] { return script->reads(2) == 2; });
  clock_.advance(milliseconds{800});
  wait_for_ticks(2);
  const View view = collector().peek("primary");
  EXPECT_EQ(view.snapshot->devices[2].at(Metric::kTemperature).absence, Absence::kTimedOut);
  EXPECT_EQ(view.status.last_tick_duration, milliseconds{800});
  clock_.advance(milliseconds{200});
  wait_for_ticks(3);
  // One timeout a tick from now on, once the others have caught up with the clock's jump.
  eventually([&] {
    const auto timeouts = status().device_timeouts;
    run_ticks(1);
    return status().device_timeouts == timeouts + 1;
  });
  EXPECT_TRUE(collector().peek("primary").snapshot->devices[3].at(Metric::kTemperature).present());
  EXPECT_EQ(status().missed_ticks, 0U);
  EXPECT_EQ(script->reads(2), 2) << "asked again while it was busy";
  script->release();
  eventually([&] {
    run_ticks(1);
    return collector().peek("primary").snapshot->devices[2].at(Metric::kTemperature).present();
  });
}

TEST_F(CollectorTest, PicksTheDriverUpWhenItComes) {
  const auto script = add("primary");
  script->fail_open(base::Error{base::ErrorKind::kUnavailable, "cannot load the driver"});
  collector().start();
  eventually([&] { return status().state == SourceState::kFailed; });
  EXPECT_EQ(status().error.message, "cannot load the driver");
  EXPECT_EQ(collector().peek("primary").snapshot, nullptr);
  EXPECT_THAT(collector().running(), ElementsAre("primary"));
  script->fail_open(std::nullopt);
  eventually([&] {
    clock_.advance(milliseconds{100});
    return status().state == SourceState::kRunning;
  });
  EXPECT_NE(collector().peek("primary").snapshot, nullptr);
}

TEST_F(CollectorTest, TriesAgainWithGrowingPauses) {
  const auto script = add("primary");
  script->fail_open(base::Error{base::ErrorKind::kUnavailable, "cannot load the driver"});
  collector().start();
  eventually([&] { return script->opens() == 1; });
  const auto from = clock_.steady_now();
  eventually([&] {
    clock_.advance(milliseconds{50});
    return script->opens() == 8;
  });
  // 1 + 2 + 4 + 8 + 16 + 30 + 30 s, and never sooner.
  EXPECT_GE(clock_.steady_now() - from, seconds{91});
}

TEST_F(CollectorTest, ADriverThatWentAwayTakesItsDataWithItAndIsOpenedAgain) {
  const auto script = add("primary");
  collector().start();
  wait_for_ticks(1);
  run_ticks(2);
  script->fail_open(base::Error{base::ErrorKind::kUnavailable, "cannot load the driver"});
  script->lose_driver(true);
  clock_.advance(kInterval);
  eventually([&] { return status().state == SourceState::kFailed; });
  EXPECT_EQ(collector().peek("primary").snapshot, nullptr);
  EXPECT_THAT(status().error.message, HasSubstr("cannot "));
  script->fail_open(std::nullopt);
  eventually([&] {
    clock_.advance(milliseconds{100});
    return status().state == SourceState::kRunning;
  });
  // The sequence goes on: nobody takes a new snapshot for one already seen.
  EXPECT_GE(collector().peek("primary").snapshot->sequence, 4U);
  EXPECT_GE(script->opens(), 2);
}

TEST_F(CollectorTest, SinksGetEveryTickOfThePrimaryAndNoOther) {
  const auto script = add("primary");
  add("other");
  Keeper first;
  Keeper second;
  collector().add_sink(first);
  collector().add_sink(second);
  collector().start();
  collector().view("other");
  wait_for_ticks(1);
  wait_for_ticks(1, "other");
  run_ticks(20);
  // A driver that went away and came back does not end it.
  script->lose_driver(true);
  clock_.advance(kInterval);
  eventually([&] { return status().state == SourceState::kFailed; });
  eventually([&] {
    clock_.advance(milliseconds{100});
    return status().state == SourceState::kRunning;
  });
  stop_in_time();
  const auto kept = first.kept();
  ASSERT_GE(kept.size(), 22U);
  EXPECT_EQ(second.kept(), kept);
  for (std::size_t i = 0; i < kept.size(); ++i) {
    // In order, none twice, and what is held is not written over.
    EXPECT_EQ(kept[i]->sequence, i + 1);
    EXPECT_EQ(kept[i]->devices[0].at(Metric::kTemperature).value, static_cast<int>(i + 1));
  }
  EXPECT_NE(kept.front()->inventory, kept.back()->inventory);
}

TEST_F(CollectorTest, AnOpenThatHangsBlocksNeitherViewNorStop) {
  const auto script = add("primary");
  script->hang_open();
  collector().start();
  eventually([&] { return script->opens() == 1; });
  EXPECT_EQ(collector().view("primary").status.state, SourceState::kStarting);
  const auto before = clock_.steady_now();
  stop_in_time();
  EXPECT_GE(clock_.steady_now() - before, seconds{2});
}

// Without that the clock has to move: nobody waits for it.
TEST_F(CollectorTest, AnOpenThatCanBeInterruptedIs) {
  const auto script = add("primary");
  script->hang_open_until_interrupted();
  collector().start();
  eventually([&] { return script->opens() == 1; });
  collector().stop();
  EXPECT_EQ(collector().view("primary").status.ticks, 0U);
}

TEST_F(CollectorTest, AMethodStartsWhenAskedForAndStopsWhenNobodyAsks) {
  add("primary");
  add("other");
  collector().start();
  EXPECT_EQ(collector().peek("other").status.ticks, 0U);
  EXPECT_EQ(made_, 1);
  collector().view("other");
  EXPECT_EQ(made_, 2);
  eventually([&] { return collector().view("other").snapshot != nullptr; });
  EXPECT_THAT(collector().running(), ElementsAre("other", "primary"));

  // Asked for every 40 s it stays; a peek is no use.
  clock_.advance(seconds{40});
  wait_for_ticks(2, "other");
  collector().view("other");
  clock_.advance(seconds{40});
  wait_for_ticks(3, "other");
  EXPECT_EQ(made_, 2);
  clock_.advance(seconds{20});
  eventually([&] { return collector().running().size() == 1; });
  EXPECT_THAT(collector().running(), ElementsAre("primary"));
  EXPECT_EQ(collector().peek("other").snapshot, nullptr);

  // And starts anew.
  eventually([&] { return collector().view("other").snapshot != nullptr; });
  EXPECT_EQ(made_, 3);
}

TEST_F(CollectorTest, AMethodThatIsNoneFailsInWords) {
  add("primary");
  collector().start();
  const View view = collector().view("telepathy");
  EXPECT_EQ(view.status.state, SourceState::kFailed);
  EXPECT_EQ(view.status.error.kind, base::ErrorKind::kInvalidArgument);
  EXPECT_THAT(collector().running(), ElementsAre("primary"));
}

TEST_F(CollectorTest, APrimaryThatCannotBeMadeSaysWhy) {
  collector().start();
  EXPECT_EQ(collector().peek("primary").status.state, SourceState::kFailed);
  EXPECT_EQ(collector().peek("primary").status.error.message, "cannot read by this method");
  EXPECT_EQ(collector().primary(), "primary");
}

TEST_F(CollectorTest, StopReturnsWhileADeviceHangs) {
  const auto script = add("primary", 3, true);
  collector().start();
  wait_for_ticks(1);
  script->hang(1);
  clock_.advance(kInterval);
  eventually([&] { return script->reads(1) == 2; });
  stop_in_time();
  EXPECT_EQ(collector().view("primary").status.state, SourceState::kFailed);
  EXPECT_EQ(collector().view("primary").snapshot, nullptr);
  EXPECT_TRUE(collector().running().empty());
}

TEST_F(CollectorTest, StopNeedsNoTimeWhenAllIsWell) {
  add("primary", 3, true);
  add("other");
  collector().start();
  collector().view("other");
  wait_for_ticks(1);
  collector().stop();  // the clock stands still: this returns only if nobody waits for it
  collector().stop();
}

class SteadyState : public CollectorTest, public testing::WithParamInterface<bool> {};

TEST_P(SteadyState, AllocatesNothing) {
  add("primary", 8, GetParam());
  collector().add_sink(last_);
  collector().start();
  wait_for_ticks(1);
  run_ticks(20);
  const std::size_t before = base::allocation_count();
  run_ticks(50);
  EXPECT_GT(before, 0U);
  EXPECT_EQ(base::allocation_count() - before, 0U);
}

INSTANTIATE_TEST_SUITE_P(BlockingOrNot, SteadyState, testing::Bool(),
                         [](const auto& i) { return i.param ? "workers" : "inline"; });

TEST(Clamped, KeepsOptionsWithinTheirRange) {
  Options options;
  options.interval = milliseconds{1};
  EXPECT_EQ(clamped(options).interval, milliseconds{100});
  EXPECT_EQ(clamped(options).device_deadline, milliseconds{80});
  options.interval = std::chrono::hours{1};
  options.device_deadline = milliseconds{500};
  EXPECT_EQ(clamped(options).interval, milliseconds{60'000});
  EXPECT_EQ(clamped(options).device_deadline, milliseconds{500});
}

class SampleOnce : public testing::Test {
 protected:
  std::shared_ptr<Script> script_ = std::make_shared<Script>(3, true);
  base::FakeClock clock_;
};

TEST_F(SampleOnce, OpensReadsAndJudges) {
  const auto snapshot = sample_once(clock_, Options{}, std::make_unique<ScriptedSource>(script_));
  ASSERT_TRUE(snapshot) << snapshot.error().message;
  EXPECT_EQ((*snapshot)->devices.size(), 3U);
  EXPECT_EQ((*snapshot)->verdicts[2].overall, model::Health::kHealthy);
  EXPECT_EQ((*snapshot)->time, clock_.wall_now());
}

TEST_F(SampleOnce, SaysWhyItCannot) {
  script_->fail_open(base::Error{base::ErrorKind::kUnavailable, "cannot load the driver"});
  const auto snapshot = sample_once(clock_, Options{}, std::make_unique<ScriptedSource>(script_));
  ASSERT_FALSE(snapshot);
  EXPECT_EQ(snapshot.error().message, "cannot load the driver");
}

TEST_F(SampleOnce, WaitsForADeviceUntilItsDeadlineAlone) {
  script_->hang(1);
  std::thread time([&] {
    for (std::size_t i = 0; i < 3; ++i) eventually([&] { return script_->reads(i) == 1; });
    clock_.advance(Options{}.device_deadline);
  });
  const auto snapshot = sample_once(clock_, Options{}, std::make_unique<ScriptedSource>(script_));
  time.join();
  ASSERT_TRUE(snapshot);
  EXPECT_EQ((*snapshot)->devices[1].at(Metric::kTemperature).absence, Absence::kTimedOut);
  script_->release();
  eventually([&] { return script_.use_count() == 1; });
}

}  // namespace
}  // namespace gpuscope::collect
