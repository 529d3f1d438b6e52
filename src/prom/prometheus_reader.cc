#include "prom/prometheus_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "prom/discovery.h"
#include "prom/engine.h"
#include "prom/usage_join.h"
#include "prom/usage_query.h"

namespace gpuscope::prom {
namespace {

using base::Error;
using base::ErrorKind;
using base::MutexLock;
using base::Result;
using model::UsageMetric;

constexpr std::chrono::hours kNamesLast{1};
constexpr std::array kAlways{UsageMetric::kGpuUtil, UsageMetric::kMemCopy, UsageMetric::kMemUsed,
                             UsageMetric::kMemFree, UsageMetric::kPower,   UsageMetric::kSmClock};

void add_once(std::vector<std::string>& texts, std::string text) {
  if (std::ranges::find(texts, text) == texts.end()) texts.push_back(std::move(text));
}

// The questions of one pass, and what came of them. The lanes take questions one after the other.
struct Pass {
  const model::UsageWindow* window = nullptr;
  std::vector<UsageQuery> queries;
  std::atomic<std::size_t> next = 0;
  std::atomic<AttemptId> attempts = 0;
  std::atomic<bool> failed = false;
  UsageJoin join;

  base::Mutex mutex;
  std::vector<UsageQuery> again GUARDED_BY(mutex);  // that had no numbers
  AnswerNotes notes GUARDED_BY(mutex);
  std::optional<Error> error GUARDED_BY(mutex);
};

// One question; false: it failed.
bool ask(Engine& engine, Pass& pass, const UsageQuery& query) {
  AttemptId attempt = 0;
  auto notes = engine.query(expression(query, *pass.window), pass.window->end, [&] {
    attempt = ++pass.attempts;
    return [&pass, attempt, metric = query.metric](const LabelViews& labels, double value) {
      pass.join.add(metric, attempt, labels, value);
    };
  });
  const MutexLock lock(pass.mutex);
  if (!notes) {
    pass.failed = true;
    if (!pass.error) pass.error = std::move(notes.error());
    return false;
  }
  const bool has_no_numbers = pass.join.succeed(attempt);
  if (has_no_numbers && !query.finite_only) {
    pass.again.push_back(query);
    pass.again.back().finite_only = true;
  }
  pass.notes.bytes += notes->bytes;
  pass.notes.partial = pass.notes.partial || notes->partial;
  for (std::string& warning : notes->warnings) add_once(pass.notes.warnings, std::move(warning));
  return true;
}

void run_lane(Engine& engine, Pass& pass) {
  while (!pass.failed) {
    const std::size_t index = pass.next++;
    if (index >= pass.queries.size() || !ask(engine, pass, pass.queries[index])) return;
  }
}

// False: there can be no more threads; those that there are take as many questions.
template <typename Work>
bool add_thread(std::vector<std::jthread>& threads, Work work) {
  try {
    threads.emplace_back(std::move(work));
  } catch (const std::system_error&) {
    return false;
  }
  return true;
}

}  // namespace

class PrometheusReader::Impl {
 public:
  Impl(base::Clock& clock, ReaderOptions options, std::vector<Matcher> condition,
       std::vector<std::unique_ptr<Engine>> engines)
      : clock_(clock),
        options_(std::move(options)),
        condition_(std::move(condition)),
        engines_(std::move(engines)) {}

  Result<model::UsageAnswer> read(const model::UsageWindow& window);
  Result<void> probe() { return engines_.front()->probe(clock_.wall_now()); }
  void cancel() {
    for (const auto& engine : engines_) engine->cancel();
  }

 private:
  // What the engine has, asked anew where that is long ago.
  Result<Discovered> discover_now_and_then(base::WallTime time);
  Result<model::UsageAnswer> read_pages(const model::UsageWindow& window, const Discovered& there);
  // Asks all questions of a pass, on all connections.
  Result<void> run(Pass& pass);
  std::size_t max_pages() const { return kUuidBuckets / options_.shard.count; }

  base::Clock& clock_;
  const ReaderOptions options_;
  const std::vector<Matcher> condition_;
  const std::vector<std::unique_ptr<Engine>> engines_;
  std::optional<Discovered> discovered_;
  base::SteadyTime discovered_at_{};
  std::size_t pages_ = 1;
};

Result<Discovered> PrometheusReader::Impl::discover_now_and_then(base::WallTime time) {
  if (discovered_ && clock_.steady_now() - discovered_at_ < kNamesLast) return *discovered_;
  auto found = discover(*engines_.front(), condition_, time);
  if (!found) return found;
  discovered_ = *found;
  discovered_at_ = clock_.steady_now();
  return found;
}

Result<void> PrometheusReader::Impl::run(Pass& pass) {
  {
    std::vector<std::jthread> others;
    const std::size_t lanes = std::min(engines_.size(), pass.queries.size());
    for (std::size_t i = 1; i < lanes; ++i) {
      if (!add_thread(others, [&engine = *engines_[i], &pass] { run_lane(engine, pass); })) break;
    }
    run_lane(*engines_.front(), pass);
  }
  const MutexLock lock(pass.mutex);
  if (pass.error) return std::unexpected(*pass.error);
  pass.queries = std::move(pass.again);
  pass.again.clear();
  pass.next = 0;
  return {};
}

Result<model::UsageAnswer> PrometheusReader::Impl::read_pages(const model::UsageWindow& window,
                                                              const Discovered& there) {
  Pass pass;
  pass.window = &window;
  std::vector<UsageMetric> metrics(kAlways.begin(), kAlways.end());
  if (window.power_limit) metrics.push_back(UsageMetric::kPowerLimit);
  for (const UsageMetric metric : metrics) {
    for (std::size_t page = 0; page < pages_; ++page) {
      std::string matchers = join(there.condition);
      const std::string part = uuid_matcher(page_of(options_.shard, page, pages_));
      if (!matchers.empty() && !part.empty()) matchers += ',';
      pass.queries.push_back({metric, names_to_ask(metric, there.names), matchers + part, false});
    }
  }
  if (auto done = run(pass); !done) return std::unexpected(std::move(done.error()));
  if (!pass.queries.empty()) {
    if (auto done = run(pass); !done) return std::unexpected(std::move(done.error()));
  }
  const std::size_t series = pass.join.size();
  const std::size_t nameless = pass.join.nameless();
  model::UsageAnswer answer = pass.join.take();
  answer.requests = pass.attempts;
  const MutexLock lock(pass.mutex);
  answer.bytes = pass.notes.bytes;
  answer.partial = pass.notes.partial;
  answer.warnings = std::move(pass.notes.warnings);
  if (nameless > 0) {
    answer.warnings.push_back(fmt::format("{} series have no label UUID", nameless));
  }
  if (series > options_.page_series * pages_) pages_ = std::min(2 * pages_, max_pages());
  return answer;
}

Result<model::UsageAnswer> PrometheusReader::Impl::read(const model::UsageWindow& window) {
  constexpr std::size_t kMorePages = 4;
  const auto there = discover_now_and_then(window.end);
  if (!there) return std::unexpected(there.error());
  auto answer = read_pages(window, *there);
  while (!answer && is_too_large(answer.error()) && pages_ < max_pages()) {
    pages_ = std::min(kMorePages * pages_, max_pages());
    answer = read_pages(window, *there);
  }
  // Perhaps there are other names by now.
  if (!answer || answer->gpus.empty()) discovered_.reset();
  return answer;
}

PrometheusReader::PrometheusReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PrometheusReader::~PrometheusReader() = default;

Result<std::unique_ptr<PrometheusReader>> PrometheusReader::create(base::Clock& clock,
                                                                   const ReaderOptions& options) {
  auto condition = parse_condition(options.condition);
  if (!condition) return std::unexpected(std::move(condition.error()));
  const Shard& shard = options.shard;
  if (shard.count < 1 || shard.count > Shard::kMaxShards || shard.index >= shard.count) {
    return base::fail(ErrorKind::kInvalidArgument,
                      fmt::format("cannot take shard {} of {}: give one from 0 to below the number "
                                  "of shards, which is at most {}",
                                  shard.index, shard.count, Shard::kMaxShards));
  }
  std::vector<std::unique_ptr<Engine>> engines;
  for (std::size_t i = 0; i < std::max<std::size_t>(options.connections, 1); ++i) {
    auto engine = Engine::create(clock, options.engine);
    if (!engine) return std::unexpected(std::move(engine.error()));
    engines.push_back(std::move(*engine));
  }
  return std::unique_ptr<PrometheusReader>(new PrometheusReader(
      std::make_unique<Impl>(clock, options, std::move(*condition), std::move(engines))));
}

Result<model::UsageAnswer> PrometheusReader::read(const model::UsageWindow& window) {
  return impl_->read(window);
}
Result<void> PrometheusReader::probe() { return impl_->probe(); }
void PrometheusReader::cancel() { impl_->cancel(); }

}  // namespace gpuscope::prom
