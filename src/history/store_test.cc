#include "history/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "history/history_testing.h"
#include "history/reader.h"

namespace gpuscope::history {
namespace {

using model::Metric;
using model::Reading;
using model::SeriesKey;
using model::SeriesSample;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class StoreTest : public StoreFixture {};

TEST_F(StoreTest, GivesBackEveryTickFromTheOpenBlockTheTailAndChunks) {
  append_ticks(kHour - seconds{100}, 203);  // 100 in a block that is closed, 103 in the open one
  const SeriesKey key{"GPU-1", Metric::kPower};
  for (const auto& live : {live_, std::shared_ptr<LiveBlock>{}}) {
    const auto found = samples(key, live);
    // What is not committed is with the writer alone.
    ASSERT_EQ(found.size(), live ? 203U : 201U);
    for (std::size_t i = 0; i < found.size(); ++i) {
      const base::WallTime time = kHour - seconds{100} + seconds{static_cast<int>(i)};
      EXPECT_EQ(found[i].time, time);
      EXPECT_EQ(found[i].reading.absence, test_reading(1, Metric::kPower, time).absence);
      if (found[i].reading.present()) {
        EXPECT_EQ(found[i].reading.value, test_reading(1, Metric::kPower, time).value);
      }
    }
    EXPECT_EQ(samples(key, live, {kHour - seconds{5}, kHour + seconds{5}}).size(), 10U);
    EXPECT_TRUE(samples(key, live, {kHour, kHour}).empty());
    EXPECT_TRUE(samples(key, live, {base::WallTime{}, kTestStart - seconds{9'999}}).empty());
  }
  EXPECT_EQ(query("SELECT count(*) FROM block"), "1");
}

TEST_F(StoreTest, GoesOnWhereItStopped) {
  append_ticks(kHour, 41);
  ASSERT_TRUE(store().commit());
  close();
  append_ticks(kHour + seconds{60}, 40);
  ASSERT_TRUE(store().commit());
  EXPECT_EQ(samples({"GPU-0", Metric::kSmClock}, live_).size(), 81U);
  EXPECT_EQ(query("SELECT count(*) FROM block"), "0");
  ASSERT_TRUE(store().close_block());
  EXPECT_EQ(query("SELECT ticks FROM block"), "81");
  EXPECT_EQ(query("SELECT count(*) FROM tail"), "0");
  EXPECT_EQ(query("SELECT gpu, ticks FROM rollup_minute ORDER BY gpu, time"),
            "1|41\n1|40\n2|41\n2|40");
}

TEST_F(StoreTest, RollsUpMinutesAndHoursExactly) {
  append_ticks(kHour, 3601);
  ASSERT_TRUE(store().commit());
  std::map<std::int64_t, Stat> minutes;
  Stat hour;
  for (int i = 0; i < 3600; ++i) {
    const Reading reading = test_reading(0, Metric::kTemperature, kHour + seconds{i});
    if (!reading.present()) continue;
    minutes[i / 60].add(reading.value);
    hour.add(reading.value);
  }
  ASSERT_GT(hour.count, 0U);
  std::string expected;
  for (const auto& [minute, stat] : minutes) {
    expected += (expected.empty() ? "" : "\n") + std::to_string(stat.min) + "|" +
                std::to_string(stat.mean()) + "|" + std::to_string(stat.max);
  }
  const std::string columns =
      "temperature_celsius_min, temperature_celsius_mean, temperature_celsius_max";
  EXPECT_EQ(query("SELECT " + columns +
                  " FROM rollup_minute WHERE gpu=1 AND temperature_celsius_min"
                  " IS NOT NULL ORDER BY time"),
            expected);
  EXPECT_EQ(query("SELECT ticks, " + columns + " FROM rollup_hour WHERE gpu=1"),
            "3600|" + std::to_string(hour.min) + "|" + std::to_string(hour.mean()) + "|" +
                std::to_string(hour.max));
}

TEST_F(StoreTest, ReadsWithNothingButTheShell) {
  append_ticks(kHour, 130);
  ASSERT_TRUE(store().commit());
  EXPECT_EQ(query("SELECT uuid, name, serial FROM gpu_info ORDER BY uuid"),
            "GPU-0|Card \"0\"|NULL\nGPU-1|Card \"1\"|NULL");
  EXPECT_EQ(query("SELECT group_concat(name) FROM pragma_table_info('GPU-1')"),
            "timestamp,power_watts,temperature_celsius,gpu_clock_mhz,memory_clock_mhz,"
            "gpu_utilization_percent,memory_utilization_percent,memory_used_mib,memory_total_mib,"
            "memory_usage_percent,fan_speed,health_status,health_status_numeric");
  EXPECT_EQ(query("SELECT timestamp, health_status, health_status_numeric FROM \"GPU-1\""),
            "2026-05-28T21:00:00.000000+00:00|healthy|0\n"
            "2026-05-28T21:01:00.000000+00:00|healthy|0");
  EXPECT_EQ(
      query(
          "SELECT round(gpu_clock_mhz_mean) IS NULL, ticks FROM minutes WHERE uuid='GPU-0' LIMIT 1")
          .substr(1),
      "|60");
}

TEST_F(StoreTest, TakesClocksThatStep) {
  append_ticks(kHour, 50);
  EXPECT_EQ(append(*test_tick(inventory_, kHour + seconds{49})), Taken::kDuplicate);
  append_ticks(kHour - seconds{20}, 10);         // back
  append_ticks(kHour + seconds{86'400 * 3}, 5);  // forward
  ASSERT_TRUE(store().commit());
  const auto found = samples({"GPU-0", Metric::kSmClock}, live_);
  ASSERT_EQ(found.size(), 65U);
  EXPECT_TRUE(std::ranges::is_sorted(found, {}, &SeriesSample::time));
}

TEST_F(StoreTest, KeepsAGpuThatWasSwapped) {
  append_ticks(kHour, 10);
  inventory_ = test_inventory(3);
  inventory_->gpus.erase(inventory_->gpus.begin());
  append_ticks(kHour + seconds{10}, 10);
  ASSERT_TRUE(store().commit());
  EXPECT_EQ(samples({"GPU-0", Metric::kSmClock}, live_).size(), 10U);
  EXPECT_EQ(samples({"GPU-1", Metric::kSmClock}, live_).size(), 20U);
  EXPECT_EQ(samples({"GPU-2", Metric::kSmClock}, nullptr).size(), 10U);
  EXPECT_EQ(query("SELECT count(*) FROM \"GPU-2\""), "0");  // its minute is not over
}

TEST_F(StoreTest, LetsGoOfWhatIsOldOrTooMuch) {
  options_.keep_ticks = std::chrono::hours{3};
  options_.keep_rollups = std::chrono::hours{5};
  append_ticks(kHour, 600, seconds{60});
  EXPECT_EQ(query("SELECT count(*) BETWEEN 3 AND 4 FROM block"), "1");
  EXPECT_EQ(query("SELECT count(*) BETWEEN 2*5*60 AND 2*6*60 FROM rollup_minute"), "1");
  close();
  options_.keep_ticks = options_.keep_rollups = std::chrono::hours{24 * 365};
  options_.max_bytes = 300'000;
  append_ticks(kHour + std::chrono::hours{24}, 900, seconds{60});
  ASSERT_TRUE(store().commit());
  const auto bytes = store().bytes();
  ASSERT_TRUE(bytes);
  EXPECT_LT(*bytes, 700'000U);
}

// What the first version lacked is taken away again.
TEST_F(StoreTest, BringsAFileOfTheFirstVersionForward) {
  append_ticks(kHour - seconds{70}, 100);
  ASSERT_TRUE(store().commit());
  const SeriesKey key{"GPU-1", Metric::kSmClock};
  const auto before = samples(key, live_);
  const std::string names =
      "SELECT group_concat(name) FROM (SELECT name FROM sqlite_master ORDER BY name)";
  const std::string there = query(names);
  close();
  run("ALTER TABLE gpu DROP COLUMN gpu_index; ALTER TABLE gpu DROP COLUMN host;"
      "DROP TABLE mig_instance; DROP TABLE state; DROP INDEX block_times; PRAGMA user_version=1");

  // Whoever only reads makes do with what there is.
  EXPECT_EQ(samples(key, nullptr), before);
  const auto gpus = HistoryReader(options_.path, nullptr).gpus();
  ASSERT_TRUE(gpus) << gpus.error().message;
  ASSERT_EQ(gpus->size(), 2U);
  EXPECT_EQ((*gpus)[1].info.name(), "Card \"1\"");
  EXPECT_FALSE((*gpus)[1].index);

  options_.host = "node-7";
  append_ticks(kHour + seconds{30}, 10);
  ASSERT_TRUE(store().commit());
  EXPECT_EQ(query("PRAGMA user_version"), "2");
  EXPECT_EQ(samples(key, live_).size(), before.size() + 10);
  EXPECT_EQ(query("SELECT uuid, gpu_index, host FROM gpu ORDER BY id"),
            "GPU-0|0|node-7\nGPU-1|1|node-7");
  EXPECT_EQ(query("SELECT count(*) FROM mig_instance"), "0");
  EXPECT_EQ(query(names), there);
}

TEST_F(StoreTest, KeepsWhatMigInstancesAreCalled) {
  auto tick = test_tick(inventory_, kHour);
  model::MigInstance& mig = tick->devices[1].mig_instances.emplace_back();
  mig.gpu_instance_id = 2;
  mig.compute_instance_id = 1;
  mig.profile = "1g.10gb";
  EXPECT_EQ(append(*tick), Taken::kYes);
  ASSERT_TRUE(store().commit());
  const auto gpus = HistoryReader(options_.path, live_).gpus();
  ASSERT_TRUE(gpus) << gpus.error().message;
  EXPECT_TRUE((*gpus)[0].mig_profiles.empty());
  EXPECT_THAT((*gpus)[1].mig_profiles, ElementsAre(std::pair{(2U << 16) + 1, "1g.10gb"}));
  close();
  // A card that is lost still has been what it was.
  const auto lost = test_tick(inventory_, kHour + seconds{60});
  const std::string limits = "SELECT minor, plimit FROM gpu WHERE uuid='GPU-1'";
  const std::string known = query(limits);
  EXPECT_THAT(known, Not(HasSubstr("NULL")));
  for (auto& reading : lost->devices[1].gpu) reading = Reading::none(model::Absence::kGone);
  EXPECT_EQ(append(*lost), Taken::kYes);
  ASSERT_TRUE(store().commit());
  EXPECT_EQ(query(limits), known);
}

// One that fills a file with GPUs pays no more for them than one does: nothing is kept of those
// that are gone, and a view is for the first of them alone.
TEST_F(StoreTest, TakesMoreGpusThanHaveViews) {
  inventory_ = test_inventory(1200);
  append_ticks(kHour, 1);
  ASSERT_TRUE(store().commit());
  EXPECT_EQ(query("SELECT count(*) FROM sqlite_master WHERE name LIKE 'GPU-%'"), "1000");
  inventory_ = test_inventory(1201);
  inventory_->gpus.erase(inventory_->gpus.begin(), inventory_->gpus.end() - 2);
  append_ticks(kHour + seconds{1}, 61);
  ASSERT_TRUE(store().commit());
  EXPECT_EQ(query("SELECT count(*) FROM sqlite_master WHERE name LIKE 'GPU-%'"), "1000");
  EXPECT_EQ(query("SELECT count(*) FROM gpu"), "1201");
  EXPECT_EQ(query("SELECT count(*) FROM csv_minutes JOIN gpu ON gpu.id = csv_minutes.gpu"
                  " WHERE uuid = 'GPU-1200'"),
            "1");
  EXPECT_EQ(samples({"GPU-1200", Metric::kSmClock}, live_).size(), 61U);
  EXPECT_EQ(samples({"GPU-5", Metric::kSmClock}, live_).size(), 1U);
}

TEST_F(StoreTest, AFullBlockEndsWithItsMinute) {
  options_.full_block_bytes = 10'000;
  append_ticks(kHour + seconds{10}, 51);
  ASSERT_TRUE(store().commit());
  EXPECT_EQ(query("SELECT count(*), sum(ticks) FROM block"), "1|50");
  EXPECT_EQ(query("SELECT count(*), sum(ticks) FROM rollup_minute WHERE gpu=1"), "1|50");
  // Unless it grows and grows.
  options_.full_block_bytes = 10;
  close();
  append_ticks(kHour + seconds{61}, 10);
  EXPECT_EQ(query("SELECT count(*) > 5 FROM block"), "1");
}

TEST_F(StoreTest, RefusesWhatIsNotOurs) {
  const auto message = [&] {
    const auto opened = Store::open(options_, live_);
    EXPECT_FALSE(opened);
    return opened ? "" : opened.error().message;
  };
  run("CREATE TABLE theirs(x)");
  EXPECT_THAT(message(),
              HasSubstr("it is the database of another program; name another directory"));
  std::filesystem::remove(options_.path);
  append_ticks(kHour, 1);
  ASSERT_TRUE(store().commit());
  const auto second = Store::open(options_, live_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, base::ErrorKind::kAlreadyExists);
  close();
  run("PRAGMA user_version=99");
  EXPECT_THAT(message(), HasSubstr("a newer gpuscope wrote it (schema 99, this one knows 2)"));
  std::filesystem::remove(options_.path);
  std::filesystem::remove(options_.path + "-wal");
  {
    std::FILE* file = std::fopen(options_.path.c_str(), "w");
    std::fputs(std::string(5000, 'x').c_str(), file);
    std::fclose(file);
  }
  EXPECT_THAT(message(), HasSubstr("move the file away"));
  options_.path = folder_ / "none/gpuscope.db";
  EXPECT_THAT(message(), HasSubstr("cannot open the history"));
}

}  // namespace
}  // namespace gpuscope::history
