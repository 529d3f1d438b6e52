#include "api/live_stream.h"

#include <limits>
#include <string>
#include <thread>
#include <utility>

#include "base/mutex.h"
#include "base/thread.h"
#include "wire/snapshot_document.h"
#include "wire/stream_event.h"

namespace gpuscope::api {

using base::MutexLock;
using Tick = std::shared_ptr<const model::Snapshot>;

namespace {

// For every listener, whatever it has had.
constexpr std::uint64_t kForAll = std::numeric_limits<std::uint64_t>::max();

}  // namespace

class LiveStream::Impl {
 public:
  Impl(base::Clock& clock, http::Server& server) : clock_(clock), server_(server) {}

  base::Result<void> start() {
    return base::start_thread(thread_, "stream", [this] { run(); });
  }

  void stop() {
    {
      MutexLock lock(mutex_);
      stopping_ = true;
      wake_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
  }

  void take(Tick tick) {
    if (server_.listeners() == 0) return;
    MutexLock lock(mutex_);
    latest_ = std::move(tick);
    wake_.notify_all();
  }

 private:
  void run() {
    base::SteadyTime quiet_since = clock_.steady_now();
    for (;;) {
      Tick tick;
      {
        MutexLock lock(mutex_);
        while (!stopping_ && !latest_ && clock_.steady_now() < quiet_since + kHeartbeat) {
          clock_.wait_until(wake_, lock, quiet_since + kHeartbeat);
        }
        if (stopping_) return;
        tick = std::move(latest_);
      }
      quiet_since = clock_.steady_now();
      if (tick) {
        publish(*tick);
      } else if (server_.listeners() > 0) {
        server_.publish(kTickTopic, kForAll, heartbeat_);
      }
    }
  }

  void publish(const model::Snapshot& snapshot) {
    document_.clear();
    wire::append_snapshot(document_, snapshot);
    auto event = std::make_shared<std::string>();
    event->reserve(document_.size() + 64);
    wire::append_event(*event, kTickEvent, snapshot.sequence, document_);
    server_.publish(kTickTopic, snapshot.sequence, std::move(event));
  }

  base::Clock& clock_;
  http::Server& server_;
  const std::shared_ptr<const std::string> heartbeat_ =
      std::make_shared<const std::string>(wire::kHeartbeat);
  std::thread thread_;
  std::string document_;  // the thread's own
  base::Mutex mutex_;
  base::CondVar wake_;
  Tick latest_ GUARDED_BY(mutex_);  // not sent yet
  bool stopping_ GUARDED_BY(mutex_) = false;
};

LiveStream::LiveStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LiveStream::~LiveStream() { stop(); }

base::Result<std::unique_ptr<LiveStream>> LiveStream::start(base::Clock& clock,
                                                            http::Server& server) {
  std::unique_ptr<LiveStream> stream(new LiveStream(std::make_unique<Impl>(clock, server)));
  if (auto started = stream->impl_->start(); !started) {
    return std::unexpected(std::move(started.error()));
  }
  return stream;
}

void LiveStream::take(std::shared_ptr<const model::Snapshot> snapshot) {
  impl_->take(std::move(snapshot));
}
void LiveStream::stop() { impl_->stop(); }

}  // namespace gpuscope::api
