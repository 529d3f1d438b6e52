#include "history/history.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "base/mutex.h"
#include "base/queue_thread.h"
#include "history/reader.h"

namespace gpuscope::history {

using base::ErrorKind;
using base::MutexLock;
using Tick = std::shared_ptr<const model::Snapshot>;

// Readings of GPUs that wait for the writer at most, whatever options say: each takes about 4 KiB.
constexpr std::size_t kMostQueuedGpus = 400'000;

class History::Impl {
 public:
  Impl(base::Clock& clock, HistoryOptions options)
      : clock_(clock),
        options_(std::move(options)),
        trouble_(fmt::format("writes to {} again", options_.store.path)),
        queue_(clock, options_.queue) {}

  base::Result<void> start() {
    return queue_.start("history", [this] { run(); });
  }
  void stop() { queue_.stop(); }
  void take(Tick tick) {
    const std::size_t gpus = std::max<std::size_t>(tick->devices.size(), 1);
    if (queue_.size() < kMostQueuedGpus / gpus) {
      queue_.put(std::move(tick));
    } else {
      queue_.drop(1);
    }
  }
  HistoryStatus status() const {
    const std::uint64_t dropped = queue_.dropped();
    MutexLock lock(mutex_);
    HistoryStatus status = status_;
    status.dropped = dropped;
    return status;
  }
  void change_limits(const StoreOptions& limits) {
    MutexLock lock(mutex_);
    limits_ = limits;
  }
  std::unique_ptr<HistoryReader> reader() const {
    return std::make_unique<HistoryReader>(options_.store.path, live_);
  }

 private:
  void run();
  void append(const Tick& tick);
  void commit();
  bool open();
  void settle(base::Result<void> outcome);
  void note_store();
  // Ticks wait and none has come for long: they are not left to wait.
  bool is_due() const { return commit_at_ && clock_.steady_now() >= *commit_at_; }
  bool may_try() const { return clock_.steady_now() >= retry_at_; }

  base::Clock& clock_;
  const HistoryOptions options_;
  const std::shared_ptr<LiveBlock> live_ = std::make_shared<LiveBlock>();

  mutable base::Mutex mutex_;
  std::optional<StoreOptions> limits_ GUARDED_BY(mutex_);  // where they were changed
  HistoryStatus status_ GUARDED_BY(mutex_);  // without what was dropped: the queue counts that

  // The thread's own.
  std::unique_ptr<Store> store_;
  std::uint64_t store_ticks_ = 0;  // of its committed ticks, those that status_ has
  std::optional<base::SteadyTime> commit_at_;
  base::SteadyTime retry_at_{};
  base::TroubleLog trouble_;

  base::QueueThread<Tick> queue_;  // the last member: its thread uses the others
};

void History::Impl::run() {
  open();  // what is wrong with the file shows at once
  for (;;) {
    const auto next = queue_.next(commit_at_);
    if (next.item) append(*next.item);
    const bool last = !next.item && next.stopping;
    if (store_ && store_->has_pending() && (last || is_due() || (store_->is_due() && may_try()))) {
      commit();
    }
    trouble_.note_drops(queue_.dropped(), [&](std::uint64_t fresh) {
      return fmt::format(
          "cannot write the history as fast as GPUs are read: {} tick{} left out of {}", fresh,
          fresh == 1 ? "" : "s", options_.store.path);
    });
    if (last) {
      if (store_) queue_.drop(store_->pending_ticks());
      store_.reset();
      return;
    }
  }
}

void History::Impl::append(const Tick& tick) {
  if (!open()) return queue_.drop(1);
  base::Result<void> outcome;
  switch (store_->append(*tick, outcome)) {
    case Taken::kDuplicate: {
      MutexLock lock(mutex_);
      ++status_.duplicates;
      return;
    }
    case Taken::kDropped:
      queue_.drop(1);
      break;
    case Taken::kYes:
      if (!commit_at_) commit_at_ = clock_.steady_now() + options_.store.commit_after;
      break;
  }
  if (!outcome) settle(std::move(outcome));
}

void History::Impl::commit() {
  {
    MutexLock lock(mutex_);
    if (limits_) store_->change_limits(*limits_);
  }
  auto outcome = store_->commit();
  if (outcome) {
    const base::WallTime now = clock_.wall_now();
    MutexLock lock(mutex_);
    status_.last_write = now;
  }
  settle(std::move(outcome));
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
      queue_.drop(store_->pending_ticks());
      store_.reset();
      commit_at_.reset();
    }
  }
  {
    MutexLock lock(mutex_);
    status_.failing = !outcome;
    if (!outcome) ++status_.write_errors;
    if (!outcome) status_.error = std::move(outcome.error());
  }
  trouble_.note(message);
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
std::unique_ptr<HistoryReader> History::reader() const { return impl_->reader(); }
void History::change_limits(const StoreOptions& limits) { impl_->change_limits(limits); }
void History::stop() { impl_->stop(); }

}  // namespace gpuscope::history
