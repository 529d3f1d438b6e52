#include "history/history.h"

#include <fmt/format.h>
#include <pthread.h>

#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/mutex.h"
#include "history/reader.h"

namespace gpuscope::history {

using base::ErrorKind;
using base::LogLevel;
using base::MutexLock;
using Tick = std::shared_ptr<const model::Snapshot>;

class History::Impl {
 public:
  Impl(base::Clock& clock, HistoryOptions options)
      : clock_(clock), options_(std::move(options)), queue_(options_.queue) {}

  base::Result<void> start();
  void stop();
  void take(Tick tick);
  HistoryStatus status() const {
    MutexLock lock(mutex_);
    return status_;
  }
  std::unique_ptr<model::SeriesReader> reader() const {
    return std::make_unique<HistoryReader>(options_.store.path, live_);
  }

 private:
  void run();
  // The next tick, or null when there is something else to do.
  Tick wait(bool& stopping);
  void append(const Tick& tick);
  void commit();
  bool open();
  void settle(base::Result<void> outcome);
  void note_store();
  void drop(std::uint64_t ticks);
  void tell_of_drops();
  // Ticks wait and none has come for long: they are not left to wait.
  bool is_due() const { return commit_at_ && clock_.steady_now() >= *commit_at_; }
  bool may_try() const { return clock_.steady_now() >= retry_at_; }

  base::Clock& clock_;
  const HistoryOptions options_;
  const std::shared_ptr<LiveBlock> live_ = std::make_shared<LiveBlock>();
  std::thread thread_;

  mutable base::Mutex mutex_;
  base::CondVar wake_;
  std::vector<Tick> queue_ GUARDED_BY(mutex_);  // a ring
  std::size_t first_ GUARDED_BY(mutex_) = 0;
  std::size_t size_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
  HistoryStatus status_ GUARDED_BY(mutex_);

  // The thread's own.
  std::unique_ptr<Store> store_;
  std::uint64_t store_ticks_ = 0;  // of its committed ticks, those that status_ has
  std::optional<base::SteadyTime> commit_at_;
  base::SteadyTime retry_at_{};
  std::string told_;  // the failure that the log knows of
  std::uint64_t told_drops_ = 0;
};

base::Result<void> History::Impl::start() {
  try {
    thread_ = std::thread([this] {
      pthread_setname_np(pthread_self(), "history");
      run();
    });
  } catch (const std::system_error& error) {
    return base::fail(ErrorKind::kUnavailable,
                      fmt::format("cannot start a thread for the history: {}", error.what()));
  }
  return {};
}

void History::Impl::stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void History::Impl::take(Tick tick) {
  MutexLock lock(mutex_);
  if (size_ == queue_.size() || stopping_) {
    ++status_.dropped;
    return;
  }
  queue_[(first_ + size_++) % queue_.size()] = std::move(tick);
  wake_.notify_all();
}

void History::Impl::run() {
  open();  // what is wrong with the file shows at once
  bool stopping = false;
  for (;;) {
    const Tick tick = wait(stopping);
    if (tick) append(tick);
    const bool last = !tick && stopping;
    if (store_ && store_->has_pending() && (last || is_due() || (store_->is_due() && may_try()))) {
      commit();
    }
    tell_of_drops();
    if (last) {
      if (store_) drop(store_->pending_ticks());
      store_.reset();
      return;
    }
  }
}

Tick History::Impl::wait(bool& stopping) {
  MutexLock lock(mutex_);
  while (size_ == 0 && !stopping_ && !is_due()) {
    if (commit_at_) {
      clock_.wait_until(wake_, lock, *commit_at_);
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

void History::Impl::append(const Tick& tick) {
  if (!open()) return drop(1);
  base::Result<void> outcome;
  switch (store_->append(*tick, outcome)) {
    case Taken::kDuplicate: {
      MutexLock lock(mutex_);
      ++status_.duplicates;
      return;
    }
    case Taken::kDropped:
      drop(1);
      break;
    case Taken::kYes:
      if (!commit_at_) commit_at_ = clock_.steady_now() + options_.store.commit_after;
      break;
  }
  if (!outcome) settle(std::move(outcome));
}

void History::Impl::commit() {
  settle(store_->commit());
  if (store_) note_store();
  commit_at_.reset();
  if (store_ && store_->has_pending()) commit_at_ = retry_at_;
}

// Opens the file where it is not open; not again and again.
bool History::Impl::open() {
  if (store_) return true;
  if (!may_try()) return false;
  auto opened = Store::open(options_.store, live_);
  if (opened) store_ = std::move(*opened);
  store_ticks_ = 0;
  settle(opened ? base::Result<void>{} : std::unexpected(std::move(opened.error())));
  if (store_) note_store();
  return store_ != nullptr;
}

void History::Impl::note_store() {
  const auto bytes = store_->bytes();
  const std::size_t memory = store_->open_memory();
  const std::uint64_t ticks = store_->committed_ticks();
  MutexLock lock(mutex_);
  status_.bytes = bytes.value_or(status_.bytes);
  status_.memory = memory;
  status_.ticks += ticks - store_ticks_;
  store_ticks_ = ticks;
}

// Notes what came of an attempt to write, and tells the log what changed.
void History::Impl::settle(base::Result<void> outcome) {
  const std::string message = outcome ? "" : outcome.error().message;
  if (!outcome) {
    retry_at_ = clock_.steady_now() + options_.retry_after;
    // A damaged file is opened anew, in case somebody mended it.
    if (outcome.error().kind == ErrorKind::kInvalidArgument && store_) {
      drop(store_->pending_ticks());
      store_.reset();
      commit_at_.reset();
    }
  }
  {
    MutexLock lock(mutex_);
    status_.failing = !outcome;
    if (!outcome) status_.error = std::move(outcome.error());
  }
  if (!message.empty()) {
    if (told_ != message) base::log(LogLevel::kError, message + "; tried again");
  } else if (!told_.empty()) {
    base::log(LogLevel::kInfo, fmt::format("writes to {} again", options_.store.path));
  }
  told_ = message;
}

void History::Impl::drop(std::uint64_t ticks) {
  MutexLock lock(mutex_);
  status_.dropped += ticks;
}

// Those of a failing disk are told of by its error.
void History::Impl::tell_of_drops() {
  const std::uint64_t dropped = status().dropped;
  const std::uint64_t fresh = dropped - told_drops_;
  told_drops_ = dropped;
  if (fresh == 0 || !told_.empty()) return;
  base::log(LogLevel::kWarning,
            fmt::format("cannot write the history as fast as GPUs are read: {} tick{} left out of "
                        "{}",
                        fresh, fresh == 1 ? "" : "s", options_.store.path));
}

History::History(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
History::~History() { stop(); }

base::Result<std::unique_ptr<History>> History::start(base::Clock& clock,
                                                      const HistoryOptions& options) {
  std::unique_ptr<History> history(new History(std::make_unique<Impl>(clock, options)));
  if (auto started = history->impl_->start(); !started) {
    return std::unexpected(std::move(started.error()));
  }
  return history;
}

void History::take(std::shared_ptr<const model::Snapshot> snapshot) {
  impl_->take(std::move(snapshot));
}
HistoryStatus History::status() const { return impl_->status(); }
std::unique_ptr<model::SeriesReader> History::reader() const { return impl_->reader(); }
void History::stop() { impl_->stop(); }

}  // namespace gpuscope::history
