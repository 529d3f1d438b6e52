#include "analyze/analyzer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "analyze/score.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/thread.h"

namespace gpuscope::analyze {
namespace {

using base::LogLevel;
using base::MutexLock;
using std::chrono::microseconds;

std::shared_ptr<const Results> judged_again(const Results& results, const ScoreOptions& options) {
  auto next = std::make_shared<Results>(results);
  next->judged_by = options;
  for (model::GpuUse& use : next->gpus) use.status = status_of(use.score, options);
  next->stats = stats_of(next->gpus, options);
  return next;
}

std::optional<model::SeriesSummary> summary(std::optional<double> mean) {
  if (!mean) return std::nullopt;
  return model::SeriesSummary{.mean = *mean};
}

model::UseEvidence evidence(const model::GpuUse& use, const model::UsageWindow& window,
                            const ScoreOptions& options) {
  return {.gpu = use.gpu,
          .window = window.length,
          .known_for = use.known_for,
          .score = use.raw_score.value_or(0),
          .idle_below = options.idle_below,
          .low_below = options.low_below,
          .high_from = ScoreOptions::kHighFrom,
          .utilization = summary(use.gpu_util),
          .memory_copy = summary(use.mem_copy),
          .memory_used_mb = summary(use.mem_used_mb),
          .power_watts = summary(use.power_watts),
          .memory_total_mb = use.mem_total_mb,
          .power_limit_watts = use.power_limit_watts,
          .sm_clock_mhz = use.sm_clock_mhz};
}

// A run's times are whole steps, so that two runs close to each other see the same samples.
base::WallTime aligned(base::WallTime time, std::chrono::seconds step) {
  return base::WallTime(time.time_since_epoch() / step * step);
}

}  // namespace

void Durations::add(microseconds duration) {
  const double seconds = std::chrono::duration<double>(duration).count();
  for (std::size_t i = 0; i < kBounds.size(); ++i) up_to[i] += seconds <= kBounds[i] ? 1U : 0U;
  ++count;
  sum_seconds += seconds;
}

bool is_overdue(const Results& results, const Options& options, base::WallTime now) {
  constexpr int kIntervals = 3;
  return results.time && now - *results.time > kIntervals * options.interval;
}

class Analyzer::Impl {
 public:
  Impl(base::Clock& clock, model::UsageReader& reader, const Options& options, Parts parts)
      : clock_(clock), reader_(reader), parts_(std::move(parts)) {
    status_.options = options;
    status_.reachable = options.live;  // a part of this process, until a reading fails
    auto none = std::make_shared<Results>();
    none->judged_by = options.score;
    results_ = std::move(none);
  }

  void restore(std::vector<model::GpuUse> gpus, base::WallTime time) {
    const MutexLock lock(mutex_);
    Results restored;
    restored.gpus = std::move(gpus);
    restored.time = time;
    sort_by_score(restored.gpus);
    publish(judged_again(restored, status_.options.score));
  }

  base::Result<void> start() {
    return base::start_thread(thread_, "analysis", [this] { work(); });
  }

  void stop() {
    {
      const MutexLock lock(mutex_);
      stopping_ = true;
      wake_.notify_all();
    }
    reader_.cancel();
    if (parts_.cancel) parts_.cancel();
    if (thread_.joinable()) thread_.join();
  }

  void trigger(std::optional<bool> use_ai) {
    const MutexLock lock(mutex_);
    asked_ = use_ai.value_or(status_.options.use_ai);
    status_.queued = true;
    wake_.notify_all();
  }

  void change(const Change& change) {
    const MutexLock lock(mutex_);
    Options& options = status_.options;
    if (change.interval) options.interval = *change.interval;
    if (change.use_ai) options.use_ai = *change.use_ai;
    if (change.low_below && options.score.low_below != *change.low_below) {
      options.score.low_below = *change.low_below;
      publish(judged_again(*results_, options.score));
    }
    ++version_;
    wake_.notify_all();
  }

  std::shared_ptr<const Results> results() const {
    const MutexLock lock(mutex_);
    return results_;
  }
  Status status() const {
    const MutexLock lock(mutex_);
    return status_;
  }
  std::uint64_t version() const {
    const MutexLock lock(mutex_);
    return version_;
  }

 private:
  void publish(std::shared_ptr<const Results> results) REQUIRES(mutex_) {
    results_ = std::move(results);
    ++version_;
  }

  void work() {
    std::optional<base::SteadyTime> begun;
    while (const auto use_ai = wait_for_run(begun)) {
      begun = clock_.steady_now();
      run(*use_ai);
    }
  }

  // Until the next run is due: whether it is to ask a model. None: it is over.
  std::optional<bool> wait_for_run(std::optional<base::SteadyTime> begun) {
    base::SteadyTime probe = clock_.steady_now() + kProbeInterval;
    for (;;) {
      {
        MutexLock lock(mutex_);
        for (;;) {
          if (stopping_) return std::nullopt;
          const base::SteadyTime now = clock_.steady_now();
          const Options& options = status_.options;
          const auto pause = options.live && results_->gpus.empty()
                                 ? std::min<std::chrono::seconds>(options.interval, kProbeInterval)
                                 : options.interval;
          const bool due = !begun || now >= *begun + pause;
          if (due || status_.queued) {
            const bool use_ai = status_.queued ? asked_ : options.use_ai;
            status_.queued = false;
            status_.running = true;
            return use_ai;
          }
          if (now >= probe) break;
          clock_.wait_until(wake_, lock, std::min(probe, *begun + pause));
        }
      }
      const bool reachable = reader_.probe().has_value();
      probe = clock_.steady_now() + kProbeInterval;
      const MutexLock lock(mutex_);
      status_.reachable = reachable;
    }
  }

  void run(bool use_ai) {
    const Options options = status().options;
    const base::SteadyTime begin = clock_.steady_now();
    const base::WallTime time = clock_.wall_now();
    const model::UsageWindow window{
        .end = options.live ? time : aligned(time, options.step),
        .length = options.window,
        .step = options.step,
        .power_limit = options.score.power_source == PowerSource::kCard};
    auto answer = reader_.read(window);
    std::shared_ptr<Results> found;
    if (answer) {
      found = judge_all(*answer, options, time);
      consult(*found, window, options, use_ai);
    }
    {
      const MutexLock lock(mutex_);
      if (stopping_) return;
      ++status_.runs;
      status_.durations.add(std::chrono::duration_cast<microseconds>(clock_.steady_now() - begin));
      status_.running = false;
      status_.reachable = answer.has_value();
      ++version_;
      if (answer) {
        status_.error.clear();
        status_.requests = answer->requests;
        status_.bytes = answer->bytes;
        // The threshold may have changed meanwhile.
        const ScoreOptions& now = status_.options.score;
        publish(now.low_below == options.score.low_below ? found : judged_again(*found, now));
      } else {
        status_.error = answer.error().message;
        ++status_.failures;
      }
    }
    tell(answer, options);
    if (!answer) return;
    keep(*found);
    if (!parts_.act) return;
    parts_.act(*results());
    const MutexLock lock(mutex_);
    ++version_;
  }

  static std::shared_ptr<Results> judge_all(model::UsageAnswer& answer, const Options& options,
                                            base::WallTime time) {
    auto found = std::make_shared<Results>();
    found->judged_by = options.score;
    found->time = time;
    found->warnings = answer.warnings;
    found->partial = answer.partial;
    found->gpus.reserve(answer.gpus.size());
    for (model::GpuUsage& usage : answer.gpus) {
      found->gpus.push_back(judge(std::move(usage), options.score, time));
    }
    answer.gpus = {};
    sort_by_score(found->gpus);
    found->stats = stats_of(found->gpus, options.score);
    return found;
  }

  void consult(Results& found, const model::UsageWindow& window, const Options& options,
               bool use_ai) const {
    if (!parts_.consult) return;
    // Those without a score come last: there is nothing to be said of them.
    const auto scored = static_cast<std::size_t>(std::ranges::count_if(
        found.gpus, [](const model::GpuUse& use) { return use.score.has_value(); }));
    const std::span gpus = std::span(found.gpus).first(std::min(scored, kMaxConsulted));
    std::vector<model::UseEvidence> all;
    all.reserve(gpus.size());
    for (const model::GpuUse& use : gpus) all.push_back(evidence(use, window, options.score));
    std::vector<model::SecondOpinions> opinions = parts_.consult(std::move(all), window, use_ai);
    bool adjusted = false;
    for (std::size_t i = 0; i < std::min(opinions.size(), gpus.size()); ++i) {
      model::GpuUse& use = gpus[i];
      if (auto& built_in = opinions[i].built_in) {
        use.opinion = std::make_shared<const model::Opinion>(std::move(*built_in));
      }
      auto& ai = opinions[i].ai.opinion;
      if (!ai) continue;
      if (ai->adjusted_score) {
        use.score = ai->adjusted_score;
        use.status = status_of(use.score, options.score);
        adjusted = true;
      }
      use.ai_analysis = std::make_shared<const model::Opinion>(std::move(*ai));
    }
    if (!adjusted) return;
    sort_by_score(found.gpus);
    found.stats = stats_of(found.gpus, options.score);
  }

  void keep(const Results& found) {
    if (!parts_.keep) return;
    const auto kept = parts_.keep(found);
    const MutexLock lock(mutex_);
    const std::string error = kept ? "" : kept.error().message;
    if (!error.empty() && error != status_.keep_error) base::log(LogLevel::kError, error);
    status_.keep_error = error;
  }

  void tell(const base::Result<model::UsageAnswer>& answer, const Options& options) {
    if (!answer) {
      const std::optional<base::WallTime> last = results()->time;
      base::log(LogLevel::kError,
                fmt::format("cannot analyse: {}; {}", answer.error().message,
                            last ? "keeps the results of " + base::format_utc(*last)
                                 : "there are no results yet"));
      return;
    }
    const auto now = results();
    base::log(LogLevel::kInfo,
              fmt::format("analysed {} GPUs with {} requests: {} under {}, {} unknown",
                          now->stats.total, answer->requests, now->stats.low,
                          options.score.low_below, now->stats.by_status.back()));
    if (now->partial || !now->warnings.empty()) {
      base::log(LogLevel::kWarning, fmt::format("the answer is {}: {}",
                                                now->partial ? "partial" : "whole, with warnings",
                                                fmt::join(now->warnings, "; ")));
    }
  }

  base::Clock& clock_;
  model::UsageReader& reader_;
  const Parts parts_;
  std::thread thread_;
  mutable base::Mutex mutex_;
  base::CondVar wake_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool asked_ GUARDED_BY(mutex_) = false;  // whether the queued run is to ask a model
  Status status_ GUARDED_BY(mutex_);
  std::shared_ptr<const Results> results_ GUARDED_BY(mutex_);
  std::uint64_t version_ GUARDED_BY(mutex_) = 1;
};

Analyzer::Analyzer(base::Clock& clock, model::UsageReader& reader, const Options& options,
                   Parts parts)
    : impl_(std::make_unique<Impl>(clock, reader, options, std::move(parts))) {}
Analyzer::~Analyzer() { impl_->stop(); }

void Analyzer::restore(std::vector<model::GpuUse> gpus, base::WallTime time) {
  impl_->restore(std::move(gpus), time);
}
base::Result<void> Analyzer::start() { return impl_->start(); }
void Analyzer::stop() { impl_->stop(); }
void Analyzer::trigger(std::optional<bool> use_ai) { impl_->trigger(use_ai); }
void Analyzer::change(const Change& change) { impl_->change(change); }
std::shared_ptr<const Results> Analyzer::results() const { return impl_->results(); }
Status Analyzer::status() const { return impl_->status(); }
std::uint64_t Analyzer::version() const { return impl_->version(); }

}  // namespace gpuscope::analyze
