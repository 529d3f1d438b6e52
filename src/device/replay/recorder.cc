#include "device/replay/recorder.h"

#include <fmt/format.h>
#include <pthread.h>

#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/mutex.h"
#include "device/replay/encoder.h"
#include "device/replay/format.h"
#include "device/replay/recording_file.h"

namespace gpuscope::device::replay {

using base::LogLevel;
using base::MutexLock;
using Tick = std::shared_ptr<const model::Snapshot>;

class Recorder::Impl {
 public:
  Impl(base::Clock& clock, RecorderOptions options)
      : clock_(clock), options_(std::move(options)), queue_(options_.queue) {}

  base::Result<void> start();
  void stop();
  void take(Tick tick);
  RecorderStatus status() const {
    MutexLock lock(mutex_);
    return status_;
  }

 private:
  void run();
  // The next tick, or null when there is something else to do.
  Tick wait(bool& stopping);
  void encode(const Tick& tick);
  void flush();
  base::Result<void> open();
  base::Result<void> write();
  void settle(base::Result<void> outcome);
  void drop(std::uint64_t ticks);
  void tell_of_drops();
  bool is_due() const { return pending_ > 0 && clock_.steady_now() >= flush_at_; }

  base::Clock& clock_;
  const RecorderOptions options_;
  std::thread thread_;

  mutable base::Mutex mutex_;
  base::CondVar wake_;
  std::vector<Tick> queue_ GUARDED_BY(mutex_);  // a ring
  std::size_t first_ GUARDED_BY(mutex_) = 0;
  std::size_t size_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
  RecorderStatus status_ GUARDED_BY(mutex_);

  // The thread's own.
  Encoder encoder_;
  std::optional<FrameWriter> writer_;
  std::string records_;
  std::uint64_t pending_ = 0;  // ticks in records_
  base::SteadyTime flush_at_{};
  std::string told_;  // the failure that the log knows of
  std::uint64_t told_drops_ = 0;
};

base::Result<void> Recorder::Impl::start() {
  try {
    thread_ = std::thread([this] {
      pthread_setname_np(pthread_self(), "record");
      run();
    });
  } catch (const std::system_error& error) {
    return base::fail(base::ErrorKind::kUnavailable,
                      fmt::format("cannot start a thread to record: {}", error.what()));
  }
  return {};
}

void Recorder::Impl::stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Recorder::Impl::take(Tick tick) {
  MutexLock lock(mutex_);
  if (size_ == queue_.size() || stopping_) {
    ++status_.dropped;
    return;
  }
  queue_[(first_ + size_++) % queue_.size()] = std::move(tick);
  wake_.notify_all();
}

void Recorder::Impl::run() {
  settle(open());  // what is wrong with the file shows at once
  bool stopping = false;
  for (;;) {
    const Tick tick = wait(stopping);
    if (tick) encode(tick);
    const bool last = !tick && stopping;
    if (pending_ > 0 && (last || records_.size() >= options_.flush_bytes || is_due())) flush();
    tell_of_drops();
    if (last) return;
  }
}

Tick Recorder::Impl::wait(bool& stopping) {
  MutexLock lock(mutex_);
  while (size_ == 0 && !stopping_ && !is_due()) {
    if (pending_ > 0) {
      clock_.wait_until(wake_, lock, flush_at_);
    } else {
      wake_.wait(lock);
    }
  }
  stopping = stopping_;
  if (size_ == 0) return nullptr;
  Tick tick = std::move(queue_[first_]);
  first_ = (first_ + 1) % queue_.size();
  --size_;
  return tick;
}

void Recorder::Impl::encode(const Tick& tick) {
  const std::size_t before = records_.size();
  if (!encoder_.append(*tick, records_)) return drop(1);
  if (pending_++ == 0) flush_at_ = clock_.steady_now() + options_.flush_after;
  if (records_.size() <= kMaxRawBytes) return;
  // Only what fits a frame can be written.
  records_.resize(before);
  encoder_.reset();
  --pending_;
  drop(1);
}

void Recorder::Impl::flush() {
  settle(write());
  records_.clear();
  pending_ = 0;
}

// Notes what came of an attempt to write what is pending, and tells the log what changed.
void Recorder::Impl::settle(base::Result<void> outcome) {
  std::string message = outcome ? "" : outcome.error().message;
  {
    MutexLock lock(mutex_);
    status_.failing = !outcome;
    (outcome ? status_.ticks : status_.dropped) += pending_;
    if (writer_) status_.bytes = writer_->bytes();
    if (!outcome) status_.error = std::move(outcome.error());
  }
  if (!message.empty()) {
    encoder_.reset();  // the file does not have these: what comes next must not refer to them
    if (told_ != message) base::log(LogLevel::kError, message + "; tried again");
  } else if (!told_.empty()) {
    base::log(LogLevel::kInfo, fmt::format("records to {} again", options_.path));
  }
  told_ = std::move(message);
}

base::Result<void> Recorder::Impl::open() {
  if (writer_) return {};
  auto opened = FrameWriter::open(options_.path);
  if (!opened) return std::unexpected(std::move(opened.error()));
  writer_ = std::move(*opened);
  return {};
}

base::Result<void> Recorder::Impl::write() {
  auto opened = open();
  return writer_ ? writer_->append(records_) : opened;
}

void Recorder::Impl::drop(std::uint64_t ticks) {
  MutexLock lock(mutex_);
  status_.dropped += ticks;
}

// Those of a failing disk are told of by its error.
void Recorder::Impl::tell_of_drops() {
  const std::uint64_t dropped = status().dropped;
  const std::uint64_t fresh = dropped - told_drops_;
  told_drops_ = dropped;
  if (fresh == 0 || !told_.empty()) return;
  base::log(LogLevel::kWarning,
            fmt::format("cannot record as fast as GPUs are read: {} tick{} of {} left out", fresh,
                        fresh == 1 ? "" : "s", options_.path));
}

Recorder::Recorder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Recorder::~Recorder() { stop(); }

base::Result<std::unique_ptr<Recorder>> Recorder::start(base::Clock& clock,
                                                        const RecorderOptions& options) {
  std::unique_ptr<Recorder> recorder(new Recorder(std::make_unique<Impl>(clock, options)));
  if (auto started = recorder->impl_->start(); !started) {
    return std::unexpected(std::move(started.error()));
  }
  return recorder;
}

void Recorder::take(std::shared_ptr<const model::Snapshot> snapshot) {
  impl_->take(std::move(snapshot));
}
RecorderStatus Recorder::status() const { return impl_->status(); }
void Recorder::stop() { impl_->stop(); }

}  // namespace gpuscope::device::replay
