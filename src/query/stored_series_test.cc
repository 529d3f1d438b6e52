#include "query/stored_series.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "query/query.h"

namespace gpuscope::query {
namespace {

using model::LabelledSample;
using model::Metric;
using model::Reading;
using model::SeriesKey;
using model::SeriesSample;
using model::SeriesView;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr auto kGone = model::Absence::kGone;

base::WallTime at(std::int64_t ms) { return base::WallTime{milliseconds{ms}}; }

class FixedReader final : public model::SeriesReader {
 public:
  std::map<SeriesKey, std::vector<SeriesSample>> series;
  mutable int reads = 0;

  base::Result<std::vector<SeriesKey>> select(const model::SeriesMatch&) const override {
    return std::vector<SeriesKey>{};
  }
  base::Result<void> visit(std::span<const SeriesKey> keys, const model::Ticks& ticks,
                           const model::SampleVisitor& visit) const override {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      ++reads;
      const auto found = series.find(keys[i]);
      if (found == series.end()) continue;
      for (const SeriesSample& sample : found->second) {
        const bool inside = sample.time >= ticks.range.begin && sample.time < ticks.range.end;
        if (!inside) continue;
        if (auto done = visit(i, {&sample, 1}); !done) return done;
      }
    }
    return {};
  }
  base::Result<std::vector<model::SeriesBucket>> buckets(const SeriesKey&, const model::TimeRange&,
                                                         std::size_t) const override {
    return std::vector<model::SeriesBucket>{};
  }
  base::Result<std::vector<std::optional<double>>> window_means(
      std::span<const SeriesKey>, const model::TimeRange&) const override {
    return std::vector<std::optional<double>>{};
  }
};

SeriesView view(model::Labels labels, SeriesView::Of of, std::vector<SeriesKey> inputs,
                int decimals = 0) {
  std::ranges::sort(labels);
  SeriesView made{.labels = std::make_shared<const model::Labels>(std::move(labels)),
                  .of = of,
                  .inputs = std::move(inputs)};
  made.decimals = decimals;
  return made;
}

class StoredSeriesTest : public testing::Test {
 protected:
  StoredSeriesTest() {
    const SeriesKey power{"a", Metric::kPower, 0};
    const SeriesKey xid{"a", Metric::kXidLast, 0};
    const SeriesKey first{"a", Metric::kLinkTx, 0};
    const SeriesKey second{"a", Metric::kLinkTx, 1};
    const auto idle = SeriesKey{"a", Metric::kClockEventIdle, 0};
    const auto brake = SeriesKey{"a", Metric::kClockEventHwPowerBrake, 0};
    reader_->series[power] = {{at(1000), Reading::of(100'500)},
                              {at(2000), Reading::of(101'000)},
                              {at(3000), Reading::none(kGone)},
                              {at(4000), Reading::none(kGone)},
                              {at(5000), Reading::of(99'000)}};
    reader_->series[xid] = {
        {at(1000), Reading::of(0)}, {at(2000), Reading::of(79)}, {at(3000), Reading::of(79)}};
    reader_->series[first] = {{at(1000), Reading::of(5)}, {at(2000), Reading::of(6)}};
    reader_->series[second] = {{at(1000), Reading::of(7)}, {at(2000), Reading::none(kGone)}};
    reader_->series[idle] = {{at(1000), Reading::of(0)}, {at(2000), Reading::of(1)}};
    reader_->series[brake] = {{at(1000), Reading::of(1)}, {at(2000), Reading::of(1)}};
    std::vector<SeriesView> views;
    using Of = SeriesView::Of;
    views.push_back(view({{"__name__", "power"}}, Of::kReading, {power}, 3));
    views.push_back(view({{"__name__", "same_power"}}, Of::kReading, {power}, 3));
    views.push_back(view({{"__name__", "xid"}}, Of::kReading, {xid}));
    views.back().labels_of = [](std::int64_t code) {
      return std::make_shared<const model::Labels>(
          model::Labels{{"__name__", "xid"}, {"code", std::to_string(code)}});
    };
    views.push_back(view({{"__name__", "sum"}}, Of::kSum, {first, second}));
    views.push_back(view({{"__name__", "whole"}}, Of::kWholeSum, {first, second}));
    views.push_back(view({{"__name__", "mask"}}, Of::kClockEvents, {idle, brake}));
    views.push_back(view({{"__name__", "health"}}, Of::kHealth, {power}));
    views.push_back(view({{"__name__", "up"}}, Of::kOne, {power}));
    views.push_back(view({{"__name__", "left"}}, Of::kReading, {{"b", Metric::kPower, 0}}));
    const auto index = std::make_shared<const ViewIndex>(std::move(views));
    series_ = std::make_unique<StoredSeries>(StoredSource{
        .reader = reader_,
        .health =
            [](std::span<const std::string>, const model::Ticks&,
               const model::SampleVisitor& visit) {
              const std::array<SeriesSample, 2> samples{SeriesSample{at(1000), Reading::of(2)},
                                                        {at(2000), Reading::none(kGone)}};
              return visit(0, samples);
            },
        .views = [index] { return base::Result<std::shared_ptr<const ViewIndex>>(index); }});
  }

  // Markers as -1.
  std::vector<LabelledSample> samples(const std::string& name,
                                      model::SeriesRequest request = {
                                          .matchers = {}, .begin_ms = 0, .end_ms = 10'000}) {
    request.matchers = *Expression::parse_selector(name);
    auto answers = series_->read({&request, 1}, {});
    EXPECT_TRUE(answers);
    if (!answers || answers->front().size() != 1) return {};
    auto found = answers->front().front().samples;
    for (LabelledSample& sample : found) {
      if (model::is_stale(sample.value)) sample.value = -1;
    }
    return found;
  }

  std::shared_ptr<FixedReader> reader_ = std::make_shared<FixedReader>();
  std::unique_ptr<StoredSeries> series_;
};

TEST_F(StoredSeriesTest, EndsASeriesWhereAReadingHasNoValue) {
  EXPECT_THAT(samples("power"), ElementsAre(LabelledSample{1000, 100.5}, LabelledSample{2000, 101},
                                            LabelledSample{3000, -1}, LabelledSample{5000, 99}));
  EXPECT_THAT(samples("power", {.matchers = {}, .begin_ms = 2000, .end_ms = 2999}),
              ElementsAre(LabelledSample{2000, 101}));
  EXPECT_THAT(samples("left"), IsEmpty());
  EXPECT_THAT(samples("nothing"), IsEmpty());
}

TEST_F(StoredSeriesTest, LeavesOutWhatNoStepLooksAt) {
  // Steps at 2500 and 4500.
  EXPECT_THAT(
      samples(
          "power",
          {.matchers = {}, .begin_ms = 0, .end_ms = 4500, .step_ms = 2000, .steps_from_ms = 2500}),
      ElementsAre(LabelledSample{2000, 101}, LabelledSample{3000, -1}));
}

TEST_F(StoredSeriesTest, MakesOneOfSeveral) {
  EXPECT_THAT(samples("sum"), ElementsAre(LabelledSample{1000, 12}, LabelledSample{2000, 6}));
  EXPECT_THAT(samples("whole"), ElementsAre(LabelledSample{1000, 12}, LabelledSample{2000, -1}));
  EXPECT_THAT(samples("mask"), ElementsAre(LabelledSample{1000, 0x80}, LabelledSample{2000, 0x81}));
  EXPECT_THAT(samples("health"), ElementsAre(LabelledSample{1000, 2}, LabelledSample{2000, -1}));
  EXPECT_THAT(samples("up"), ElementsAre(LabelledSample{1000, 1}, LabelledSample{2000, 1}));
}

TEST_F(StoredSeriesTest, HasASeriesForEachValueThatIsALabel) {
  EXPECT_THAT(samples("xid{code='0'}"),
              ElementsAre(LabelledSample{1000, 0}, LabelledSample{2000, -1}));
  EXPECT_THAT(samples("xid{code!='0'}"),
              ElementsAre(LabelledSample{2000, 79}, LabelledSample{3000, 79}));
  const auto labels = series_->labels(
      {.matchers = *Expression::parse_selector("{__name__=~'x.*|up'}"), .end_ms = 9000}, 9);
  ASSERT_TRUE(labels);
  EXPECT_THAT(*labels, SizeIs(3));
}

TEST_F(StoredSeriesTest, ReadsOnceWhatSeveralNamesMean) {
  const std::vector<Expression> all{*Expression::parse("max_over_time(power[5s])"),
                                    *Expression::parse("min_over_time(same_power[5s])")};
  Querier querier(*series_, 5000);
  ASSERT_TRUE(querier.read(all));
  EXPECT_EQ(reader_->reads, 1);
  EXPECT_EQ(querier.vector(all[0])->front().value, 101);
  const model::ReadLimits few{.samples = 3};
  const model::SeriesRequest request{.matchers = *Expression::parse_selector("power"),
                                     .end_ms = 9000};
  EXPECT_FALSE(series_->read({&request, 1}, few));
}

}  // namespace
}  // namespace gpuscope::query
