#include "collect/machine_reader.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "base/fake_clock.h"
#include "collect/scripted_source.h"

namespace gpuscope::collect {
namespace {

using model::Absence;
using model::Health;
using model::Metric;
using std::chrono::milliseconds;

constexpr milliseconds kDeadline{800};

// A reader over a script, on a clock that stands still.
class MachineReaderTest : public testing::TestWithParam<bool> {
 protected:
  void open(std::size_t gpus, bool may_block) {
    script_ = std::make_shared<Script>(gpus, may_block);
    auto source = std::make_shared<ScriptedSource>(script_);
    auto reader = MachineReader::start(clock_, source, *source->open(), &trends_);
    ASSERT_TRUE(reader) << reader.error().message;
    reader_ = std::move(*reader);
  }
  void TearDown() override {
    if (!script_) return;
    script_->release();
    reader_.reset();
    // Threads that were left behind end now; nothing of them outlives the test.
    eventually([&] { return script_.use_count() == 1; });
  }
  MachineReader::Reading read() {
    return reader_->read(++sequence_, clock_.steady_now() + kDeadline, {});
  }
  // The same with a device that hangs: time passes once it was asked. Others may be late as well
  // then; from the next read on only those that hang are.
  MachineReader::Reading read_with_hung(std::size_t device, std::int64_t calls) {
    std::thread time([&] {
      eventually([&] { return script_->reads(device) == calls; });
      clock_.advance(kDeadline);
    });
    auto reading = read();
    time.join();
    return reading;
  }
  MachineReader::Reading read_until_timeouts(std::size_t timeouts) {
    MachineReader::Reading reading;
    eventually([&] { return (reading = read()).timeouts == timeouts; });
    return reading;
  }

  base::FakeClock clock_;
  Trends trends_{{}};
  std::shared_ptr<Script> script_;
  std::unique_ptr<MachineReader> reader_;
  std::uint64_t sequence_ = 0;
};

INSTANTIATE_TEST_SUITE_P(BlockingOrNot, MachineReaderTest, testing::Bool(),
                         [](const auto& i) { return i.param ? "workers" : "inline"; });

TEST_P(MachineReaderTest, ReadsAndJudgesAllDevicesUnderOneStamp) {
  open(20, GetParam());
  const auto reading = read();
  ASSERT_EQ(reading.snapshot->devices.size(), 20U);
  ASSERT_EQ(reading.snapshot->verdicts.size(), 20U);
  EXPECT_EQ(reading.timeouts, 0U);
  EXPECT_EQ(reading.snapshot->sequence, 1U);
  EXPECT_EQ(reading.snapshot->time, clock_.wall_now());
  for (std::size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(reading.snapshot->devices[i].at(Metric::kTemperature).value, 1);
    EXPECT_EQ(reading.snapshot->verdicts[i].overall, Health::kHealthy);
  }
}

TEST_P(MachineReaderTest, FollowsDevicesFromTickToTick) {
  open(2, GetParam());
  read();
  clock_.advance(milliseconds{1000});
  const auto second = read();
  ASSERT_EQ(second.snapshot->trends.size(), 2U);
  EXPECT_TRUE(second.snapshot->trends[1].present);
  EXPECT_EQ(second.snapshot->devices[1].at(Metric::kXidErrors).value, 2);
  EXPECT_EQ(second.snapshot->devices[1].at(Metric::kXidLast).value, 2);
  // 2 % over one second.
  EXPECT_EQ(second.snapshot->devices[1].at(Metric::kBusySeconds).value, 20);
}

TEST_P(MachineReaderTest, ASourceFindsWhatItsLastReadLeft) {
  open(1, GetParam());
  read();
  const auto second = read();
  // Read in the first tick alone.
  EXPECT_EQ(second.snapshot->devices[0].at(Metric::kTemperatureMax).value, 870);
  EXPECT_EQ(second.snapshot->devices[0].at(Metric::kTemperature).value, 2);
}

TEST_P(MachineReaderTest, ASnapshotThatIsHeldNeverChanges) {
  open(1, GetParam());
  std::vector<MachineReader::Reading> held;
  for (int i = 1; i <= 12; ++i) held.push_back(read());
  for (int i = 1; i <= 12; ++i) {
    const auto& snapshot = *held[static_cast<std::size_t>(i - 1)].snapshot;
    EXPECT_EQ(snapshot.sequence, static_cast<std::uint64_t>(i));
    EXPECT_EQ(snapshot.devices[0].at(Metric::kTemperature).value, i);
  }
}

TEST_P(MachineReaderTest, SnapshotsNobodyHoldsAreUsedAgain) {
  open(1, GetParam());
  std::vector<const model::Snapshot*> seen;
  seen.reserve(10);
  for (int i = 0; i < 10; ++i) seen.push_back(read().snapshot.get());
  EXPECT_EQ(seen[0], seen[2]);
  EXPECT_NE(seen[0], seen[1]);
  EXPECT_EQ(seen[1], seen[9]);
}

TEST_P(MachineReaderTest, ALostDeviceKeepsWhatItWasAndComesBack) {
  open(2, GetParam());
  read();
  script_->lose_device(1, true);
  const auto gone = read();
  const auto& lost = gone.snapshot->devices[1];
  EXPECT_EQ(lost.at(Metric::kTemperature).absence, Absence::kGone);
  EXPECT_EQ(lost.at(Metric::kTemperatureMax).value, 870);
  EXPECT_EQ(lost.processes_absence, Absence::kGone);
  EXPECT_EQ(gone.snapshot->verdicts[1].overall, Health::kCritical);
  EXPECT_EQ(gone.snapshot->verdicts[0].overall, Health::kHealthy);
  script_->lose_device(1, false);
  const auto back = read();
  EXPECT_TRUE(back.snapshot->devices[1].at(Metric::kTemperature).present());
  EXPECT_EQ(back.snapshot->verdicts[1].overall, Health::kHealthy);
}

// Readers on other threads drop their snapshots while they are recycled: ThreadSanitizer's to
// judge.
TEST_P(MachineReaderTest, ReadersAndRecyclingDoNotRace) {
  open(2, GetParam());
  base::Mutex mutex;
  std::shared_ptr<const model::Snapshot> latest;
  bool done = false;
  std::vector<std::thread> readers;
  readers.reserve(2);
  for (int r = 0; r < 2; ++r) {
    readers.emplace_back([&] {
      for (;;) {
        std::shared_ptr<const model::Snapshot> mine;
        {
          base::MutexLock lock(mutex);
          if (done) return;
          mine = latest;
        }
        if (!mine) continue;
        EXPECT_EQ(mine->devices[0].at(Metric::kTemperature).value,
                  static_cast<std::int64_t>(mine->sequence));
        std::this_thread::yield();
      }
    });
  }
  for (int i = 0; i < 500; ++i) {
    auto reading = read();
    base::MutexLock lock(mutex);
    latest = std::move(reading.snapshot);
  }
  {
    base::MutexLock lock(mutex);
    done = true;
  }
  for (auto& reader : readers) reader.join();
}

TEST_F(MachineReaderTest, ADeviceThatHangsIsTimedOutAndKeepsWhatItWas) {
  open(2, true);
  read();
  script_->hang(0);
  const auto reading = read_with_hung(0, 2);
  EXPECT_GE(reading.timeouts, 1U);
  const auto& hung = reading.snapshot->devices[0];
  EXPECT_EQ(hung.at(Metric::kTemperature).absence, Absence::kTimedOut);
  EXPECT_EQ(hung.at(Metric::kTemperatureMax).value, 870);
  EXPECT_EQ(hung.processes_absence, Absence::kTimedOut);
  EXPECT_EQ(reading.snapshot->verdicts[0].overall, Health::kUnknown);
}

TEST_F(MachineReaderTest, ADeviceThatHangsHarmsNoOther) {
  open(64, true);
  read();
  script_->hang(7);
  read_with_hung(7, 2);
  // No time passes from here on: nobody waits for the one that hangs, and it is not asked again.
  const auto reading = read_until_timeouts(1);
  EXPECT_EQ(script_->reads(7), 2);
  for (std::size_t i = 0; i < 64; ++i) {
    if (i == 7) continue;
    EXPECT_EQ(reading.snapshot->devices[i].at(Metric::kTemperature).value, script_->reads(i)) << i;
    EXPECT_EQ(reading.snapshot->verdicts[i].overall, Health::kHealthy) << i;
  }
  EXPECT_EQ(reading.snapshot->devices[7].at(Metric::kTemperature).absence, Absence::kTimedOut);
}

// More of them at once than threads are woken for a tick: the others are read by threads that come
// later.
TEST_F(MachineReaderTest, ManyDevicesThatHangHarmNoOther) {
  open(8, true);
  read();
  for (const std::size_t device : {0U, 1U, 2U, 3U, 4U}) script_->hang(device);
  constexpr std::chrono::hours kFarAway{1};
  std::thread time([&] {
    const auto others_were_read = [&] {
      clock_.advance(std::chrono::milliseconds{1});
      return script_->reads(5) == 2 && script_->reads(6) == 2 && script_->reads(7) == 2;
    };
    const bool read = eventually(others_were_read);
    clock_.advance(kFarAway);
    EXPECT_TRUE(read);
  });
  const auto reading = reader_->read(++sequence_, clock_.steady_now() + kFarAway, {});
  time.join();
  for (std::size_t i = 5; i < 8; ++i) {
    EXPECT_EQ(reading.snapshot->devices[i].at(Metric::kTemperature).value, 2) << i;
  }
}

TEST_F(MachineReaderTest, ABusyDeviceIsAskedAgainOnceItAnswered) {
  open(2, true);
  read();
  script_->hang(0);
  read_with_hung(0, 2);
  script_->release();
  // Its late answer counts for nothing; the next one does.
  const auto back = read_until_timeouts(0);
  EXPECT_EQ(script_->reads(0), 3);
  EXPECT_EQ(back.snapshot->devices[0].at(Metric::kTemperature).value, 3);
  EXPECT_EQ(back.snapshot->devices[0].at(Metric::kTemperatureMax).value, 870);
  EXPECT_EQ(back.snapshot->verdicts[0].overall, Health::kHealthy);
}

// The source tells of an event once: an answer that is dropped must not take it along.
TEST_F(MachineReaderTest, WhatHappenedWhileADeviceHungIsToldOnce) {
  open(2, true);
  read();
  script_->hang(0);
  const auto hung = read_with_hung(0, 2);
  EXPECT_TRUE(hung.snapshot->devices[0].events.empty()) << "told twice";
  script_->release();
  const auto back = read_until_timeouts(0);
  const auto& events = back.snapshot->devices[0].events;
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].code, 2U);
  EXPECT_EQ(events[1].code, 3U);
  EXPECT_EQ(read().snapshot->devices[0].events.size(), 1U);
}

TEST_F(MachineReaderTest, ADeviceThatHangsFromTheStartHasNothingToKeep) {
  open(2, true);
  script_->hang(0);
  const auto reading = read_with_hung(0, 1);
  EXPECT_EQ(reading.snapshot->devices[0].at(Metric::kTemperatureMax).absence, Absence::kTimedOut);
}

TEST_F(MachineReaderTest, EndsWhileADeviceHangs) {
  open(3, true);
  script_->hang(1);
  read_with_hung(1, 1);
  reader_.reset();  // returns: the deadline has passed
  EXPECT_GT(script_.use_count(), 1) << "the thread that was left behind owns what it touches";
}

TEST_F(MachineReaderTest, StopsWaitingWhenAsked) {
  open(2, true);
  script_->hang(1);
  std::stop_source stop;
  std::thread stopper([&] {
    eventually([&] { return script_->reads(1) == 1; });
    stop.request_stop();
  });
  reader_->read(1, clock_.steady_now() + kDeadline, stop.get_token());
  stopper.join();
  clock_.advance(kDeadline);  // so that the end does not wait for the device either
}

TEST_F(MachineReaderTest, AMachineWithoutGpusIsASnapshotWithoutDevices) {
  open(0, true);
  const auto reading = read();
  EXPECT_TRUE(reading.snapshot->devices.empty());
  EXPECT_EQ(reading.timeouts, 0U);
}

}  // namespace
}  // namespace gpuscope::collect
