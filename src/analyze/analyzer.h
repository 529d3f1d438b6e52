// Runs the analysis: on its interval and when asked, one run after the other, never two at once.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "analyze/options.h"
#include "base/clock.h"
#include "base/result.h"
#include "model/opinion.h"
#include "model/score.h"
#include "model/usage.h"

namespace gpuscope::analyze {

// What a run found. Immutable once published.
struct Results {
  std::vector<model::GpuUse> gpus;  // as sort_by_score() has them
  model::UseStats stats;
  ScoreOptions judged_by;
  std::optional<base::WallTime> time;  // of the run; none: there was none yet
  std::vector<std::string> warnings;   // of what holds the series
  bool partial = false;                // not all of it could be asked
};

// How long runs took: how many up to each bound, in seconds, as the earlier system has them.
struct Durations {
  static constexpr std::array<double, 14> kBounds{.005, .01, .025, .05, .075, .1,  .25,
                                                  .5,   .75, 1,    2.5, 5,    7.5, 10};
  std::array<std::uint64_t, kBounds.size()> up_to{};  // each counts in all bounds above it, too
  std::uint64_t count = 0;
  double sum_seconds = 0;

  void add(std::chrono::microseconds duration);
};

struct Status {
  Options options;  // those in force
  bool reachable = false;
  std::string error;  // why the last run failed; empty: it did not
  bool running = false;
  bool queued = false;  // one more run follows at once
  std::uint64_t runs = 0;
  std::uint64_t failures = 0;
  Durations durations;
  std::size_t requests = 0;  // of the last run that did not fail
  std::uint64_t bytes = 0;
  std::string keep_error;  // why results would not outlive a restart; empty: they do
};

// The last run is long ago: more than three intervals before `now`.
bool is_overdue(const Results& results, const Options& options, base::WallTime now);

// Values that may change while it runs.
struct Change {
  std::optional<double> low_below;
  std::optional<std::chrono::seconds> interval;
  std::optional<bool> use_ai;
};

// All calls, but for start() and stop(), are for any thread and never wait for a run.
class Analyzer {
 public:
  // Called on the analysis's thread, one after the other; each may take its time and be empty.
  struct Parts {
    // Second opinions, as many as it is given and in their order. The lowest scores come first.
    std::function<std::vector<model::SecondOpinions>(std::vector<model::UseEvidence> gpus,
                                                     const model::UsageWindow& window, bool use_ai)>
        consult;
    // What follows from a run's results.
    std::function<void(const Results& results)> act;
    // Makes the results outlive a restart.
    std::function<base::Result<void>(const Results& results)> keep;
    // Ends the calls above soon. Any thread.
    std::function<void()> cancel;
  };
  // Without opinions beyond so many GPUs.
  static constexpr std::size_t kMaxConsulted = 20'000;
  // How often it is looked whether what holds the series answers, between runs.
  static constexpr std::chrono::seconds kProbeInterval{15};

  // `clock` and `reader` outlive it.
  Analyzer(base::Clock& clock, model::UsageReader& reader, const Options& options, Parts parts);
  ~Analyzer();
  Analyzer(const Analyzer&) = delete;
  Analyzer& operator=(const Analyzer&) = delete;

  // Results of an earlier process. To be called before start(). They are judged by our bounds.
  void restore(std::vector<model::GpuUse> gpus, base::WallTime time);

  // Begins with a run at once.
  base::Result<void> start();
  // Ends the run that is under way, which then counts for nothing, and joins. Idempotent.
  void stop();

  // One more run: at once, or after the one that is under way; one waits at most, with what was
  // said last. `use_ai`: instead of the setting.
  void trigger(std::optional<bool> use_ai);
  // Puts new values in force at once: a threshold in the results that are there, too.
  void change(const Change& change);

  std::shared_ptr<const Results> results() const;  // never null
  Status status() const;
  // Rises whenever documents made of results() and status() are to be made anew: with new results,
  // at the end of every run and of what follows from it, and with changed options; not with what is
  // only under way.
  std::uint64_t version() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gpuscope::analyze
