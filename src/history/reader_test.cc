#include "history/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "history/history_testing.h"

namespace gpuscope::history {
namespace {

using model::Metric;
using model::Reading;
using model::SeriesKey;
using model::SeriesSample;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

class ReaderTest : public StoreFixture {};

TEST_F(ReaderTest, FindsPeaksInBuckets) {
  append_ticks(kHour - seconds{1000}, 3000);
  const HistoryReader reader(options_.path, live_);
  const SeriesKey key{"GPU-0", Metric::kGpuUtilization};
  const model::TimeRange range{kHour - seconds{1500}, kHour + seconds{2500}};
  const Metric metric = [] {
    for (const auto& row : model::metrics(model::Entity::kGpu)) {
      if (static_cast<int>(row.id) % 5 == 1 && row.cadence == model::Cadence::kTick) return row.id;
    }
    return Metric::kPower;
  }();
  const auto buckets = reader.buckets({"GPU-0", metric}, range, 40);
  ASSERT_TRUE(buckets) << buckets.error().message;
  for (int i = 0; i < 40; ++i) {
    Stat stat;
    for (int j = 0; j < 100; ++j) {
      const int tick = i * 100 + j - 500;
      if (tick < 0 || tick >= 3000) continue;
      stat.add(test_reading(0, metric, kHour - seconds{1000} + seconds{tick}).value);
    }
    const auto& bucket = (*buckets)[static_cast<std::size_t>(i)];
    ASSERT_EQ(bucket.count, stat.count) << i;
    if (stat.count == 0) continue;
    EXPECT_EQ(bucket.min, stat.min);
    EXPECT_EQ(bucket.max, stat.max);
    EXPECT_EQ(bucket.last, stat.last);
    EXPECT_EQ(std::llround(bucket.mean), stat.mean());
  }
  const auto reversed = reader.buckets(key, {range.end, range.begin}, 40);
  ASSERT_FALSE(reversed);
  EXPECT_EQ(reversed.error().kind, base::ErrorKind::kInvalidArgument);
  EXPECT_FALSE(reader.buckets(key, range, 0));
  const auto nobody = reader.samples({"GPU-9", metric}, range);
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().kind, base::ErrorKind::kNotFound);
}

TEST_F(ReaderTest, AnswersLongRangesFromRollupsAndWhatIsNotRolledUpYet) {
  append_ticks(kHour, 4 * 1440, seconds{60});  // four days
  const HistoryReader reader(options_.path, live_);
  const Metric metric = Metric::kMemoryUtilization;
  for (const std::size_t count : {50U, 1000U}) {
    const auto buckets =
        reader.buckets({"GPU-0", metric}, {kHour, kHour + seconds{4 * 86'400}}, count);
    ASSERT_TRUE(buckets) << buckets.error().message;
    Stat all;
    Stat expected;
    for (const auto& bucket : *buckets) {
      if (bucket.count == 0) continue;
      all.add(bucket.min);
      all.add(bucket.max);
    }
    for (int i = 0; i < 4 * 1440; ++i) {
      const Reading reading = test_reading(0, metric, kHour + seconds{60 * i});
      if (reading.present()) expected.add(reading.value);
    }
    ASSERT_GT(all.count, 0U);
    EXPECT_EQ(all.min, expected.min);
    EXPECT_EQ(all.max, expected.max);
  }
}

TEST_F(ReaderTest, NamesItsSeries) {
  append_ticks(kHour - seconds{3}, 6);
  ASSERT_TRUE(store().commit());
  for (const auto& live : {live_, std::shared_ptr<LiveBlock>{}}) {
    const HistoryReader reader(options_.path, live);
    const auto some = reader.select({.gpu = "GPU-1", .metric = Metric::kSmClockMax});
    ASSERT_TRUE(some) << some.error().message;
    EXPECT_THAT(*some, ElementsAre(SeriesKey{"GPU-1", Metric::kSmClockMax, 0}));
    const auto all = reader.select({});
    ASSERT_TRUE(all);
    EXPECT_GT(all->size(), 100U);
  }
}

}  // namespace
}  // namespace gpuscope::history
