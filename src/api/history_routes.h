// /api/v1/series and /api/v1/range: what the agent remembers.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/slow_answers.h"
#include "base/clock.h"
#include "http/server.h"
#include "model/series.h"
#include "wire/gzip.h"

namespace gpuscope::api {

struct HistorySetup {
  // A reader of its own for each thread that answers. Empty: there is no history, and `why_none`
  // says why.
  std::function<std::unique_ptr<model::SeriesReader>()> open{};
  // Whether the GPU of that UUID is not real. On any thread; empty: all are real.
  std::function<bool(const std::string& gpu)> is_simulated{};
  std::string why_none = "cannot look back: this agent keeps no history";
  std::chrono::microseconds interval{1'000'000};  // of the ticks: no part of a range is shorter
  std::function<void()> wake{};                   // see SlowAnswers
  SlowAnswersOptions answers{};
};

// The metric of this key in the catalogue, or of one of its names in /metrics and /gpu/metric.
std::optional<model::Metric> metric_of_name(std::string_view name);

// Not thread-safe: requests come on the server's thread alone.
class HistoryRoutes {
 public:
  static constexpr std::size_t kDefaultPoints = 1000;
  static constexpr std::size_t kMaxPoints = 11'000;         // of one series
  static constexpr std::size_t kMaxAnswerPoints = 200'000;  // of all series of an answer
  static constexpr std::size_t kMaxSeries = 50'000;         // in a list of series
  static constexpr std::chrono::seconds kQueryLimit{20};    // for all series of an answer

  HistoryRoutes() = default;
  ~HistoryRoutes() { stop(); }

  // To be called before the first request. `clock` outlives this object.
  void start(base::Clock& clock, HistorySetup setup);
  // Idempotent. From then on requests get 503.
  void stop();

  // ?match[]=SELECTOR…&limit=N, in Prometheus's JSON.
  std::optional<http::Response> series(const http::Request& request);
  // ?metric=KEY,…&gpu=UUID,…&start=&end=&points=&format=json|csv
  std::optional<http::Response> range(const http::Request& request);

 private:
  // What one thread that answers has for itself.
  struct Worker {
    std::unique_ptr<model::SeriesReader> reader;
    wire::Gzip gzip;
  };
  Worker& worker(std::size_t number) { return *workers_[number]; }

  base::Clock* clock_ = nullptr;
  HistorySetup setup_;
  std::vector<std::unique_ptr<Worker>> workers_;
  SlowAnswers answers_;
};

}  // namespace gpuscope::api
