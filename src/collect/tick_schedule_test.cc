#include "collect/tick_schedule.h"

#include <gtest/gtest.h>

namespace gpuscope::collect {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const base::SteadyTime kStart{seconds{1000}};

TEST(TickSchedule, StaysOnTheGridWhateverATickCosts) {
  TickSchedule schedule(kStart, seconds{1});
  for (int n = 0; n < 1000; ++n) {
    EXPECT_EQ(schedule.next(), kStart + seconds{n});
    EXPECT_EQ(schedule.begin(kStart + seconds{n} + milliseconds{3}), 0U);
    EXPECT_EQ(schedule.end(kStart + seconds{n} + milliseconds{700}), 0U);
  }
}

TEST(TickSchedule, ATickThatTakesTooLongMissesOthersAndIsNotCaughtUp) {
  TickSchedule schedule(kStart, seconds{1});
  EXPECT_EQ(schedule.begin(kStart), 0U);
  EXPECT_EQ(schedule.end(kStart + milliseconds{2300}), 2U);
  EXPECT_EQ(schedule.next(), kStart + seconds{3});
}

TEST(TickSchedule, ATickThatEndsOnTheNextOneMissesNothing) {
  TickSchedule schedule(kStart, seconds{1});
  schedule.begin(kStart);
  EXPECT_EQ(schedule.end(kStart + seconds{1}), 0U);
  EXPECT_EQ(schedule.next(), kStart + seconds{1});
}

TEST(TickSchedule, SleepingThroughTicksGivesOneAndCountsTheOthers) {
  TickSchedule schedule(kStart, seconds{1});
  schedule.begin(kStart);
  schedule.end(kStart);
  EXPECT_EQ(schedule.begin(kStart + milliseconds{5200}), 4U);
  EXPECT_EQ(schedule.end(kStart + milliseconds{5210}), 0U);
  EXPECT_EQ(schedule.next(), kStart + seconds{6});
}

}  // namespace
}  // namespace gpuscope::collect
