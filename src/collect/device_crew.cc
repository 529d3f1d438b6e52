#include "collect/device_crew.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "base/thread.h"

namespace gpuscope::collect {

using base::MutexLock;

// One device's mailbox.
struct DeviceCrew::Seat {
  enum class State : std::uint8_t { kIdle, kAsked, kReading };

  base::CondVar wake;
  State state = State::kIdle;
  std::uint64_t round = 0;  // the last one that it was asked in
  bool given_up = false;    // the answer to that will come too late
  base::WallTime tick{};
  // The worker's alone while kReading, else whoever holds the mutex. Stays from read to read, as
  // sources expect.
  model::DeviceSample sample;
  std::vector<model::Event> late;  // of answers that came too late: told with the next one in time
};

struct DeviceCrew::Shared {
  Shared(std::shared_ptr<model::Source> from, std::size_t devices)
      : source(std::move(from)), seats(devices) {}

  const std::shared_ptr<model::Source> source;
  base::Mutex mutex;
  base::CondVar answered;   // nobody of this round is under way any more, or read() shall look up
  std::vector<Seat> seats;  // every field GUARDED_BY(mutex), but for `sample` while kReading
  std::uint64_t round GUARDED_BY(mutex) = 0;
  std::size_t pending GUARDED_BY(mutex) = 0;  // asked in this round and not answered yet
  std::size_t reading GUARDED_BY(mutex) = 0;  // inside read(), of whatever round
  bool dismissed GUARDED_BY(mutex) = false;
};

void DeviceCrew::work(const std::shared_ptr<Shared>& shared, std::size_t device) {
  Seat& seat = shared->seats[device];
  for (;;) {
    base::WallTime tick;
    {
      MutexLock lock(shared->mutex);
      while (seat.state != Seat::State::kAsked && !shared->dismissed) seat.wake.wait(lock);
      if (shared->dismissed) return;
      seat.state = Seat::State::kReading;
      ++shared->reading;
      tick = seat.tick;
    }
    shared->source->read(device, tick, seat.sample);
    MutexLock lock(shared->mutex);
    seat.state = Seat::State::kIdle;
    --shared->reading;
    if (seat.round == shared->round) --shared->pending;
    if (seat.given_up) keep_events(seat);
    if (shared->pending == 0 || shared->dismissed) shared->answered.notify_one();
  }
}

// Of an answer that comes too late everything is dropped, but not what happened: the source will
// not tell of it again.
void DeviceCrew::keep_events(Seat& seat) {
  constexpr std::size_t kMost = 1024;  // of a device that is late again and again
  for (const model::Event& event : seat.sample.events) {
    if (seat.late.size() < kMost) seat.late.push_back(event);
  }
}

DeviceCrew::DeviceCrew(base::Clock& clock, std::shared_ptr<Shared> shared)
    : clock_(clock), shared_(std::move(shared)) {}

base::Result<std::unique_ptr<DeviceCrew>> DeviceCrew::start(base::Clock& clock,
                                                            std::shared_ptr<model::Source> source,
                                                            std::size_t devices) {
  auto shared = std::make_shared<Shared>(std::move(source), devices);
  std::unique_ptr<DeviceCrew> crew(new DeviceCrew(clock, std::move(shared)));
  crew->threads_.reserve(devices);
  for (std::size_t device = 0; device < devices; ++device) {
    auto thread = base::start_thread("gpu-" + std::to_string(device),
                                     [shared = crew->shared_, device] { work(shared, device); });
    if (!thread) return std::unexpected(thread.error());
    crew->threads_.push_back(std::move(*thread));
  }
  return crew;
}

DeviceCrew::~DeviceCrew() {
  const auto until = std::min(deadline_, clock_.steady_now() + kGrace);
  std::vector<bool> stuck(threads_.size());
  {
    MutexLock lock(shared_->mutex);
    shared_->dismissed = true;
    for (Seat& seat : shared_->seats) seat.wake.notify_one();
    while (shared_->reading > 0 && clock_.steady_now() < until) {
      clock_.wait_until(shared_->answered, lock, until);
    }
    for (std::size_t i = 0; i < threads_.size(); ++i) {
      stuck[i] = shared_->seats[i].state == Seat::State::kReading;
    }
  }
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    if (stuck[i]) {
      threads_[i].detach();
    } else {
      threads_[i].join();
    }
  }
}

std::size_t DeviceCrew::read(base::WallTime tick, base::SteadyTime deadline,
                             const std::stop_token& stop, const model::Snapshot* previous,
                             std::span<model::DeviceSample> out) {
  using State = Seat::State;
  Shared& shared = *shared_;
  deadline_ = deadline;
  {
    MutexLock lock(shared.mutex);
    ++shared.round;
    shared.pending = 0;
    for (Seat& seat : shared.seats) {
      if (seat.state != State::kIdle) continue;
      seat.state = State::kAsked;
      seat.round = shared.round;
      seat.given_up = false;
      seat.tick = tick;
      ++shared.pending;
    }
  }
  // Without the mutex, or each would wake up only to wait for it.
  for (Seat& seat : shared.seats) seat.wake.notify_one();
  const std::stop_callback wake_up(stop, [&shared] {
    MutexLock lock(shared.mutex);
    shared.answered.notify_one();
  });

  MutexLock lock(shared.mutex);
  while (shared.pending > 0 && !stop.stop_requested() && clock_.steady_now() < deadline) {
    clock_.wait_until(shared.answered, lock, deadline);
  }
  std::size_t timeouts = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    Seat& seat = shared.seats[i];
    // One that the system gave no time to begin is not stuck: it is asked again.
    const bool begun = seat.state != State::kAsked;
    if (!begun) seat.state = State::kIdle;
    if (begun && seat.state == State::kIdle && seat.round == shared.round) {
      out[i] = seat.sample;
      if (!seat.late.empty()) {
        out[i].events.insert(out[i].events.begin(), seat.late.begin(), seat.late.end());
        seat.late.clear();
      }
      continue;
    }
    seat.given_up = begun;
    if (previous != nullptr) out[i] = previous->devices[i];
    out[i].events.clear();  // those of the reading before
    out[i].mark_absent(model::Absence::kTimedOut, /*keep_once=*/true);
    ++timeouts;
  }
  return timeouts;
}

}  // namespace gpuscope::collect
