#include "advise/history_evidence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "advise/statistics.h"

namespace gpuscope::advise {
namespace {

using model::Metric;
using model::UseEvidence;
using std::chrono::minutes;
using std::chrono::seconds;
using Values = std::vector<std::optional<double>>;

TEST(Summarize, SaysHowASeriesMoved) {
  const auto summary = summarize(Values{2, 4, std::nullopt, 4, 4, 5, 5, 7, 9});
  ASSERT_TRUE(summary && summary->spread);
  EXPECT_DOUBLE_EQ(summary->mean, 5);
  EXPECT_DOUBLE_EQ(summary->spread->standard_deviation, 2);
  EXPECT_EQ(summary->spread->minimum, 2);
  EXPECT_EQ(summary->spread->maximum, 9);
  EXPECT_DOUBLE_EQ(summary->spread->change_percent.value(), 350);
  // Nothing is so many percent more than nothing.
  EXPECT_EQ(summarize(Values{0, 50})->spread->change_percent, std::nullopt);
  EXPECT_DOUBLE_EQ(summarize(Values{50, 20})->spread->change_percent.value(), 60);
  EXPECT_FALSE(summarize(Values{}));
  EXPECT_FALSE(summarize(Values{std::nullopt, std::numeric_limits<double>::quiet_NaN()}));
}

TEST(DetailOf, CountsBusyAndIdleTime) {
  const auto detail = detail_of(Values{0, 90, 4.9, 5, std::nullopt, 0, 1, 2, 3, 4}, seconds{30});
  EXPECT_DOUBLE_EQ(detail.coverage, 0.9);
  EXPECT_DOUBLE_EQ(detail.busy_share, 2.0 / 9);
  EXPECT_EQ(detail.trailing_idle, minutes{3});
  const auto never = detail_of(Values{0, 0}, seconds{30});
  EXPECT_EQ(never.trailing_idle, minutes{1});
  EXPECT_EQ(never.busy_share, 0);
  EXPECT_EQ(detail_of(Values{}, seconds{30}).coverage, 0);
}

// Two GPUs' series, as buckets of a minute.
class FakeSeries final : public model::SeriesReader {
 public:
  base::Result<std::vector<model::SeriesKey>> select(const model::SeriesMatch&) const override {
    return std::vector<model::SeriesKey>{};
  }
  base::Result<void> visit(std::span<const model::SeriesKey>, const model::Ticks&,
                           const model::SampleVisitor&) const override {
    return {};
  }
  base::Result<std::vector<model::SeriesBucket>> buckets(const model::SeriesKey& key,
                                                         const model::TimeRange& range,
                                                         std::size_t count) const override {
    EXPECT_EQ(range.end - range.begin, minutes{4});
    if (broken) return base::fail(base::ErrorKind::kUnavailable, "cannot read: broken");
    if (key.gpu != "GPU-1") return base::fail(base::ErrorKind::kNotFound, "no such GPU");
    std::vector<model::SeriesBucket> all(count);
    const auto found = values.find(key.metric);
    for (std::size_t i = 0; found != values.end() && i < count; ++i) {
      if (const auto& value = found->second[i]) all[i] = {.count = 60, .mean = *value};
    }
    return all;
  }
  base::Result<std::vector<std::optional<double>>> window_means(
      std::span<const model::SeriesKey> keys, const model::TimeRange&) const override {
    std::vector<std::optional<double>> means;
    for (const model::SeriesKey& key : keys) {
      const bool known = key.gpu == "GPU-1" && key.metric == Metric::kSmActivity;
      means.push_back(known ? std::optional(25.0 * scale(Metric::kSmActivity)) : std::nullopt);
    }
    return means;
  }
  static double scale(Metric metric) {
    double power = 1;
    for (int i = 0; i < model::info(metric).decimals; ++i) power *= 10;
    return power;
  }

  std::map<Metric, Values> values;
  bool broken = false;
};

TEST(HistoryEvidence, AddsWhatSamplesSay) {
  auto series = std::make_unique<FakeSeries>();
  FakeSeries& fake = *series;
  const double percent = FakeSeries::scale(Metric::kGpuUtilization);
  fake.values[Metric::kGpuUtilization] = {80 * percent, 100 * percent, std::nullopt, 0.0};
  fake.values[Metric::kMemoryUsed] = {1048576.0, 1048576.0, 3145728.0, 3145728.0};
  HistoryEvidence reader(std::move(series));
  std::vector<UseEvidence> gpus(2);
  gpus[0].gpu.gpu_id = "GPU-1";
  gpus[0].utilization = {.mean = 61};
  gpus[0].memory_used_mb = {.mean = 2};
  gpus[1].gpu.gpu_id = "GPU-2";
  gpus[1].utilization = {.mean = 5};
  const model::UsageWindow window{
      .end = base::WallTime{std::chrono::hours{500'000}}, .length = minutes{4}, .step = minutes{1}};
  ASSERT_TRUE(reader.add_detail(gpus, window));
  ASSERT_TRUE(gpus[0].utilization->spread);
  EXPECT_EQ(gpus[0].utilization->mean, 61);
  EXPECT_EQ(gpus[0].utilization->spread->minimum, 0);
  EXPECT_EQ(gpus[0].utilization->spread->maximum, 100);
  EXPECT_DOUBLE_EQ(gpus[0].utilization->spread->change_percent.value(), 100);
  EXPECT_DOUBLE_EQ(gpus[0].memory_used_mb->spread->change_percent.value(), 200);
  EXPECT_FALSE(gpus[0].power_watts);
  ASSERT_TRUE(gpus[0].detail);
  EXPECT_DOUBLE_EQ(gpus[0].detail->coverage, 0.75);
  EXPECT_EQ(gpus[0].detail->trailing_idle, minutes{2});
  EXPECT_DOUBLE_EQ(gpus[0].sm_active_percent.value(), 25);
  EXPECT_FALSE(gpus[1].utilization->spread);
  EXPECT_FALSE(gpus[1].detail);
  fake.broken = true;
  EXPECT_FALSE(reader.add_detail(gpus, window));
  fake.broken = false;
  reader.cancel();
  EXPECT_FALSE(reader.add_detail(gpus, window));
}

}  // namespace
}  // namespace gpuscope::advise
