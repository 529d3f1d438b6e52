#include "analyze/score.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace gpuscope::analyze {
namespace {

using model::GpuUsage;
using model::GpuUse;
using model::UsageMetric;
using model::UseStatus;

GpuUsage usage(std::optional<double> util, std::optional<double> copy, std::optional<double> used,
               std::optional<double> free, std::optional<double> power) {
  GpuUsage usage;
  usage.gpu = {.gpu_id = "GPU-a", .pod = "train-0", .name_space = "ml"};
  usage.means[UsageMetric::kGpuUtil] = util;
  usage.means[UsageMetric::kMemCopy] = copy;
  usage.means[UsageMetric::kMemUsed] = used;
  usage.means[UsageMetric::kMemFree] = free;
  usage.means[UsageMetric::kPower] = power;
  usage.means[UsageMetric::kSmClock] = 1980.4;
  return usage;
}

GpuUse judged(const GpuUsage& usage, const ScoreOptions& options = {}) {
  return judge(usage, options, {});
}

TEST(Judge, GivesTheRecordedScores) {
  // Means and scores of the earlier system's recorded answers.
  const GpuUse idle = judged(usage(0, 0, 620, 143151, 78));
  EXPECT_EQ(idle.score, 3.2);
  EXPECT_EQ(idle.status, UseStatus::kIdle);
  EXPECT_EQ(idle.mem_usage_percent, 0.43);
  EXPECT_EQ(idle.mem_total_mb, 143771.0);
  EXPECT_EQ(idle.sm_clock_mhz, 1980.0);
  EXPECT_EQ(judged(usage(17.1, 5.1, 9100, 23410, 95)).score, 19.0);
  EXPECT_EQ(judged(usage(17.1, 5.1, 9100, 23410, 95)).status, UseStatus::kLow);
  EXPECT_EQ(judged(usage(54.71, 29.71, 20000, 12510, 180)).score, 52.8);
  EXPECT_EQ(judged(usage(54.71, 29.71, 20000, 12510, 180)).status, UseStatus::kNormal);
  const GpuUse high = judged(usage(92.1428, 60.1428, 120000, 23771, 610));
  EXPECT_EQ(high.score, 84.8);
  EXPECT_EQ(high.gpu_util, 92.14);
  EXPECT_EQ(high.status, UseStatus::kHigh);
}

TEST(Judge, TakesAMissingSeriesForUnknownAndNotForZero) {
  const auto none = std::nullopt;
  for (const GpuUsage& each :
       {usage(none, 1, 1, 1, 1), usage(1, none, 1, 1, 1), usage(1, 1, none, 1, 1),
        usage(1, 1, 1, none, 1), usage(1, 1, 1, 1, none)}) {
    const GpuUse use = judged(each);
    EXPECT_EQ(use.score, none);
    EXPECT_EQ(use.status, UseStatus::kUnknown);
  }
  const GpuUse no_free = judged(usage(50, 1, 700, none, 1));
  EXPECT_EQ(no_free.mem_used_mb, 700);
  EXPECT_EQ(no_free.mem_total_mb, none);
  EXPECT_EQ(no_free.mem_usage_percent, none);
  GpuUsage no_clock = usage(50, 1, 1, 1, 1);
  no_clock.means[UsageMetric::kSmClock] = none;
  EXPECT_TRUE(judged(no_clock).score);
  EXPECT_EQ(judged(no_clock).sm_clock_mhz, none);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(judged(usage(nan, 1, 1, 1, 1)).score, none);
  EXPECT_EQ(judged(usage(nan, 1, 1, 1, 1)).gpu_util, none);
}

TEST(Judge, NeedsNoValueThatHasNoWeight) {
  ScoreOptions options;
  options.power_weight = 0;
  EXPECT_EQ(judged(usage(50, 50, 1, 1, std::nullopt), options).score, 45);
}

TEST(Judge, KnowsWhatIsFull) {
  EXPECT_EQ(judged(usage(0, 0, 0, 0, 0)).mem_total_mb, 32000);
  EXPECT_EQ(judged(usage(0, 0, 0, 1, 900)).score, 10) << "power counts once at most";
  ScoreOptions options;
  options.power_watts = 500;
  EXPECT_EQ(judged(usage(0, 0, 0, 1, 250), options).score, 5);
  GpuUsage limited = usage(0, 0, 0, 1, 350);
  limited.means[UsageMetric::kPowerLimit] = 700;
  EXPECT_EQ(judged(limited, options).score, 7) << "the card is asked only where that is set";
  options.power_source = PowerSource::kCard;
  EXPECT_EQ(judged(limited, options).score, 5);
  EXPECT_EQ(judged(usage(0, 0, 0, 1, 250), options).score, 5) << "without its limit, the setting";
}

TEST(Status, HasItsBordersBelow) {
  const ScoreOptions options;
  EXPECT_EQ(status_of(9.9, options), UseStatus::kIdle);
  EXPECT_EQ(status_of(10, options), UseStatus::kLow);
  EXPECT_EQ(status_of(19.9, options), UseStatus::kLow);
  EXPECT_EQ(status_of(20, options), UseStatus::kNormal);
  EXPECT_EQ(status_of(69.9, options), UseStatus::kNormal);
  EXPECT_EQ(status_of(70, options), UseStatus::kHigh);
}

TEST(Stats, LeaveOutWhatIsUnknown) {
  std::vector<GpuUse> gpus;
  for (const double util : {100.0, 0.0, 34.0}) gpus.push_back(judged(usage(util, 0, 0, 1, 0)));
  gpus.push_back(judged(usage(std::nullopt, 0, 0, 1, 0)));
  gpus.back().gpu.name_space = "dark";
  sort_by_score(gpus);
  EXPECT_EQ(gpus[0].score, 0);
  EXPECT_EQ(gpus[2].score, 50);
  EXPECT_EQ(gpus[3].status, UseStatus::kUnknown);

  const model::UseStats stats = stats_of(gpus, {});
  EXPECT_EQ(stats.total, 4);
  EXPECT_NEAR(stats.average_score.value_or(-1), 67.0 / 3, 1e-9);
  EXPECT_EQ(stats.min_score, 0);
  EXPECT_EQ(stats.max_score, 50);
  EXPECT_EQ(stats.low, 2);
  EXPECT_EQ(stats.idle, 1);
  EXPECT_THAT(stats.by_status, testing::ElementsAre(1, 1, 1, 0, 1));
  EXPECT_EQ(stats.by_namespace.at("ml").low, 2);
  EXPECT_EQ(stats.by_namespace.at("dark").count, 1);
  EXPECT_EQ(stats.by_namespace.at("dark").average_score, std::nullopt);
  EXPECT_EQ(stats_of({}, {}).average_score, std::nullopt);
}

}  // namespace
}  // namespace gpuscope::analyze
