#include "advise/chat_adviser.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <random>
#include <thread>
#include <tuple>
#include <utility>

#include "advise/chat_client.h"
#include "advise/opinion_cache.h"
#include "advise/prompt.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/queue_thread.h"
#include "base/thread.h"
#include "base/web_url.h"
#include "wire/json_writer.h"
#include "wire/opinions.h"

namespace gpuscope::advise {
namespace {

using base::Error;
using base::ErrorKind;
using base::MutexLock;
using base::Result;
using base::SteadyTime;
using model::Advice;
using model::NoOpinion;
using model::UseEvidence;
using std::chrono::milliseconds;

constexpr milliseconds kLongestWait{60'000};  // that a server may ask for within a run
constexpr std::size_t kMaxKeptText = 16'384;  // bytes of a prompt or an answer that are kept
constexpr std::uint64_t kTrimEvery = 50;      // exchanges
constexpr std::string_view kSpentKey = "last_hour";

// A request to be made: for whom, and which attempt it is.
struct Job {
  std::vector<std::size_t> gpus;  // indices of the run
  int attempt = 1;
  SteadyTime not_before{};
};

Result<void> check(const ChatOptions& options) {
  const auto refuse = [](std::string why) {
    return base::fail(ErrorKind::kInvalidArgument, "cannot ask a chat model: " + std::move(why));
  };
  if (const std::string wrong = base::check_web_url(options.url); !wrong.empty()) {
    return refuse("its address " + wrong);
  }
  if (options.attempts < 1 || options.max_tokens < 1 || options.workers < 1) {
    return refuse("attempts, tokens and workers begin at 1");
  }
  return {};
}

std::size_t largest_batch(const ChatOptions& options) {
  const auto answer = static_cast<std::size_t>(options.max_tokens) / kAnswerTokensPerGpu;
  return std::max<std::size_t>(std::min(answer, options.prompt_tokens / kPromptTokensPerGpu), 1);
}

std::string asked_how(const ChatOptions& options) {
  return fmt::format("{}\n{}\n{}\n{}\n{}", kPromptVersion, options.model, options.language,
                     options.names, options.threshold);
}

}  // namespace

class ChatAdviser::Impl {
 public:
  Impl(base::Clock& clock, ChatOptions options, model::StateStore* store)
      : clock_(clock),
        options_(std::move(options)),
        store_(store),
        largest_batch_(largest_batch(options_)),
        system_(system_prompt(options_.language)),
        trouble_("the chat model answers again"),
        meter_(options_.limits),
        cache_(asked_how(options_), options_.keep),
        batch_(largest_batch_),
        random_(static_cast<std::minstd_rand::result_type>(
            clock.wall_now().time_since_epoch().count())) {}

  Result<void> prepare();
  std::vector<Advice> advise(std::span<const UseEvidence> gpus);
  void stop();
  ChatStatus status() const;

 private:
  // What is known already, and jobs for the rest.
  void begin(std::span<const UseEvidence> gpus) EXCLUDES(mutex_);
  void run_workers();
  void work(ChatClient& client);
  std::optional<Job> next_job() EXCLUDES(mutex_);
  void process(const Job& job, ChatClient& client);
  bool reserve(const Job& job, std::size_t prompt_bytes, Spent& reserved) EXCLUDES(mutex_);
  void count(const Job& job, const Exchange& exchange, const Spent& reserved) EXCLUDES(mutex_);
  void settle(const Job& job, const Exchange& exchange, const std::vector<std::string>& ids)
      EXCLUDES(mutex_);
  void take_answer(const Job& job, const Exchange& exchange, const std::vector<std::string>& ids)
      REQUIRES(mutex_);
  void take_opinion(std::size_t gpu, wire::GivenOpinion given) REQUIRES(mutex_);
  // Asks again for these, or gives them up.
  void retry(std::vector<std::size_t> gpus, const Job& job, const Exchange& exchange, bool split)
      REQUIRES(mutex_);
  // Where no answer came, there is no opinion, for this reason.
  void give_up(const std::vector<std::size_t>& gpus, const Error& error, NoOpinion why)
      REQUIRES(mutex_);
  void give_up_all(const Error& error, NoOpinion why) REQUIRES(mutex_);
  void note_error(const Error& error) REQUIRES(mutex_);
  milliseconds delay(int attempt, const Exchange& exchange) REQUIRES(mutex_);
  void keep_exchange(const Job& job, const std::string& user, const Exchange& exchange);
  void finish();

  base::Clock& clock_;
  const ChatOptions options_;
  model::StateStore* const store_;
  const std::size_t largest_batch_;
  const std::string system_;
  ChatQuirks quirks_;
  std::vector<std::unique_ptr<ChatClient>> clients_;

  base::Mutex run_mutex_;  // of the one run that there is at a time
  base::TroubleLog trouble_;
  // Of the run; constant while workers run.
  std::span<const UseEvidence> gpus_;
  std::string key_;
  std::string id_prefix_;

  mutable base::Mutex mutex_;
  base::CondVar wake_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  ChatStatus status_ GUARDED_BY(mutex_);
  SpendMeter meter_ GUARDED_BY(mutex_);
  OpinionCache cache_ GUARDED_BY(mutex_);
  std::size_t batch_ GUARDED_BY(mutex_);  // GPUs of a request that have gone well
  std::minstd_rand random_ GUARDED_BY(mutex_);
  std::uint64_t exchanges_ GUARDED_BY(mutex_) = 0;
  // Of the run.
  std::vector<Advice> advice_ GUARDED_BY(mutex_);
  std::vector<std::string> unreadable_ GUARDED_BY(mutex_);  // why the last answer was, by GPU
  std::deque<Job> jobs_ GUARDED_BY(mutex_);
  std::size_t in_flight_ GUARDED_BY(mutex_) = 0;
  SteadyTime quiet_until_ GUARDED_BY(mutex_){};  // nothing is sent before
  std::string failure_ GUARDED_BY(mutex_);       // the last that cost an opinion
};

Result<void> ChatAdviser::Impl::prepare() {
  for (std::size_t i = 0; i < options_.workers; ++i) {
    auto client = ChatClient::create(clock_, options_, quirks_);
    if (!client) return std::unexpected(std::move(client.error()));
    clients_.push_back(std::move(*client));
  }
  MutexLock lock(mutex_);
  if (auto loaded = cache_.load(store_, clock_.wall_now()); !loaded) {
    base::log(base::LogLevel::kWarning, loaded.error().message);  // they are asked for again
  }
  if (store_ != nullptr) {
    if (const auto kept = store_->get(kSpentKind, kSpentKey); kept && *kept) meter_.restore(**kept);
  }
  return {};
}

std::vector<Advice> ChatAdviser::Impl::advise(std::span<const UseEvidence> gpus) {
  MutexLock run(run_mutex_);
  gpus_ = gpus;
  begin(gpus);
  auto key = read_api_key(options_);
  if (key) {
    key_ = std::move(*key);
    run_workers();
  } else {
    MutexLock lock(mutex_);
    note_error(key.error());
    give_up_all(key.error(), NoOpinion::kUnreachable);
  }
  finish();
  MutexLock lock(mutex_);
  return std::exchange(advice_, {});
}

void ChatAdviser::Impl::begin(std::span<const UseEvidence> gpus) {
  const base::WallTime now = clock_.wall_now();
  MutexLock lock(mutex_);
  id_prefix_ = fmt::format("{:06x}", random_() % 0x1000000);  // nobody can write it into a name
  advice_.assign(gpus.size(), Advice{});
  unreadable_.assign(gpus.size(), "");
  jobs_.clear();
  quiet_until_ = {};
  failure_.clear();
  std::vector<std::pair<double, std::size_t>> open;
  for (std::size_t i = 0; i < gpus.size(); ++i) {
    if (!gpus[i].utilization) {
      advice_[i].reason = "its utilization is not known";
      continue;
    }
    advice_[i].opinion = cache_.find(gpus[i], now);
    if (advice_[i].opinion) {
      ++status_.reused;
    } else {
      open.emplace_back(gpus[i].score, i);
    }
  }
  // Where there is no room for all, those that seem to be used worst come first.
  std::ranges::sort(open);
  for (std::size_t at = 0; at < open.size(); at += batch_) {
    Job job;
    for (std::size_t i = at; i < std::min(at + batch_, open.size()); ++i) {
      job.gpus.push_back(open[i].second);
    }
    jobs_.push_back(std::move(job));
  }
}

void ChatAdviser::Impl::run_workers() {
  std::size_t wanted = 0;
  {
    MutexLock lock(mutex_);
    wanted = std::min(clients_.size(), jobs_.size());
  }
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < wanted; ++i) {
    auto other = base::start_thread("advise", [this, i] { work(*clients_[i]); });
    if (!other) break;  // those that there are do it all
    others.push_back(std::move(*other));
  }
  if (wanted > 0) work(*clients_.front());
  for (std::thread& other : others) other.join();
}

void ChatAdviser::Impl::work(ChatClient& client) {
  while (const auto job = next_job()) {
    process(*job, client);
    MutexLock lock(mutex_);
    --in_flight_;
    wake_.notify_all();
  }
}

std::optional<Job> ChatAdviser::Impl::next_job() {
  MutexLock lock(mutex_);
  for (;;) {
    if (stopping_) give_up_all({ErrorKind::kUnavailable, "it is stopping"}, NoOpinion::kStopped);
    if (jobs_.empty() && in_flight_ == 0) return std::nullopt;
    if (jobs_.empty()) {
      wake_.wait(lock);
      continue;
    }
    // Of those that may go, the one that failed most: it finds out whether there is any use.
    const SteadyTime now = clock_.steady_now();
    const auto order = [now](const Job& job) {
      return std::tuple(job.not_before > now, job.not_before > now ? 0 : -job.attempt,
                        job.not_before);
    };
    const auto first = std::ranges::min_element(jobs_, {}, order);
    const SteadyTime due = std::max(first->not_before, quiet_until_);
    if (now >= due) {
      Job job = std::move(*first);
      jobs_.erase(first);
      ++in_flight_;
      return job;
    }
    clock_.wait_until(wake_, lock, due);
  }
}

void ChatAdviser::Impl::process(const Job& job, ChatClient& client) {
  std::vector<const UseEvidence*> evidence;
  std::vector<std::string> ids;
  for (const std::size_t gpu : job.gpus) {
    evidence.push_back(&gpus_[gpu]);
    ids.push_back(fmt::format("{}-{}", id_prefix_, gpu + 1));
  }
  const std::string user = user_prompt(evidence, ids, options_.names);
  Spent reserved;
  if (!reserve(job, system_.size() + user.size(), reserved)) return;
  const Exchange exchange = client.ask(system_, user, key_);
  count(job, exchange, reserved);
  keep_exchange(job, user, exchange);
  settle(job, exchange, ids);
}

bool ChatAdviser::Impl::reserve(const Job& job, std::size_t prompt_bytes, Spent& reserved) {
  constexpr double kMillion = 1e6;
  const auto prompt = static_cast<double>(estimate_tokens(prompt_bytes));
  const auto answer = static_cast<double>(options_.max_tokens);
  reserved = {
      .requests = 1,
      .tokens = static_cast<std::uint64_t>(prompt + answer),
      .cost = (prompt * options_.prices.prompt + answer * options_.prices.answer) / kMillion};
  MutexLock lock(mutex_);
  if (meter_.reserve(reserved, clock_.wall_now())) return true;
  give_up(job.gpus,
          {ErrorKind::kUnavailable, "what may be spent on a chat model in an hour is spent"},
          NoOpinion::kOverLimit);
  return false;
}

void ChatAdviser::Impl::count(const Job& job, const Exchange& exchange, const Spent& reserved) {
  constexpr double kMillion = 1e6;
  const Spent actual{
      .requests = exchange.requests,
      .tokens = exchange.prompt_tokens + exchange.answer_tokens,
      .cost = (static_cast<double>(exchange.prompt_tokens) * options_.prices.prompt +
               static_cast<double>(exchange.answer_tokens) * options_.prices.answer) /
              kMillion};
  const base::WallTime now = clock_.wall_now();
  const double seconds = std::chrono::duration<double>(exchange.latency).count();
  const auto bucket = std::ranges::lower_bound(kLatencyBounds, seconds) - kLatencyBounds.begin();
  MutexLock lock(mutex_);
  meter_.settle(reserved, actual, now);
  status_.requests += exchange.requests;
  if (job.attempt > 1) ++status_.retries;
  status_.prompt_tokens += exchange.prompt_tokens;
  status_.answer_tokens += exchange.answer_tokens;
  status_.cost += actual.cost;
  ++status_.latency[static_cast<std::size_t>(bucket)];
  status_.latency_seconds += seconds;
  if (exchange.outcome == Exchange::Outcome::kAnswered) {
    status_.last_success_at = now;
  } else {
    ++status_.failed_requests;
  }
}

void ChatAdviser::Impl::settle(const Job& job, const Exchange& exchange,
                               const std::vector<std::string>& ids) {
  MutexLock lock(mutex_);
  switch (exchange.outcome) {
    case Exchange::Outcome::kAnswered:
      take_answer(job, exchange, ids);
      break;
    case Exchange::Outcome::kUnreadable:
      note_error(exchange.error);
      for (const std::size_t gpu : job.gpus) unreadable_[gpu] = exchange.error.message;
      retry(job.gpus, job, exchange, false);
      break;
    case Exchange::Outcome::kLater:
      if (!stopping_) note_error(exchange.error);
      retry(job.gpus, job, exchange, exchange.too_large);
      break;
    case Exchange::Outcome::kNever:
      note_error(exchange.error);
      give_up(job.gpus, exchange.error, NoOpinion::kUnreachable);
      give_up_all(exchange.error, NoOpinion::kUnreachable);
      break;
  }
}

void ChatAdviser::Impl::take_answer(const Job& job, const Exchange& exchange,
                                    const std::vector<std::string>& ids) {
  wire::GivenOpinions given = wire::parse_opinions(exchange.reply.text, ids);
  std::vector<std::size_t> failed;
  for (std::size_t i = 0; i < job.gpus.size(); ++i) {
    const std::size_t gpu = job.gpus[i];
    if (given.by_id[i]) {
      take_opinion(gpu, std::move(*given.by_id[i]));
      continue;
    }
    failed.push_back(gpu);
    unreadable_[gpu] = given.by_id[i].error().message;
    if (exchange.reply.cut_off) unreadable_[gpu] += ": it was cut off at AI_MAX_TOKENS";
    if (exchange.reply.declined) unreadable_[gpu] += ": the model declined";
  }
  if (failed.empty()) {
    if (job.gpus.size() == batch_) batch_ = std::min(batch_ + 1, largest_batch_);
    return;
  }
  note_error({ErrorKind::kInvalidArgument, unreadable_[failed.front()]});
  retry(std::move(failed), job, exchange, !given.readable);
}

void ChatAdviser::Impl::take_opinion(std::size_t gpu, wire::GivenOpinion given) {
  model::Opinion opinion{.status = given.status,
                         .confidence = given.confidence,
                         .reason = std::move(given.reason),
                         .recommendation = std::move(given.recommendation),
                         .raw_score = gpus_[gpu].score,
                         .given_by = options_.model,
                         .given_at = clock_.wall_now()};
  if (opinion.confidence >= options_.threshold) {
    opinion.adjusted_score = std::round(given.adjusted_score * 10) / 10;
  }
  cache_.put(gpus_[gpu], opinion);
  advice_[gpu].opinion = std::move(opinion);
  ++status_.opinions;
}

void ChatAdviser::Impl::retry(std::vector<std::size_t> gpus, const Job& job,
                              const Exchange& exchange, bool split) {
  if (job.attempt >= options_.attempts) {
    const NoOpinion why = stopping_ ? NoOpinion::kStopped : NoOpinion::kUnreachable;
    give_up(gpus, exchange.error, why);
    // Others would find the same, each after all its attempts.
    if (exchange.outcome == Exchange::Outcome::kLater) give_up_all(exchange.error, why);
    return;
  }
  const SteadyTime due = clock_.steady_now() + delay(job.attempt, exchange);
  // The others would fail, too, until then.
  if (exchange.outcome == Exchange::Outcome::kLater) quiet_until_ = std::max(quiet_until_, due);
  if (split && gpus.size() > 1) {
    const auto half = static_cast<std::ptrdiff_t>((gpus.size() + 1) / 2);
    batch_ = std::max<std::size_t>(std::min(batch_, static_cast<std::size_t>(half)), 1);
    jobs_.push_back(
        {.gpus = {gpus.begin() + half, gpus.end()}, .attempt = job.attempt + 1, .not_before = due});
    gpus.resize(static_cast<std::size_t>(half));
  }
  jobs_.push_back({.gpus = std::move(gpus), .attempt = job.attempt + 1, .not_before = due});
  wake_.notify_all();
}

void ChatAdviser::Impl::give_up(const std::vector<std::size_t>& gpus, const Error& error,
                                NoOpinion why) {
  for (const std::size_t gpu : gpus) {
    Advice& advice = advice_[gpu];
    if (unreadable_[gpu].empty()) {
      advice.why_none = why;
      advice.reason = error.message;
      if (why == NoOpinion::kUnreachable) {
        ++status_.unreachable;
        failure_ = error.message;
      }
      if (why == NoOpinion::kOverLimit) ++status_.over_limit;
      continue;
    }
    ++status_.unreadable;
    failure_ = unreadable_[gpu];
    advice.opinion = model::Opinion{
        .status = model::OpinionStatus::kSuspicious,
        .confidence = 0,
        .reason = unreadable_[gpu],
        .recommendation = "Judge by the numbers: the model's answers could not be used.",
        .raw_score = gpus_[gpu].score,
        .given_by = options_.model,
        .given_at = clock_.wall_now()};
  }
}

void ChatAdviser::Impl::give_up_all(const Error& error, NoOpinion why) {
  for (const Job& job : std::exchange(jobs_, {})) give_up(job.gpus, error, why);
  wake_.notify_all();
}

void ChatAdviser::Impl::note_error(const Error& error) {
  status_.last_error = error;
  status_.last_error_at = clock_.wall_now();
}

milliseconds ChatAdviser::Impl::delay(int attempt, const Exchange& exchange) {
  constexpr int kMostDoublings = 10;
  constexpr double kSpread = 0.25;  // so that many who failed together do not come back together
  const double doubled = std::ldexp(static_cast<double>(options_.retry_delay.count()),
                                    std::min(attempt - 1, kMostDoublings));
  const double factor = std::uniform_real_distribution<double>(1 - kSpread, 1 + kSpread)(random_);
  const milliseconds own{std::llround(doubled * factor)};
  return std::max(own, std::min(exchange.retry_after.value_or(milliseconds{0}), kLongestWait));
}

// For audit: who was asked what, and what came back.
void ChatAdviser::Impl::keep_exchange(const Job& job, const std::string& user,
                                      const Exchange& exchange) {
  if (store_ == nullptr) return;
  std::string text;
  wire::JsonWriter json(text);
  json.begin_object().key("at").time(clock_.wall_now());
  json.key("url").string(base::url_origin(options_.url)).key("model").string(options_.model);
  json.key("attempt").number(job.attempt).key("gpus").begin_array();
  for (const std::size_t gpu : job.gpus) json.string(gpus_[gpu].gpu.gpu_id);
  json.end_array().key("prompt_version").number(kPromptVersion);
  json.key("prompt").string(without_key(user.substr(0, kMaxKeptText), key_));
  json.key("status").number(exchange.status);
  json.key("answer").string(std::string_view(exchange.body).substr(0, kMaxKeptText));
  json.key("error").string(exchange.error.message);
  json.key("prompt_tokens").number(static_cast<std::int64_t>(exchange.prompt_tokens));
  json.key("answer_tokens").number(static_cast<std::int64_t>(exchange.answer_tokens));
  json.key("latency_ms").number(exchange.latency.count()).end_object();
  auto kept = store_->append(kExchangeKind, text);
  bool trim = false;
  {
    MutexLock lock(mutex_);
    trim = ++exchanges_ % kTrimEvery == 0;
    if (!kept) note_error(kept.error());
  }
  if (!trim) return;
  if (auto done = store_->trim(kExchangeKind, kExchangesKept); !done) {
    MutexLock lock(mutex_);
    note_error(done.error());
  }
}

void ChatAdviser::Impl::finish() {
  std::vector<model::StateChange> changes;
  {
    MutexLock lock(mutex_);
    changes = cache_.take_changes(clock_.wall_now());
    changes.push_back({std::string(kSpentKind), std::string(kSpentKey), meter_.save()});
  }
  Result<void> saved;
  if (store_ != nullptr) saved = store_->apply(changes);
  MutexLock lock(mutex_);
  if (!saved) {
    note_error(saved.error());
    failure_ = saved.error().message;
    cache_.keep_changes(changes);
  }
  trouble_.note(failure_);
}

void ChatAdviser::Impl::stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  for (const auto& client : clients_) client->cancel();
}

ChatStatus ChatAdviser::Impl::status() const {
  MutexLock lock(mutex_);
  ChatStatus status = status_;
  status.kept = cache_.size();
  status.last_hour = meter_.last_hour(clock_.wall_now());
  return status;
}

Result<std::unique_ptr<ChatAdviser>> ChatAdviser::create(base::Clock& clock, ChatOptions options,
                                                         model::StateStore* store) {
  if (auto fits = check(options); !fits) return std::unexpected(std::move(fits.error()));
  auto impl = std::make_unique<Impl>(clock, std::move(options), store);
  if (auto ready = impl->prepare(); !ready) return std::unexpected(std::move(ready.error()));
  return std::unique_ptr<ChatAdviser>(new ChatAdviser(std::move(impl)));
}

ChatAdviser::ChatAdviser(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ChatAdviser::~ChatAdviser() = default;

std::vector<Advice> ChatAdviser::advise(std::span<const UseEvidence> gpus) {
  return impl_->advise(gpus);
}
void ChatAdviser::stop() { impl_->stop(); }
ChatStatus ChatAdviser::status() const { return impl_->status(); }

}  // namespace gpuscope::advise
