#include "act/controller.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <tuple>
#include <utility>

#include "act/pauses.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/web_url.h"
#include "http/web_answer.h"
#include "http/web_client.h"
#include "wire/control.h"
#include "wire/json_writer.h"
#include "wire/metric_lines.h"
#include "wire/opinions.h"

namespace gpuscope::act {
namespace {

using base::ErrorKind;
using base::LogLevel;
using base::MutexLock;
using base::Result;
using base::WallTime;
using model::GpuUse;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kLongestPause{3600};        // of a GPU whose calls fail
constexpr int kFailuresOfService = 3;         // one after the other: it is not the GPUs
constexpr seconds kFirstServicePause{60};     // doubling
constexpr seconds kLongestServicePause{900};  // up to there, and as much as it may ask for
constexpr std::uint64_t kTrimEvery = 200;     // actions

seconds doubled(seconds first, int times, seconds longest) {
  constexpr int kMostDoublings = 20;
  return std::min(longest, first * (std::int64_t{1} << std::clamp(times, 0, kMostDoublings)));
}

struct Candidate {
  const GpuUse* gpu = nullptr;
  std::string key;
  const Pause* pause = nullptr;
};

// What came of a call.
struct Call {
  bool done = false;
  bool service_fails = false;  // rather than that it does not want this GPU
  std::optional<milliseconds> retry_after{};
  std::string answer{};
};

std::string why(const GpuUse& gpu, double threshold) {
  if (*gpu.raw_score == *gpu.score) {
    return fmt::format("score {:.1f} is under {:g}", *gpu.score, threshold);
  }
  return fmt::format("raw score {:.1f} and adjusted score {:.1f} are under {:g}", *gpu.raw_score,
                     *gpu.score, threshold);
}

template <typename Counts>
void write_effects(wire::JsonWriter& json, const Counts& counts) {
  json.begin_object();
  for (std::size_t i = 0; i < kEffectCount; ++i) {
    json.key(effect_name(static_cast<Effect>(i))).number(static_cast<std::int64_t>(counts[i]));
  }
  json.end_object();
}

void write_time(wire::JsonWriter& json, const std::optional<WallTime>& time) {
  if (time) {
    json.time(*time);
  } else {
    json.null();
  }
}

}  // namespace

std::string_view effect_name(Effect effect) {
  constexpr std::array<std::string_view, kEffectCount> kNames{
      "called", "dry_run", "failed", "cooling_down", "backing_off", "over_cap"};
  return kNames[static_cast<std::size_t>(effect)];
}

class Controller::Impl {
 public:
  Impl(base::Clock& clock, Options options, model::StateStore& store,
       std::unique_ptr<http::WebClient> client)
      : clock_(clock),
        options_(std::move(options)),
        store_(store),
        origin_(base::url_origin(options_.url)),
        client_(std::move(client)) {
    status_.dry_run = options_.dry_run;
    status_.url = origin_;
  }

  Result<void> load() { return pauses_.load(store_); }
  void run(std::span<const GpuUse> gpus, double threshold);
  void stop() {
    stopping_ = true;
    client_->cancel();
  }
  Status status() const {
    MutexLock lock(mutex_);
    return status_;
  }
  Result<std::vector<std::string>> actions(std::size_t most) const;

 private:
  std::vector<Candidate> candidates(std::span<const GpuUse> gpus, double threshold) const;
  // Nullopt: nothing stands in the way of a call.
  std::optional<Effect> obstacle(const Candidate& candidate, std::size_t calls) const;
  Result<Effect> act(const Candidate& candidate, double threshold);
  Call call(const GpuUse& gpu);
  // What a call says of the service.
  void learn(const Call& call);
  Result<void> keep(const GpuUse& gpu, double threshold, Effect effect, std::string_view answer);
  void note_error(const base::Error& error);

  base::Clock& clock_;
  const Options options_;
  model::StateStore& store_;
  const std::string origin_;
  const std::unique_ptr<http::WebClient> client_;
  std::atomic<bool> stopping_ = false;

  // Of the thread that runs.
  Pauses pauses_;
  int service_failures_ = 0;  // one after the other
  WallTime service_until_{};  // not called before
  std::uint64_t kept_ = 0;

  mutable base::Mutex mutex_;
  Status status_ GUARDED_BY(mutex_);
};

void Controller::Impl::run(std::span<const GpuUse> gpus, double threshold) {
  std::array<std::size_t, kEffectCount> effects{};
  std::size_t calls = 0;
  for (const Candidate& candidate : candidates(gpus, threshold)) {
    if (stopping_) break;
    auto effect = obstacle(candidate, calls);
    if (!effect) {
      ++calls;
      const auto acted = act(candidate, threshold);
      if (!acted) {
        note_error(acted.error());
        break;
      }
      effect = *acted;
    }
    ++effects[static_cast<std::size_t>(*effect)];
  }
  if (auto done = pauses_.forget_old(clock_.wall_now(), store_); !done) note_error(done.error());
  MutexLock lock(mutex_);
  status_.last_run_at = clock_.wall_now();
  status_.last_run = effects;
  for (std::size_t i = 0; i < kEffectCount; ++i) status_.total[i] += effects[i];
  status_.backing_off_until.reset();
  if (service_until_ > clock_.wall_now()) status_.backing_off_until = service_until_;
}

std::vector<Candidate> Controller::Impl::candidates(std::span<const GpuUse> gpus,
                                                    double threshold) const {
  const WallTime now = clock_.wall_now();
  std::vector<Candidate> found;
  for (const GpuUse& gpu : gpus) {
    if (gpu.status == model::UseStatus::kUnknown || !gpu.raw_score || !gpu.score ||
        !(*gpu.raw_score < threshold) || !(*gpu.score < threshold)) {
      continue;
    }
    std::string key = Pauses::key_of(gpu.gpu);
    const Pause* const pause = pauses_.find(key, now);
    found.push_back({.gpu = &gpu, .key = std::move(key), .pause = pause});
  }
  const auto order = [](const Candidate& candidate) {
    return std::tuple(candidate.pause == nullptr ? WallTime{} : candidate.pause->called,
                      *candidate.gpu->score, std::string_view(candidate.key));
  };
  std::ranges::sort(found, {}, order);
  return found;
}

std::optional<Effect> Controller::Impl::obstacle(const Candidate& candidate,
                                                 std::size_t calls) const {
  const WallTime now = clock_.wall_now();
  if (candidate.pause != nullptr && candidate.pause->until > now) {
    return candidate.pause->failures > 0 ? Effect::kBackingOff : Effect::kCoolingDown;
  }
  if (service_until_ > now) return Effect::kBackingOff;
  if (calls >= options_.most_per_run) return Effect::kOverCap;
  return std::nullopt;
}

Result<Effect> Controller::Impl::act(const Candidate& candidate, double threshold) {
  const WallTime now = clock_.wall_now();
  const int failures = candidate.pause == nullptr ? 0 : candidate.pause->failures;
  // Written before the call: whatever ends this process, nobody is called for twice.
  const Pause pause{.called = now, .until = now + options_.cool_down};
  if (auto kept = pauses_.put(candidate.key, pause, store_); !kept) {
    return std::unexpected(std::move(kept.error()));
  }
  if (options_.dry_run) {
    if (auto kept = keep(*candidate.gpu, threshold, Effect::kDryRun, "not called: dry run");
        !kept) {
      return std::unexpected(std::move(kept.error()));
    }
    return Effect::kDryRun;
  }
  const Call answer = call(*candidate.gpu);
  learn(answer);
  const Effect effect = answer.done ? Effect::kCalled : Effect::kFailed;
  if (!answer.done) {
    const seconds wait = doubled(std::max(options_.cool_down, seconds{1}), failures,
                                 std::max(kLongestPause, options_.cool_down));
    const Pause longer{.called = now, .until = now + wait, .failures = failures + 1};
    if (auto kept = pauses_.put(candidate.key, longer, store_); !kept) {
      return std::unexpected(std::move(kept.error()));
    }
  }
  if (auto kept = keep(*candidate.gpu, threshold, effect, answer.answer); !kept) {
    return std::unexpected(std::move(kept.error()));
  }
  return effect;
}

Call Controller::Impl::call(const GpuUse& gpu) {
  const std::string body = wire::control_call(gpu);
  http::WebRequest request{.method = "POST", .url = options_.url, .body = body};
  request.headers.emplace_back("Content-Type", "application/json");
  const auto response = client_->send(request);
  Call call;
  if (!response) {
    call.service_fails = true;
    call.answer = response.error().message;
  } else {
    const std::string said = http::one_line(response->body);
    call.done = response->status == 200;
    call.service_fails = response->status == 429 || response->status >= 500;
    call.answer = fmt::format("{}{}{}", response->status, said.empty() ? "" : ": ", said);
    if (const auto after = response->header("retry-after")) {
      call.retry_after = http::parse_retry_after(*after, clock_.wall_now());
    }
  }
  if (!call.done && !stopping_) {
    const std::string what =
        response ? fmt::format("{} answers {}", origin_, call.answer) : call.answer;
    note_error(
        {ErrorKind::kUnavailable, fmt::format("cannot act on {}: {}", gpu.gpu.gpu_id, what)});
  }
  return call;
}

void Controller::Impl::learn(const Call& call) {
  if (!call.service_fails) {
    service_failures_ = 0;
    return;
  }
  ++service_failures_;
  const WallTime now = clock_.wall_now();
  if (service_failures_ >= kFailuresOfService) {
    service_until_ = now + doubled(kFirstServicePause, service_failures_ - kFailuresOfService,
                                   kLongestServicePause);
  }
  if (call.retry_after) {
    const milliseconds asked = std::min<milliseconds>(*call.retry_after, kLongestServicePause);
    service_until_ = std::max(service_until_, now + asked);
  }
}

Result<void> Controller::Impl::keep(const GpuUse& gpu, double threshold, Effect effect,
                                    std::string_view answer) {
  std::string text;
  wire::JsonWriter json(text);
  json.begin_object().key("at").time(clock_.wall_now());
  json.key("gpu_id").string(gpu.gpu.gpu_id).key("pod").string(gpu.gpu.pod);
  json.key("namespace").string(gpu.gpu.name_space).key("hostname").string(gpu.gpu.hostname);
  json.key("effect").string(effect_name(effect)).key("raw_score");
  wire::write_rounded(json, *gpu.raw_score, 1);
  json.key("score");
  wire::write_rounded(json, *gpu.score, 1);
  json.key("why").string(why(gpu, threshold));
  json.key("answer").string(answer).key("url").string(origin_).end_object();
  if (auto kept = store_.append(kActionKind, text); !kept) {
    return std::unexpected(std::move(kept.error()));
  }
  return ++kept_ % kTrimEvery == 0 ? store_.trim(kActionKind, kActionsKept) : Result<void>{};
}

void Controller::Impl::note_error(const base::Error& error) {
  base::log(LogLevel::kWarning, error.message);
  MutexLock lock(mutex_);
  status_.last_error = error;
  status_.last_error_at = clock_.wall_now();
}

Result<std::vector<std::string>> Controller::Impl::actions(std::size_t most) const {
  auto records = store_.page(kActionKind, {.after = "", .limit = most, .descending = true});
  if (!records) return std::unexpected(std::move(records.error()));
  std::vector<std::string> actions;
  for (model::StateRecord& record : *records) actions.push_back(std::move(record.value));
  return actions;
}

std::string control_document(const Status& status, const std::vector<std::string>& actions) {
  std::string text;
  wire::JsonWriter json(text);
  json.begin_object().key("dry_run").boolean(status.dry_run).key("url").string(status.url);
  json.key("last_run_at");
  write_time(json, status.last_run_at);
  json.key("last_run");
  write_effects(json, status.last_run);
  json.key("total");
  write_effects(json, status.total);
  json.key("backing_off_until");
  write_time(json, status.backing_off_until);
  json.key("last_error");
  if (status.last_error_at) {
    json.begin_object().key("at").time(*status.last_error_at);
    json.key("message").string(status.last_error.message).end_object();
  } else {
    json.null();
  }
  json.key("actions").begin_array();
  for (const std::string& action : actions) json.raw(action);
  json.end_array().end_object();
  return text;
}

void append_metrics(const Status& status, wire::MetricsFormat format, std::string& out) {
  wire::MetricLines lines(out, format);
  constexpr std::string_view kGpus = "gpuscope_control_gpus";
  lines.begin_counter(kGpus, "GPUs under the threshold by both scores, by what became of them");
  for (std::size_t i = 0; i < kEffectCount; ++i) {
    lines.sample(kGpus, "_total", fmt::format("effect=\"{}\"", effect_name(static_cast<Effect>(i))),
                 static_cast<double>(status.total[i]));
  }
  lines.gauge("gpuscope_control_backing_off", "1 while the control service is left alone",
              status.backing_off_until ? 1 : 0);
}

Result<std::unique_ptr<Controller>> Controller::create(base::Clock& clock, Options options,
                                                       model::StateStore& store) {
  if (const std::string wrong = base::check_web_url(options.url); !wrong.empty()) {
    return base::fail(ErrorKind::kInvalidArgument,
                      "cannot call a control service: its address " + wrong);
  }
  auto client = http::WebClient::create(
      {.connect_timeout = options.timeout, .timeout = options.timeout, .max_body_bytes = 4096});
  if (!client) return std::unexpected(std::move(client.error()));
  auto impl = std::make_unique<Impl>(clock, std::move(options), store, std::move(*client));
  // Who was called for is not known: better say so than act on somebody again.
  if (auto loaded = impl->load(); !loaded) return std::unexpected(std::move(loaded.error()));
  return std::unique_ptr<Controller>(new Controller(std::move(impl)));
}

Controller::Controller(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Controller::~Controller() = default;
void Controller::run(std::span<const GpuUse> gpus, double threshold) {
  impl_->run(gpus, threshold);
}
void Controller::stop() { impl_->stop(); }
Status Controller::status() const { return impl_->status(); }
Result<std::vector<std::string>> Controller::actions(std::size_t most) const {
  return impl_->actions(most);
}

}  // namespace gpuscope::act
