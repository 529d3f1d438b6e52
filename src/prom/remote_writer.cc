#include "prom/remote_writer.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "base/web_url.h"
#include "http/web_answer.h"
#include "http/web_client.h"
#include "prom/credentials.h"
#include "prom/send_position.h"
#include "prom/tick_batch.h"
#include "prom/write_answer.h"

namespace gpuscope::prom {
namespace {

using base::ErrorKind;
using base::LogLevel;
using base::MutexLock;
using base::Result;
using std::chrono::milliseconds;

constexpr std::size_t kMaxAnswerBytes = 4096;
constexpr int kNiceness = 5;
constexpr std::chrono::seconds kTellAgain{60};

}  // namespace

class RemoteWriter::Impl {
 public:
  Impl(base::Clock& clock, RemoteWriteOptions options, wire::MetricsOptions metrics,
       std::unique_ptr<model::TickReader> reader, RemoteWriteLimits limits,
       std::unique_ptr<http::WebClient> client)
      : clock_(clock),
        options_(std::move(options)),
        limits_(limits),
        origin_(base::url_origin(options_.url)),
        since_(clock.wall_now()),
        reader_(std::move(reader)),
        client_(std::move(client)),
        batch_(std::move(metrics), options_.labels),
        random_(static_cast<std::minstd_rand::result_type>(
            clock.wall_now().time_since_epoch().count())) {}

  Result<void> start();
  void stop();
  RemoteWriteStatus status() const;
  void change(wire::MetricsOptions metrics) {
    MutexLock lock(mutex_);
    changed_metrics_ = std::move(metrics);
  }

 private:
  void run();
  // Something was done; false: there is nothing to do for now.
  Result<bool> step();
  Result<void> begin();
  Result<void> fill();
  void take_changes();
  void take(const model::Snapshot& tick);
  Result<bool> send_batch();
  // Nothing more is to be done with the request.
  Result<bool> send_request();
  Result<http::WebRequest> request() const;
  Result<void> save(bool durable);
  Result<void> note_left();
  void settle(const Result<void>& outcome);
  void tell_refused(int status, std::string_view answer);
  milliseconds retry_delay();
  // Waits, and keeps the numbers of the status true; false: it is time to stop.
  bool wait(milliseconds time);
  bool is_stopping() const {
    MutexLock lock(mutex_);
    return stopping_;
  }

  base::Clock& clock_;
  const RemoteWriteOptions options_;
  const RemoteWriteLimits limits_;
  const std::string origin_;
  const base::WallTime since_;
  std::thread thread_;

  mutable base::Mutex mutex_;
  base::CondVar wake_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  RemoteWriteStatus status_ GUARDED_BY(mutex_);
  std::optional<wire::MetricsOptions> changed_metrics_ GUARDED_BY(mutex_);

  // The thread's own, but for WebClient::cancel().
  const std::unique_ptr<model::TickReader> reader_;
  const std::unique_ptr<http::WebClient> client_;
  std::unique_ptr<PositionFile> file_;
  SendPosition position_;
  bool begun_ = false;
  // The batch that is filled, or on its way.
  TickBatch batch_;
  model::TickPosition batch_end_;
  std::optional<base::WallTime> batch_newest_;
  bool sending_ = false;
  std::size_t next_series_ = 0;  // of the batch: those before are in requests that are done
  bool request_waits_ = false;   // request_ is to be sent, perhaps again
  WriteRequest request_;

  milliseconds backoff_{0};
  milliseconds asked_to_wait_{0};  // by the server
  std::string told_;               // the failure that the log knows of
  std::optional<base::SteadyTime> told_refused_;
  std::uint64_t refused_since_told_ = 0;
  std::minstd_rand random_;
};

Result<void> RemoteWriter::Impl::start() {
  return base::start_thread(thread_, "remote-write", [this] {
    // Catching up may take its time; reading GPUs may not.
    setpriority(PRIO_PROCESS, 0, kNiceness);
    run();
  });
}

void RemoteWriter::Impl::stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  client_->cancel();
  if (thread_.joinable()) thread_.join();
}

RemoteWriteStatus RemoteWriter::Impl::status() const {
  MutexLock lock(mutex_);
  RemoteWriteStatus status = status_;
  if (status.pending_ticks > 0) {
    const auto lag = clock_.wall_now() - status.newest.value_or(since_);
    status.lag = std::max(lag, std::chrono::microseconds{0});
  }
  return status;
}

void RemoteWriter::Impl::run() {
  for (;;) {
    const auto done = step();
    if (is_stopping()) break;
    milliseconds delay{0};
    if (!done) {
      settle(std::unexpected(done.error()));
      delay = retry_delay();
    } else if (!*done) {
      delay = limits_.poll;
    }
    if (!wait(delay)) break;
  }
  if (!begun_ || sending_) return;  // what is written of the batch under way is true
  if (auto saved = save(true); !saved) base::log(LogLevel::kError, saved.error().message);
}

Result<bool> RemoteWriter::Impl::step() {
  if (!begun_) {
    if (auto done = begin(); !done) return std::unexpected(std::move(done.error()));
    begun_ = true;
  }
  if (!sending_) {
    if (auto done = fill(); !done) return std::unexpected(std::move(done.error()));
    if (batch_.ticks() == 0) {
      // Ticks that are not sent are behind us as well.
      position_.sent = batch_end_;
      position_.sending.reset();
      settle({});
      return false;
    }
    position_.sending = batch_end_;
    if (auto done = save(true); !done) return std::unexpected(std::move(done.error()));
    sending_ = true;
    next_series_ = 0;
    request_waits_ = false;
  }
  return send_batch();
}

// Finds out where the last run ended.
Result<void> RemoteWriter::Impl::begin() {
  if (!file_) {
    auto file = PositionFile::open(options_.position_file);
    if (!file) return std::unexpected(std::move(file.error()));
    file_ = std::make_unique<PositionFile>(std::move(*file));
  }
  const auto saved = file_->read();
  if (!saved && saved.error().kind != ErrorKind::kInvalidArgument) {
    return std::unexpected(saved.error());
  }
  if (!saved) {
    base::log(LogLevel::kWarning, saved.error().message + "; sends what is read from now on");
  }
  const auto end = reader_->end();
  if (!end) return std::unexpected(end.error());
  if (const auto known = saved.value_or(std::nullopt)) {
    position_ = *known;
    if (*end < position_.sent) {
      base::log(LogLevel::kWarning,
                "the history is another one than remote write knows: begins at its first tick");
      position_.sent = {};
      position_.sending.reset();
    }
  } else {
    const bool all = options_.from_start && saved;  // what was damaged may have been at the end
    position_ = {.sent = all ? model::TickPosition{} : *end,
                 .newest = std::nullopt,
                 .sending = std::nullopt};
    if (auto done = save(true); !done) return done;
  }
  if (position_.newest) {
    MutexLock lock(mutex_);
    status_.newest = position_.newest;
  }
  // The tick before the first says which series there were.
  if (position_.sent.tick > 0) {
    const model::TickPosition before{position_.sent.block, position_.sent.tick - 1};
    reader_->seek(before);
    const auto tick = reader_->next();
    if (tick && *tick != nullptr && reader_->position() == position_.sent) {
      batch_.begin_behind(**tick);
    }
  }
  reader_->seek(position_.sent);
  return {};
}

void RemoteWriter::Impl::take_changes() {
  std::optional<wire::MetricsOptions> changed;
  {
    MutexLock lock(mutex_);
    changed.swap(changed_metrics_);
  }
  if (changed) batch_.change(std::move(*changed));
}

// Reads ticks until the batch is full, or is the one that was on its way when the last run ended.
Result<void> RemoteWriter::Impl::fill() {
  take_changes();
  const auto now = clock_.wall_now();
  if (position_.newest && *position_.newest > now + limits_.clock_slack) {
    base::log(LogLevel::kWarning,
              fmt::format("sends ticks of before {} again: the clock was wrong then",
                          base::format_utc(*position_.newest)));
    position_.newest.reset();
  }
  if (batch_.ticks() == 0) batch_newest_ = position_.newest;
  std::size_t read = 0;
  while (batch_.samples() < limits_.max_samples && batch_.ticks() < limits_.max_ticks) {
    batch_end_ = reader_->position();
    if (position_.sending && batch_end_ >= *position_.sending) break;
    const auto tick = reader_->next();
    if (!tick) return std::unexpected(tick.error());
    if (*tick == nullptr) break;
    take(**tick);
    batch_end_ = reader_->position();
    if (++read % limits_.max_ticks == 0 && is_stopping()) break;
  }
  batch_end_ = reader_->position();
  return note_left();
}

void RemoteWriter::Impl::take(const model::Snapshot& tick) {
  if (batch_newest_ && tick.time <= *batch_newest_) {
    MutexLock lock(mutex_);
    ++status_.disordered_ticks;
    return;
  }
  const auto slot = [&](base::WallTime time) {
    return time.time_since_epoch() / options_.interval;
  };
  if (options_.interval.count() > 0 && batch_newest_ && slot(tick.time) == slot(*batch_newest_)) {
    return;
  }
  batch_.add(tick);
  batch_newest_ = tick.time;
}

// What is left of the batch, request by request.
Result<bool> RemoteWriter::Impl::send_batch() {
  for (;;) {
    if (!request_waits_ && !batch_.next_request(next_series_, limits_.max_bytes, request_)) break;
    request_waits_ = true;
    const auto done = send_request();
    if (!done) return std::unexpected(done.error());
    request_waits_ = false;
    settle({});
    if (is_stopping()) return true;
  }
  batch_.clear();
  sending_ = false;
  position_ = {.sent = batch_end_, .newest = batch_newest_, .sending = std::nullopt};
  {
    MutexLock lock(mutex_);
    status_.newest = position_.newest;
  }
  if (auto done = save(false); !done) return std::unexpected(std::move(done.error()));
  if (auto done = note_left(); !done) return std::unexpected(std::move(done.error()));
  return true;
}

Result<http::WebRequest> RemoteWriter::Impl::request() const {
  http::WebRequest request{.method = "POST", .url = options_.url};
  request.headers = {{"Content-Type", "application/x-protobuf"},
                     {"Content-Encoding", "snappy"},
                     {"X-Prometheus-Remote-Write-Version", "0.1.0"}};
  if (auto done = add_credentials(options_.credentials, request); !done) {
    return std::unexpected(std::move(done.error()));
  }
  return request;
}

// True: the server has it, or will never take it.
Result<bool> RemoteWriter::Impl::send_request() {
  auto asked = request();
  if (!asked) return std::unexpected(std::move(asked.error()));
  const std::string& bytes = request_.compressed();
  asked->body = bytes;
  asked_to_wait_ = milliseconds{0};
  const auto answer = client_->send(*asked);
  const Outcome outcome = answer ? judge(answer->status) : Outcome::kLater;
  {
    MutexLock lock(mutex_);
    if (outcome == Outcome::kTaken) {
      status_.sent_samples += request_.samples();
      status_.sent_bytes += bytes.size();
      ++status_.requests;
    } else if (outcome == Outcome::kNever) {
      status_.refused_samples += request_.samples();
    } else {
      ++status_.failed_requests;
    }
  }
  if (!answer) return std::unexpected(answer.error());
  if (outcome == Outcome::kNever) tell_refused(answer->status, answer->body);
  if (outcome == Outcome::kTaken || outcome == Outcome::kNever) return true;
  // Nobody is asked again and again for what he has refused.
  if (outcome == Outcome::kShut) asked_to_wait_ = limits_.last_retry;
  if (const auto after = answer->header("retry-after")) {
    const auto wait = http::parse_retry_after(*after, clock_.wall_now());
    if (wait) asked_to_wait_ = std::max(asked_to_wait_, std::min(*wait, limits_.longest_wait));
  }
  return base::fail(
      ErrorKind::kUnavailable,
      answer_error(origin_, answer->status, answer->header("location").value_or(""), answer->body));
}

Result<void> RemoteWriter::Impl::save(bool durable) { return file_->write(position_, durable); }

Result<void> RemoteWriter::Impl::note_left() {
  const auto left = reader_->left();
  if (!left) return std::unexpected(left.error());
  MutexLock lock(mutex_);
  status_.pending_ticks = *left + batch_.ticks();
  status_.lost_ticks = reader_->lost();
  return {};
}

// Notes what came of an attempt, and tells the log what changed.
void RemoteWriter::Impl::settle(const Result<void>& outcome) {
  {
    MutexLock lock(mutex_);
    if (stopping_) return;
    status_.failing = !outcome;
    if (!outcome) status_.error = outcome.error();
  }
  if (!outcome) {
    if (told_ != outcome.error().message) {
      base::log(LogLevel::kWarning, outcome.error().message + "; tried again, nothing is lost");
    }
    told_ = outcome.error().message;
    return;
  }
  backoff_ = milliseconds{0};
  if (!told_.empty()) base::log(LogLevel::kInfo, fmt::format("sends to {} again", origin_));
  told_.clear();
}

// A server that refuses one batch will refuse many: once a minute.
void RemoteWriter::Impl::tell_refused(int status, std::string_view answer) {
  refused_since_told_ += request_.samples();
  const auto now = clock_.steady_now();
  if (told_refused_ && now < *told_refused_ + kTellAgain) return;
  told_refused_ = now;
  base::log(LogLevel::kWarning, answer_error(origin_, status, "", answer) +
                                    fmt::format("; {} samples are given up", refused_since_told_));
  refused_since_told_ = 0;
}

// Doubles from failure to failure; a part of it by chance, so that not all agents come at once.
milliseconds RemoteWriter::Impl::retry_delay() {
  backoff_ = std::clamp(backoff_ * 2, limits_.first_retry, limits_.last_retry);
  const milliseconds half = backoff_ / 2;
  std::uniform_int_distribution<std::int64_t> part(0, half.count());
  return std::max(half + milliseconds{part(random_)}, asked_to_wait_);
}

bool RemoteWriter::Impl::wait(milliseconds time) {
  const auto end = clock_.steady_now() + time;
  for (;;) {
    const auto now = clock_.steady_now();
    {
      MutexLock lock(mutex_);
      const auto until = std::min(end, now + limits_.poll);
      while (!stopping_ && clock_.steady_now() < until) clock_.wait_until(wake_, lock, until);
      if (stopping_) return false;
    }
    if (clock_.steady_now() >= end) return true;
    // What fails here fails again where it is told.
    if (!begun_) continue;
    const auto noted = note_left();
    static_cast<void>(noted);
  }
}

RemoteWriter::RemoteWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RemoteWriter::~RemoteWriter() { stop(); }

Result<std::unique_ptr<RemoteWriter>> RemoteWriter::start(base::Clock& clock,
                                                          RemoteWriteOptions options,
                                                          wire::MetricsOptions metrics,
                                                          std::unique_ptr<model::TickReader> reader,
                                                          RemoteWriteLimits limits) {
  auto client = http::WebClient::create({.connect_timeout = limits.connect_timeout,
                                         .timeout = limits.request_timeout,
                                         .max_body_bytes = kMaxAnswerBytes,
                                         .ca_file = options.ca_file});
  if (!client) return std::unexpected(std::move(client.error()));
  std::unique_ptr<RemoteWriter> writer(
      new RemoteWriter(std::make_unique<Impl>(clock, std::move(options), std::move(metrics),
                                              std::move(reader), limits, std::move(*client))));
  if (auto started = writer->impl_->start(); !started) {
    return std::unexpected(std::move(started.error()));
  }
  return writer;
}

void RemoteWriter::change(wire::MetricsOptions metrics) { impl_->change(std::move(metrics)); }
RemoteWriteStatus RemoteWriter::status() const { return impl_->status(); }
void RemoteWriter::stop() { impl_->stop(); }

}  // namespace gpuscope::prom
