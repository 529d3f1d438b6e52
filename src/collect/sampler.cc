#include "collect/sampler.h"

#include <algorithm>
#include <cstdint>
#include <stop_token>
#include <utility>

#include "base/thread.h"
#include "collect/machine_reader.h"
#include "collect/tick_schedule.h"
#include "collect/trend.h"

namespace gpuscope::collect {

using base::MutexLock;
using base::SteadyTime;
using std::chrono::duration_cast;
using std::chrono::microseconds;

namespace {

// Between attempts to open a source: doubling from the first to the second.
constexpr std::chrono::seconds kShortestPause{1};
constexpr std::chrono::seconds kLongestPause{30};
// How long Sampler's destructor waits where nobody called join_until().
constexpr std::chrono::seconds kStopLimit{2};

}  // namespace

class Sampler::Core {
 public:
  Core(base::Clock& clock, const Options& options, std::unique_ptr<model::Source> source)
      : clock_(clock),
        options_(options),
        source_(std::move(source)),
        trends_({options.pace.window, options.pace.interval}),
        used_(clock.steady_now()),
        pace_(options.pace) {}

  void run();
  bool use();
  bool alive() const;
  View view() const;
  void change(const Pace& pace);
  void request_stop();
  bool wait_finished(SteadyTime deadline);
  bool finished() const;
  SteadyTime deadline_after(std::chrono::seconds limit) const {
    return clock_.steady_now() + limit;
  }

 private:
  void sample(MachineReader& reader);
  void publish(const MachineReader::Reading& reading, microseconds took, std::uint64_t missed);
  void fail(base::Error error);
  Pace pace() const;
  // Both return false when it is time to end. Sooner than at `deadline` where the pace is no longer
  // the one that is given.
  bool pause_until(SteadyTime deadline, const Pace* pace = nullptr);
  bool still_wanted();
  void finish();
  bool stopping() const { return stop_.stop_requested(); }

  base::Clock& clock_;
  const Options options_;
  std::stop_source stop_;
  // The thread's own; it lets the source go under the mutex, for request_stop().
  std::shared_ptr<model::Source> source_;
  std::uint64_t sequence_ = 0;
  Trends trends_;  // goes on when the source is opened again

  mutable base::Mutex mutex_;
  base::CondVar wake_;  // stop or another pace was asked for, or the thread has finished
  View view_ GUARDED_BY(mutex_);
  SteadyTime used_ GUARDED_BY(mutex_);
  Pace pace_ GUARDED_BY(mutex_);
  bool ended_ GUARDED_BY(mutex_) = false;     // no longer of use
  bool finished_ GUARDED_BY(mutex_) = false;  // the thread touches nothing but this object any more
};

// After a source came back from a call that may hang, nothing may touch the clock before stopping()
// was asked: a thread that was left behind may outlive it.
void Sampler::Core::run() {
  auto pause = kShortestPause;
  for (;;) {
    auto inventory = source_->open();
    if (stopping()) break;
    const SteadyTime opened = clock_.steady_now();
    if (inventory) {
      auto reader = MachineReader::start(clock_, source_, std::move(*inventory), &trends_);
      if (reader) {
        sample(**reader);
      } else {
        fail(std::move(reader.error()));
      }
    } else {
      fail(std::move(inventory.error()));
    }
    if (stopping()) break;
    // A driver that comes and goes is a driver that fails.
    const SteadyTime now = clock_.steady_now();
    if (now - opened > kLongestPause) pause = kShortestPause;
    if (!pause_until(now + pause)) break;
    pause = std::min(2 * pause, kLongestPause);
  }
  finish();
}

void Sampler::Core::sample(MachineReader& reader) {
  Pace pace = this->pace();
  TickSchedule schedule(clock_.steady_now(), pace.interval);
  std::uint64_t missed = 0;
  while (pause_until(schedule.next(), &pace)) {
    if (const Pace wanted = this->pace(); wanted != pace) {
      pace = wanted;
      schedule = TickSchedule(clock_.steady_now(), pace.interval);
      trends_.change({pace.window, pace.interval});
    }
    if (source_->lost()) {
      fail({base::ErrorKind::kUnavailable,
            "cannot read GPUs: the driver went away (unloaded or updated), or there are other GPUs "
            "than before; it is opened again as soon as it is back"});
      return;
    }
    const SteadyTime begun = clock_.steady_now();
    missed += schedule.begin(begun);
    auto reading = reader.read(++sequence_, begun + pace.device_deadline, stop_.get_token());
    if (stopping()) return;
    const SteadyTime ended = clock_.steady_now();
    missed += schedule.end(ended);
    publish(reading, duration_cast<microseconds>(ended - begun), missed);
    missed = 0;
    for (model::SampleSink* sink : options_.sinks) sink->take(reading.snapshot);
  }
}

void Sampler::Core::publish(const MachineReader::Reading& reading, microseconds took,
                            std::uint64_t missed) {
  auto trouble = source_->trouble();
  MutexLock lock(mutex_);
  view_.status.trouble = std::move(trouble);
  view_.snapshot = reading.snapshot;
  view_.status.state = SourceState::kRunning;
  view_.status.ticks += 1;
  view_.status.missed_ticks += missed;
  view_.status.device_timeouts += reading.timeouts;
  view_.status.last_tick_duration = took;
  view_.status.last_tick = reading.snapshot->time;
  view_.status.expected_gpus = trends_.expected();
  view_.status.absent_gpus = trends_.absent();
}

void Sampler::Core::fail(base::Error error) {
  auto absent = trends_.everyone();
  MutexLock lock(mutex_);
  view_.snapshot = nullptr;
  view_.status.state = SourceState::kFailed;
  view_.status.trouble.reset();
  view_.status.error = std::move(error);
  view_.status.failures += 1;
  view_.status.absent_gpus = std::move(absent);
}

Sampler::Pace Sampler::Core::pace() const {
  MutexLock lock(mutex_);
  return pace_;
}

void Sampler::Core::change(const Pace& pace) {
  MutexLock lock(mutex_);
  pace_ = pace;
  wake_.notify_all();
}

bool Sampler::Core::pause_until(SteadyTime deadline, const Pace* pace) {
  {
    MutexLock lock(mutex_);
    while (!stopping() && clock_.steady_now() < deadline && (pace == nullptr || *pace == pace_)) {
      clock_.wait_until(wake_, lock, deadline);
    }
  }
  return still_wanted();
}

bool Sampler::Core::still_wanted() {
  if (stopping()) return false;
  if (!options_.idle_stop) return true;
  MutexLock lock(mutex_);
  if (clock_.steady_now() - used_ < *options_.idle_stop) return true;
  // In one step with the last look at used_: use() can tell that it came too late.
  ended_ = true;
  stop_.request_stop();
  return false;
}

void Sampler::Core::finish() {
  std::shared_ptr<model::Source> source;
  {
    MutexLock lock(mutex_);
    source.swap(source_);
  }
  source.reset();
  MutexLock lock(mutex_);
  ended_ = true;
  finished_ = true;
  view_.snapshot = nullptr;
  wake_.notify_all();
}

bool Sampler::Core::use() {
  const SteadyTime now = clock_.steady_now();
  MutexLock lock(mutex_);
  used_ = now;
  return !ended_;
}

bool Sampler::Core::alive() const {
  MutexLock lock(mutex_);
  return !ended_;
}

View Sampler::Core::view() const {
  MutexLock lock(mutex_);
  return view_;
}

void Sampler::Core::request_stop() {
  stop_.request_stop();
  MutexLock lock(mutex_);
  if (source_ != nullptr) source_->interrupt();
  ended_ = true;
  wake_.notify_all();
}

bool Sampler::Core::finished() const {
  MutexLock lock(mutex_);
  return finished_;
}

bool Sampler::Core::wait_finished(SteadyTime deadline) {
  MutexLock lock(mutex_);
  while (!finished_ && clock_.steady_now() < deadline) clock_.wait_until(wake_, lock, deadline);
  return finished_;
}

base::Result<std::unique_ptr<Sampler>> Sampler::start(base::Clock& clock, const Options& options,
                                                      const std::string& name,
                                                      std::unique_ptr<model::Source> source) {
  std::unique_ptr<Sampler> sampler(
      new Sampler(std::make_shared<Core>(clock, options, std::move(source))));
  auto thread = base::start_thread("sample-" + name, [core = sampler->core_] { core->run(); });
  if (!thread) return std::unexpected(std::move(thread.error()));
  sampler->thread_ = std::move(*thread);
  return sampler;
}

Sampler::~Sampler() {
  if (!thread_.joinable()) return;
  request_stop();
  join_until(core_->deadline_after(kStopLimit));
}

bool Sampler::use() { return core_->use(); }
void Sampler::change(const Pace& pace) { core_->change(pace); }
bool Sampler::alive() const { return core_->alive(); }
View Sampler::view() const { return core_->view(); }
void Sampler::request_stop() { core_->request_stop(); }
bool Sampler::finished() const { return core_->finished(); }

bool Sampler::join_until(SteadyTime deadline) {
  if (!core_->wait_finished(deadline)) {
    thread_.detach();
    return false;
  }
  thread_.join();
  return true;
}

}  // namespace gpuscope::collect
