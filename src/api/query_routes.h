// Prometheus's HTTP API over what the agent remembers: what Grafana's data source asks for.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/slow_answers.h"
#include "base/clock.h"
#include "base/result.h"
#include "http/server.h"
#include "model/labelled_series.h"
#include "query/query.h"
#include "wire/gzip.h"

namespace gpuscope::api {

struct QuerySetup {
  // Empty: there is none, and `why_none` says why.
  std::shared_ptr<const model::LabelledSeriesReader> series{};
  std::string why_none = "cannot look back: this agent keeps no history";
  std::string version{};  // of the program
  // Of subqueries that have none of their own: that of rules.
  std::chrono::milliseconds subquery_step{query::Limits{}.subquery_step};
  std::function<void()> wake{};  // see SlowAnswers
  SlowAnswersOptions answers{};
};

// Requests are GET with a query, or POST with a form. Errors are Prometheus's JSON with "detail"
// beside: bad_data (400), execution (422), timeout and unavailable (503), internal (500). Not
// thread-safe: requests come on the server's thread alone, and are worked out on threads of its
// own.
class QueryRoutes {
 public:
  static constexpr std::size_t kMaxPoints = 11'000;       // of one series
  static constexpr std::size_t kMaxSamples = 50'000'000;  // read for one answer
  static constexpr std::size_t kMaxSeries = 50'000;       // in a list of series or of names
  static constexpr std::chrono::seconds kQueryLimit{20};  // or less, with timeout=

  QueryRoutes() = default;
  ~QueryRoutes() { stop(); }

  // To be called before the first request. `clock` outlives this object.
  base::Result<void> start(base::Clock& clock, QuerySetup setup);
  // Ends what is being worked out. Idempotent. From then on requests get 503.
  void stop();

  std::optional<http::Response> query(const http::Request& request);        // query, time, timeout
  std::optional<http::Response> query_range(const http::Request& request);  // and start, end, step
  std::optional<http::Response> series(const http::Request& request);       // match[], limit
  std::optional<http::Response> labels(const http::Request& request);       // match[]
  std::optional<http::Response> label_values(const http::Request& request, std::string_view label);
  http::Response metadata(const http::Request& request) const;  // metric, limit
  http::Response buildinfo() const;
  http::Response exemplars() const;  // there are none

 private:
  struct Form;
  using GoOn = std::function<base::Result<void>()>;
  // The body of an answer, worked out on a thread of its own.
  using Work = std::function<http::Response(const GoOn& go_on)>;
  query::Limits limits(GoOn go_on) const;
  std::optional<http::Response> answer(const http::Request& request,
                                       std::chrono::milliseconds limit, Work work);
  // All label sets of the selectors that a request has, every one where it has none; then `use`.
  std::optional<http::Response> listing(
      const http::Request& request, bool needs_selector,
      std::function<http::Response(std::vector<model::LabelsPtr> found, std::size_t limit)> use);

  base::Clock* clock_ = nullptr;
  QuerySetup setup_;
  std::vector<std::unique_ptr<wire::Gzip>> gzips_;  // one a thread
  std::atomic<bool> stopping_ = false;
  SlowAnswers answers_;
};

}  // namespace gpuscope::api
