#include "device/replay/recorder.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "base/mutex.h"
#include "base/queue_thread.h"
#include "device/replay/encoder.h"
#include "device/replay/format.h"
#include "device/replay/recording_file.h"

namespace gpuscope::device::replay {

using base::MutexLock;
using Tick = std::shared_ptr<const model::Snapshot>;

class Recorder::Impl {
 public:
  Impl(base::Clock& clock, RecorderOptions options)
      : clock_(clock),
        options_(std::move(options)),
        trouble_(fmt::format("records to {} again", options_.path)),
        queue_(clock, options_.queue) {}

  base::Result<void> start() {
    return queue_.start("record", [this] { run(); });
  }
  void stop() { queue_.stop(); }
  void take(Tick tick) { queue_.put(std::move(tick)); }
  RecorderStatus status() const {
    const std::uint64_t dropped = queue_.dropped();
    MutexLock lock(mutex_);
    RecorderStatus status = status_;
    status.dropped = dropped;
    return status;
  }

 private:
  void run();
  void encode(const Tick& tick);
  void flush();
  base::Result<void> open();
  base::Result<void> write();
  void settle(base::Result<void> outcome);
  bool is_due() const { return pending_ > 0 && clock_.steady_now() >= flush_at_; }

  base::Clock& clock_;
  const RecorderOptions options_;

  mutable base::Mutex mutex_;
  RecorderStatus status_ GUARDED_BY(mutex_);  // without what was dropped: the queue counts that

  // The thread's own.
  Encoder encoder_;
  std::optional<FrameWriter> writer_;
  std::string records_;
  std::uint64_t pending_ = 0;  // ticks in records_
  base::SteadyTime flush_at_{};
  base::TroubleLog trouble_;

  base::QueueThread<Tick> queue_;  // the last member: its thread uses the others
};

void Recorder::Impl::run() {
  settle(open());  // what is wrong with the file shows at once
  for (;;) {
    const auto next =
        queue_.next(pending_ > 0 ? std::optional<base::SteadyTime>(flush_at_) : std::nullopt);
    if (next.item) encode(*next.item);
    const bool last = !next.item && next.stopping;
    if (pending_ > 0 && (last || records_.size() >= options_.flush_bytes || is_due())) flush();
    trouble_.note_drops(queue_.dropped(), [&](std::uint64_t fresh) {
      return fmt::format("cannot record as fast as GPUs are read: {} tick{} of {} left out", fresh,
                         fresh == 1 ? "" : "s", options_.path);
    });
    if (last) return;
  }
}

void Recorder::Impl::encode(const Tick& tick) {
  const std::size_t before = records_.size();
  if (!encoder_.append(*tick, records_)) return queue_.drop(1);
  if (pending_++ == 0) flush_at_ = clock_.steady_now() + options_.flush_after;
  if (records_.size() <= kMaxRawBytes) return;
  // Only what fits a frame can be written.
  records_.resize(before);
  encoder_.reset();
  --pending_;
  queue_.drop(1);
}

void Recorder::Impl::flush() {
  settle(write());
  records_.clear();
  pending_ = 0;
}

// Notes what came of an attempt to write what is pending, and tells the log what changed.
void Recorder::Impl::settle(base::Result<void> outcome) {
  const std::string message = outcome ? "" : outcome.error().message;
  const bool lost = !outcome;
  {
    MutexLock lock(mutex_);
    status_.failing = !outcome;
    if (outcome) status_.ticks += pending_;
    if (writer_) status_.bytes = writer_->bytes();
    if (!outcome) status_.error = std::move(outcome.error());
  }
  if (lost) {
    queue_.drop(pending_);
    encoder_.reset();  // the file does not have these: what comes next must not refer to them
  }
  trouble_.note(message);
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
