#include "analyze/analyzer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <thread>

#include "analyze/history_reader.h"
#include "base/fake_clock.h"
#include "base/mutex.h"

namespace gpuscope::analyze {
namespace {

using base::MutexLock;
using model::UsageMetric;
using std::chrono::seconds;
using testing::ElementsAre;

model::GpuUsage usage(const std::string& id, double util) {
  model::GpuUsage usage;
  usage.gpu = {.gpu_id = id, .pod = "p", .name_space = "n"};
  usage.means[UsageMetric::kGpuUtil] = util;
  for (const UsageMetric metric :
       {UsageMetric::kMemCopy, UsageMetric::kMemUsed, UsageMetric::kMemFree, UsageMetric::kPower}) {
    usage.means[metric] = 0;
  }
  return usage;
}

// Answers what the test says, once the test lets it.
class ScriptedReader final : public model::UsageReader {
 public:
  base::Result<model::UsageAnswer> read(const model::UsageWindow& window) override {
    MutexLock lock(mutex_);
    ++begun_;
    windows_.push_back(window);
    changed_.notify_all();
    while (allowed_ < begun_ && !cancelled_) changed_.wait(lock);
    if (cancelled_) return base::fail(base::ErrorKind::kUnavailable, "cannot go on: cancelled");
    return answer_;
  }
  base::Result<void> probe() override { return {}; }
  void cancel() override {
    const MutexLock lock(mutex_);
    cancelled_ = true;
    changed_.notify_all();
  }

  void answer(base::Result<model::UsageAnswer> answer) {
    const MutexLock lock(mutex_);
    answer_ = std::move(answer);
  }
  void allow(int runs) {
    const MutexLock lock(mutex_);
    allowed_ = runs;
    changed_.notify_all();
  }
  void wait_begun(int runs) {
    MutexLock lock(mutex_);
    while (begun_ < runs) changed_.wait(lock);
  }
  int begun() {
    const MutexLock lock(mutex_);
    return begun_;
  }
  model::UsageWindow window() {
    const MutexLock lock(mutex_);
    return windows_.back();
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  int begun_ GUARDED_BY(mutex_) = 0;
  int allowed_ GUARDED_BY(mutex_) = 0;
  bool cancelled_ GUARDED_BY(mutex_) = false;
  base::Result<model::UsageAnswer> answer_ GUARDED_BY(mutex_);
  std::vector<model::UsageWindow> windows_ GUARDED_BY(mutex_);
};

class Analysis : public testing::Test {
 protected:
  void start(Options options = {}) {
    analyzer_ = std::make_unique<Analyzer>(clock_, reader_, options, std::move(parts_));
    if (restored_) analyzer_->restore(std::move(*restored_), clock_.wall_now() - seconds(900));
    ASSERT_TRUE(analyzer_->start());
  }
  void TearDown() override {
    if (analyzer_) analyzer_->stop();
  }
  // Until so many runs have come to their end; real time passes, and nothing depends on how much.
  Status wait_runs(std::uint64_t runs) {
    for (;;) {
      const Status status = analyzer_->status();
      if (status.runs >= runs && !status.running) return status;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  static model::UsageAnswer two() {
    model::UsageAnswer answer;
    answer.gpus = {usage("GPU-b", 100), usage("GPU-a", 10)};
    answer.requests = 6;
    return answer;
  }
  std::vector<std::string> ids() {
    std::vector<std::string> found;
    const auto results = analyzer_->results();
    for (const model::GpuUse& use : results->gpus) found.push_back(use.gpu.gpu_id);
    return found;
  }

  base::FakeClock clock_;
  ScriptedReader reader_;
  Analyzer::Parts parts_;
  std::optional<std::vector<model::GpuUse>> restored_;
  std::unique_ptr<Analyzer> analyzer_;
};

TEST_F(Analysis, RunsAtOnceAndThenOnItsInterval) {
  reader_.answer(two());
  reader_.allow(2);
  start();
  const Status status = wait_runs(1);
  EXPECT_THAT(ids(), ElementsAre("GPU-a", "GPU-b"));
  EXPECT_EQ(analyzer_->results()->gpus[1].score, 50);
  EXPECT_EQ(analyzer_->results()->stats.low, 1);
  EXPECT_TRUE(status.reachable);
  EXPECT_EQ(status.requests, 6);
  EXPECT_EQ(status.durations.count, 1);
  EXPECT_EQ(reader_.window().end.time_since_epoch() % seconds(30), seconds(0));
  clock_.advance(seconds(299));
  EXPECT_EQ(reader_.begun(), 1);
  clock_.advance(seconds(1));
  wait_runs(2);
}

TEST_F(Analysis, QueuesOneMoreRunOnce) {
  reader_.answer(two());
  start();
  reader_.wait_begun(1);
  for (int i = 0; i < 5; ++i) analyzer_->trigger(std::nullopt);
  EXPECT_TRUE(analyzer_->status().running);
  EXPECT_TRUE(analyzer_->status().queued);
  reader_.allow(9);
  EXPECT_EQ(wait_runs(2).queued, false);
  clock_.advance(seconds(200));
  EXPECT_EQ(analyzer_->status().runs, 2);
}

TEST_F(Analysis, KeepsResultsOverAFailureAndClearsThemWhenThereIsNothing) {
  reader_.answer(two());
  reader_.allow(9);
  start();
  wait_runs(1);
  const auto time = analyzer_->results()->time;
  reader_.answer(base::fail(base::ErrorKind::kUnavailable, "cannot reach it"));
  clock_.advance(seconds(300));
  const Status failed = wait_runs(2);
  EXPECT_EQ(failed.failures, 1);
  EXPECT_FALSE(failed.reachable);
  EXPECT_EQ(failed.error, "cannot reach it");
  EXPECT_EQ(ids().size(), 2);
  EXPECT_EQ(analyzer_->results()->time, time);
  EXPECT_FALSE(is_overdue(*analyzer_->results(), failed.options, clock_.wall_now()));
  EXPECT_TRUE(is_overdue(*analyzer_->results(), failed.options, clock_.wall_now() + seconds(601)));
  reader_.answer(model::UsageAnswer{});
  clock_.advance(seconds(300));
  EXPECT_EQ(wait_runs(3).error, "");
  EXPECT_TRUE(ids().empty());
  EXPECT_NE(analyzer_->results()->time, time);
}

TEST_F(Analysis, TakesAThresholdAtOnce) {
  reader_.answer(two());
  reader_.allow(9);
  start();
  wait_runs(1);
  const std::uint64_t version = analyzer_->version();
  analyzer_->change({.low_below = 60, .interval = seconds(10), .use_ai = std::nullopt});
  EXPECT_EQ(analyzer_->results()->stats.low, 2);
  EXPECT_EQ(analyzer_->results()->gpus[1].status, model::UseStatus::kLow);
  EXPECT_GT(analyzer_->version(), version);
  clock_.advance(seconds(10));
  wait_runs(2);
}

TEST_F(Analysis, TakesTheScoreOfAnOpinionThatIsSure) {
  bool asked = false;
  std::size_t acted = 0;
  parts_.consult = [&](std::vector<model::UseEvidence> gpus, const model::UsageWindow& window,
                       bool use_ai) {
    EXPECT_EQ(window.length, seconds(600));
    EXPECT_EQ(gpus.size(), 2);
    EXPECT_EQ(gpus[0].score, 5);
    asked = use_ai;
    std::vector<model::SecondOpinions> opinions(2);
    opinions[0].built_in = model::Opinion{.reason = "rules"};
    opinions[0].ai.opinion = model::Opinion{.raw_score = 5, .adjusted_score = 75};
    return opinions;
  };
  parts_.act = [&](const Results& results) { acted = results.gpus.size(); };
  reader_.answer(two());
  reader_.allow(9);
  start();
  wait_runs(1);
  analyzer_->trigger(true);
  wait_runs(2);
  EXPECT_TRUE(asked);
  EXPECT_THAT(ids(), ElementsAre("GPU-b", "GPU-a"));
  const auto results = analyzer_->results();
  EXPECT_EQ(results->gpus[1].score, 75);
  EXPECT_EQ(results->gpus[1].raw_score, 5);
  EXPECT_EQ(results->gpus[1].status, model::UseStatus::kHigh);
  EXPECT_EQ(results->gpus[1].opinion->reason, "rules");
  EXPECT_EQ(results->stats.low, 0);
  analyzer_->stop();
  EXPECT_EQ(acted, 2);
}

TEST_F(Analysis, ShowsWhatWasKeptUntilItsFirstRun) {
  std::size_t kept = 0;
  parts_.keep = [&](const Results& results) -> base::Result<void> {
    kept = results.gpus.size();
    return base::fail(base::ErrorKind::kUnavailable, "cannot keep results: disk full");
  };
  model::GpuUse use;
  use.gpu.gpu_id = "GPU-old";
  use.score = 15;
  restored_.emplace().push_back(use);
  reader_.answer(two());
  start();
  reader_.wait_begun(1);
  EXPECT_THAT(ids(), ElementsAre("GPU-old"));
  EXPECT_EQ(analyzer_->results()->stats.low, 1);
  reader_.allow(9);
  while (analyzer_->status().keep_error.empty()) std::this_thread::yield();
  EXPECT_EQ(analyzer_->status().keep_error, "cannot keep results: disk full");
  EXPECT_EQ(kept, 2);
}

TEST_F(Analysis, EndsInTheMiddleOfARun) {
  start();
  reader_.wait_begun(1);
  analyzer_->stop();
  EXPECT_EQ(analyzer_->status().runs, 0);
}

// ---- an agent's own history

class FakeSeries final : public model::SeriesReader {
 public:
  std::map<model::SeriesKey, double> means;  // in the scale of the catalogue
  mutable model::TimeRange asked;
  std::size_t last_seconds = 600;  // in which there are values

  base::Result<std::vector<model::SeriesKey>> select(
      const model::SeriesMatch& match) const override {
    std::vector<model::SeriesKey> keys;
    for (const auto& [key, mean] : means) {
      if (!match.metric || key.metric == *match.metric) keys.push_back(key);
    }
    return keys;
  }
  base::Result<void> visit(std::span<const model::SeriesKey>, const model::Ticks&,
                           const model::SampleVisitor&) const override {
    return {};
  }
  base::Result<std::vector<model::SeriesBucket>> buckets(const model::SeriesKey&,
                                                         const model::TimeRange&,
                                                         std::size_t count) const override {
    std::vector<model::SeriesBucket> found(count);
    for (std::size_t i = 0; i < std::min(last_seconds, count); ++i) found[count - 1 - i].count = 1;
    return found;
  }
  base::Result<std::vector<std::optional<double>>> window_means(
      std::span<const model::SeriesKey> keys, const model::TimeRange& range) const override {
    if (range.end - range.begin < seconds(60)) {
      // The window's first step.
      return std::vector<std::optional<double>>(
          keys.size(), last_seconds < 600 ? std::nullopt : std::optional(1.0));
    }
    asked = range;
    std::vector<std::optional<double>> found;
    for (const model::SeriesKey& key : keys) {
      const auto at = means.find(key);
      found.push_back(at == means.end() ? std::nullopt : std::optional(at->second));
    }
    return found;
  }
};

TEST(HistoryReader, GivesUsageInItsUnits) {
  using model::Metric;
  constexpr double kMiB = 1'048'576;
  auto series = std::make_unique<FakeSeries>();
  series->means = {
      {{"GPU-a", Metric::kGpuUtilization}, 5050}, {{"GPU-a", Metric::kMemoryUtilization}, 2000},
      {{"GPU-a", Metric::kMemoryUsed}, 3 * kMiB}, {{"GPU-a", Metric::kMemoryTotal}, 10 * kMiB},
      {{"GPU-a", Metric::kPower}, 125'500},       {{"GPU-a", Metric::kPowerLimit}, 300'000},
      {{"GPU-b", Metric::kPower}, 1000},          {{"GPU-c", Metric::kMemoryTotal}, kMiB}};
  const FakeSeries& fake = *series;
  HistoryReader reader({.series = std::move(series), .hostname = "node-1", .models = [] {
                          return std::map<std::string, std::string>{{"GPU-a", "A"}};
                        }});
  const base::WallTime end{seconds(10'000)};
  const auto answer = reader.read({.end = end, .power_limit = true});
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->gpus.size(), 2) << "GPU-c was not there";
  const model::GpuUsage& a = answer->gpus[0];
  EXPECT_EQ(a.gpu.gpu_id, "GPU-a");
  EXPECT_EQ(a.gpu.hostname, "node-1");
  EXPECT_EQ(a.gpu.model_name, "A");
  EXPECT_EQ(a.means[UsageMetric::kGpuUtil], 50.5);
  EXPECT_EQ(a.means[UsageMetric::kMemCopy], 20);
  EXPECT_EQ(a.means[UsageMetric::kMemUsed], 3);
  EXPECT_EQ(a.means[UsageMetric::kMemFree], 7) << "the rest of the total";
  EXPECT_EQ(a.means[UsageMetric::kPower], 125.5);
  EXPECT_EQ(a.means[UsageMetric::kPowerLimit], 300);
  EXPECT_EQ(answer->gpus[1].means[UsageMetric::kGpuUtil], std::nullopt);
  EXPECT_EQ(fake.asked.begin, end - seconds(600));
  EXPECT_GT(fake.asked.end, end);
  EXPECT_EQ(a.known_for, seconds(600));
  EXPECT_EQ(answer->gpus[1].known_for, std::nullopt);
}

TEST(HistoryReader, SaysHowFarBackItKnows) {
  auto series = std::make_unique<FakeSeries>();
  series->means = {{{"GPU-a", model::Metric::kGpuUtilization}, 5050}};
  series->last_seconds = 15;
  HistoryReader reader({.series = std::move(series)});
  const auto answer = reader.read({.end = base::WallTime{seconds(10'000)}});
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->gpus.size(), 1);
  EXPECT_EQ(answer->gpus[0].known_for, seconds(15));
}

}  // namespace
}  // namespace gpuscope::analyze
