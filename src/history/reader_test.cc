#include "history/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
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
  options_.keep_ticks = std::chrono::hours{24};  // the older ones are gone
  append_ticks(kHour, 4 * 1440, seconds{60});    // four days
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

// A machine with a fan, two links and a MIG instance, each with one metric that moves.
std::shared_ptr<model::Snapshot> tick_with_parts(const std::shared_ptr<model::Inventory>& inventory,
                                                 base::WallTime time, int second) {
  auto tick = test_tick(inventory, time);
  model::DeviceSample& device = tick->devices[0];
  device.fans.resize(1);
  device.fans[0][model::column(Metric::kFanRpm)] = Reading::of(1000 + second);
  device.links.resize(2);
  device.links[1][model::column(Metric::kLinkTx)] = Reading::of(std::int64_t{1'000'000} * second);
  device.mig_instances.resize(1);
  device.mig_instances[0].gpu_instance_id = 3;
  device.mig_instances[0].row[model::column(Metric::kMigMemoryUsed)] =
      Reading::of(std::int64_t{7} * second);
  return tick;
}

TEST_F(ReaderTest, KeepsFansLinksAndMigInstancesAndRollsThemUp) {
  for (int i = 0; i < 130; ++i) {
    ASSERT_EQ(append(*tick_with_parts(inventory_, kHour + seconds{i}, i)), Taken::kYes);
    if (store().is_due()) {
      ASSERT_TRUE(store().commit());
    }
  }
  ASSERT_TRUE(store().commit());
  const SeriesKey keys[] = {{"GPU-0", Metric::kFanRpm, 0},
                            {"GPU-0", Metric::kLinkTx, 1},
                            {"GPU-0", Metric::kMigMemoryUsed, 3 << 16}};
  const HistoryReader reader(options_.path, nullptr);
  const auto all = reader.select({});
  ASSERT_TRUE(all);
  for (const SeriesKey& key : keys) {
    EXPECT_TRUE(std::ranges::find(*all, key) != all->end());
    EXPECT_EQ(samples(key, live_).size(), 130U);
    EXPECT_EQ(samples(key, nullptr).back().reading.present(), true);
  }
  EXPECT_EQ(query("SELECT instance, ticks, fan_rpm_min, fan_rpm_mean, fan_rpm_max"
                  " FROM fan_minutes ORDER BY timestamp"),
            "0|60|1000|1030|1059\n0|60|1060|1090|1119");
  EXPECT_EQ(query("SELECT instance, link_tx_bytes_last FROM link_minutes ORDER BY timestamp"),
            "1|59000000\n1|119000000");
  EXPECT_EQ(query("SELECT instance, mig_memory_used_bytes_max FROM mig_minutes"),
            "196608|413\n196608|833");
  // Two days and more come from rollups.
  const auto buckets =
      reader.buckets(keys[1], {kHour - seconds{86'400 * 2}, kHour + seconds{86'400}}, 3);
  ASSERT_TRUE(buckets);
  EXPECT_EQ(buckets->back().count, 130U);
  EXPECT_EQ(buckets->back().max, 129'000'000);
  EXPECT_EQ(buckets->front().count, 0U);
}

TEST_F(ReaderTest, SeesAnotherProcessesTicksAsTheyAreCommitted) {
  const SeriesKey key{"GPU-0", Metric::kSmClock};
  append_ticks(kHour - seconds{40}, 9);
  const HistoryReader reader(options_.path, nullptr);
  std::size_t most = 0;
  for (int round = 0; round < 10; ++round) {  // over the end of the hour
    append_ticks(kHour - seconds{31} + round * seconds{8}, 8);
    ASSERT_TRUE(store().commit());
    const auto found = reader.samples(key, kAlways);
    ASSERT_TRUE(found);
    ASSERT_EQ(found->size(), 17U + 8 * static_cast<std::size_t>(round));
    EXPECT_TRUE(std::ranges::is_sorted(*found, {}, &SeriesSample::time));
    most = found->size();
  }
  EXPECT_EQ(query("SELECT count(*) FROM block"), "1");
  close();
  ASSERT_TRUE(store().close_block());
  const auto found = reader.samples(key, kAlways);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->size(), most);
}

TEST_F(ReaderTest, LosesOfADamagedChunkItsOwnSpanAlone) {
  append_ticks(kHour, 300);
  ASSERT_TRUE(store().close_block());
  append_ticks(kHour + seconds{300}, 300);
  ASSERT_TRUE(store().close_block());
  append_ticks(kHour + seconds{600}, 10);
  ASSERT_TRUE(store().commit());
  close();
  const auto size =
      static_cast<std::size_t>(std::stoul(query("SELECT length(data) FROM chunk WHERE id=65537")));
  std::size_t damaged = 0;
  for (std::size_t at = 0; at < size; at += size / 7 + 1) {
    run("CREATE TEMP TABLE was AS SELECT data FROM chunk WHERE id=65537;"
        "UPDATE chunk SET data = CAST(substr(data, 1, " +
        std::to_string(at) + ") || x'A5' || substr(data, " + std::to_string(at + 2) +
        ") AS BLOB) WHERE id=65537; CREATE TABLE keep AS SELECT data FROM was");
    const HistoryReader reader(options_.path, nullptr);
    for (const Metric metric : {Metric::kMemoryUtilization, Metric::kEnergy, Metric::kSmClock}) {
      const auto found = reader.samples({"GPU-0", metric}, kAlways);
      ASSERT_TRUE(found) << found.error().message;
      ASSERT_EQ(found->size(), 610U);
      const bool lost = (*found)[0].reading.absence == model::Absence::kFailed &&
                        (*found)[299].reading.absence == model::Absence::kFailed &&
                        !same((*found)[0].reading, test_reading(0, metric, (*found)[0].time));
      damaged += lost ? 1 : 0;
      for (std::size_t i = lost ? 300 : 0; i < 610; ++i) {
        ASSERT_TRUE(same((*found)[i].reading, test_reading(0, metric, (*found)[i].time)))
            << "byte " << at << ", tick " << i;
      }
    }
    run("UPDATE chunk SET data = (SELECT data FROM keep) WHERE id=65537; DROP TABLE keep");
  }
  EXPECT_GT(damaged, 0U);
  EXPECT_EQ(samples({"GPU-0", Metric::kEnergy}, nullptr)[0].reading,
            test_reading(0, Metric::kEnergy, kHour));
}

TEST_F(ReaderTest, SaysWhatItHolds) {
  inventory_->simulated = true;
  auto tick = test_tick(inventory_, kHour - seconds{1});
  tick->devices[1].at(Metric::kPowerLimit) = Reading::of(350'500);
  ASSERT_EQ(append(*tick), Taken::kYes);
  append_ticks(kHour, 100);
  append_ticks(kHour + seconds{200}, 3700);
  ASSERT_TRUE(store().commit());
  for (const auto& live : {live_, std::shared_ptr<LiveBlock>{}}) {
    const HistoryReader reader(options_.path, live);
    const auto gpus = reader.gpus();
    ASSERT_TRUE(gpus) << gpus.error().message;
    ASSERT_EQ(gpus->size(), 2U);
    EXPECT_EQ((*gpus)[1].uuid, "GPU-1");
    EXPECT_TRUE((*gpus)[1].simulated);
    EXPECT_EQ((*gpus)[1].info.name(), "Card \"1\"");
    EXPECT_FALSE((*gpus)[1].info.fact(model::Fact::kSerial).present());
    const auto info = reader.info(seconds{10}, 5);
    ASSERT_TRUE(info) << info.error().message;
    EXPECT_EQ(info->ticks, 3801U);
    EXPECT_EQ(info->blocks, 2U);
    EXPECT_EQ(info->first, kHour - seconds{1});
    EXPECT_EQ(info->last, kHour + seconds{3899});
    EXPECT_EQ(info->first_minute, kHour - seconds{60});
    ASSERT_EQ(info->gaps.size(), 1U);
    EXPECT_EQ(info->gaps[0].begin, kHour + seconds{99});
    EXPECT_EQ(info->gaps[0].end, kHour + seconds{200});
    EXPECT_GT(info->samples, 3801U * 50);
    EXPECT_GT(info->payload_bytes, 1000U);
    const auto health = reader.health_samples("GPU-0", {kHour, kHour + seconds{3}});
    ASSERT_TRUE(health);
    ASSERT_EQ(health->size(), 3U);
    EXPECT_EQ((*health)[0].reading, Reading::of(0));
    const auto judged = reader.health_buckets("GPU-0", {kHour, kHour + seconds{100}}, 2);
    ASSERT_TRUE(judged);
    EXPECT_EQ((*judged)[1].count, 50U);
  }
}

TEST_F(ReaderTest, GivesSpaceBack) {
  append_ticks(kHour, 3700);
  ASSERT_TRUE(store().commit());
  const auto pages = [&] { return std::stoul(query("PRAGMA page_count")); };
  const auto rows = samples({"GPU-0", Metric::kSmClock}, live_).size();
  run("CREATE TABLE padding AS SELECT zeroblob(3000000) AS data; DROP TABLE padding");
  const auto full = pages();
  int asked = 0;
  EXPECT_FALSE(vacuum(options_.path, [&] { return ++asked > 1; }));
  EXPECT_GT(asked, 1);
  // Beside whoever writes, and then alone.
  ASSERT_TRUE(vacuum(options_.path, {}));
  const auto less = pages();
  EXPECT_LT(less + 500, full);
  append_ticks(kHour + seconds{3700}, 10);
  ASSERT_TRUE(store().commit());
  EXPECT_EQ(samples({"GPU-0", Metric::kSmClock}, live_).size(), rows + 10);
  close();
  run("DELETE FROM chunk");
  EXPECT_FALSE(vacuum(options_.path, [] { return true; }));
  EXPECT_GE(pages(), less);
  ASSERT_TRUE(vacuum(options_.path, {}));
  EXPECT_LT(pages(), less);
  EXPECT_EQ(query("PRAGMA integrity_check"), "ok");
  EXPECT_FALSE(vacuum(folder_ / "none.db", {}));
}

TEST_F(ReaderTest, ReadsWhatTheLastRunLeftUntilTheStoreHasTakenItUp) {
  append_ticks(kHour, 20);
  ASSERT_TRUE(store().commit());
  close();
  const SeriesKey key{"GPU-1", Metric::kSmClock};
  const HistoryReader reader(options_.path, live_);
  EXPECT_EQ(reader.samples(key, kAlways)->size(), 20U);
  append_ticks(kHour + seconds{20}, 3);
  EXPECT_EQ(reader.samples(key, kAlways)->size(), 23U);
}

TEST_F(ReaderTest, EndsAQueryThatNobodyWaitsForAnyMore) {
  append_ticks(kHour, 60 * 30, seconds{60});
  ASSERT_TRUE(store().commit());
  bool stop = false;
  const HistoryReader reader(options_.path, nullptr, [&] { return stop; });
  ASSERT_TRUE(reader.info(seconds{60}, 5));
  stop = true;
  const auto info = reader.info(seconds{60}, 5);
  ASSERT_FALSE(info);
  EXPECT_EQ(info.error().kind, base::ErrorKind::kUnavailable);
  stop = false;
  EXPECT_TRUE(reader.info(seconds{60}, 5));
}

}  // namespace
}  // namespace gpuscope::history
