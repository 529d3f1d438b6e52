#include "collect/device_crew.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "base/thread.h"

namespace gpuscope::collect {

using base::MutexLock;

namespace {

// So many threads are woken for a tick: to wake one costs more than to read a quick device. What
// they have not begun with after kPatience, the others take.
constexpr std::size_t kQuickHands = 2;
constexpr std::chrono::milliseconds kPatience{1};

}  // namespace

// One device's mailbox.
struct DeviceCrew::Seat {
  enum class State : std::uint8_t { kIdle, kAsked, kReading };

  State state = State::kIdle;
  std::uint64_t round = 0;  // the last one that it was asked in
  bool given_up = false;    // the answer to that will come too late
  base::WallTime tick{};
  // The reading thread's alone while kReading, else whoever holds the mutex. Stays from read to
  // read, as sources expect.
  model::DeviceSample sample;
  std::vector<model::Event> late;  // of answers that came too late: told with the next one in time
};

// One thread, that reads whatever device is next.
struct DeviceCrew::Hand {
  base::CondVar bell;
  bool resting = false;  // waits for the bell, which has not rung yet
  bool reading = false;
};

struct DeviceCrew::Shared {
  Shared(std::shared_ptr<model::Source> from, std::size_t devices)
      : source(std::move(from)), seats(devices), hands(devices) {}

  // The next device to read; null when there is none.
  Seat* claim() REQUIRES(mutex);
  // Wakes that many threads, if there are as many.
  void ring(std::size_t count) REQUIRES(mutex);

  const std::shared_ptr<model::Source> source;
  base::Mutex mutex;
  base::CondVar answered;   // nobody of this round is under way any more, or read() shall look up
  std::vector<Seat> seats;  // every field GUARDED_BY(mutex), but for `sample` while kReading
  std::vector<Hand> hands GUARDED_BY(mutex);  // as many as devices: all but one may be stuck
  std::size_t next GUARDED_BY(mutex) = 0;     // no device before it is kAsked
  std::uint64_t round GUARDED_BY(mutex) = 0;
  std::size_t pending GUARDED_BY(mutex) = 0;  // asked in this round and not answered yet
  std::size_t reading GUARDED_BY(mutex) = 0;  // inside read(), of whatever round
  bool dismissed GUARDED_BY(mutex) = false;
};

DeviceCrew::Seat* DeviceCrew::Shared::claim() {
  while (next < seats.size()) {
    Seat& seat = seats[next++];
    if (seat.state == Seat::State::kAsked) return &seat;
  }
  return nullptr;
}

void DeviceCrew::Shared::ring(std::size_t count) {
  for (Hand& hand : hands) {
    if (count == 0) return;
    if (!hand.resting) continue;
    hand.resting = false;
    hand.bell.notify_one();
    --count;
  }
}

void DeviceCrew::work(const std::shared_ptr<Shared>& shared, std::size_t self) {
  for (;;) {
    Seat* seat = nullptr;
    base::WallTime tick;
    {
      MutexLock lock(shared->mutex);
      Hand& hand = shared->hands[self];
      while (!shared->dismissed && (seat = shared->claim()) == nullptr) {
        hand.resting = true;
        hand.bell.wait(lock);
      }
      hand.resting = false;
      if (shared->dismissed) return;
      hand.reading = true;
      seat->state = Seat::State::kReading;
      ++shared->reading;
      tick = seat->tick;
    }
    shared->source->read(static_cast<std::size_t>(seat - shared->seats.data()), tick, seat->sample);
    MutexLock lock(shared->mutex);
    shared->hands[self].reading = false;
    seat->state = Seat::State::kIdle;
    --shared->reading;
    if (seat->round == shared->round) --shared->pending;
    if (seat->given_up) keep_events(*seat);
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
  for (std::size_t self = 0; self < devices; ++self) {
    auto thread = base::start_thread("read-" + std::to_string(self),
                                     [shared = crew->shared_, self] { work(shared, self); });
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
    shared_->ring(shared_->hands.size());
    while (shared_->reading > 0 && clock_.steady_now() < until) {
      clock_.wait_until(shared_->answered, lock, until);
    }
    for (std::size_t i = 0; i < threads_.size(); ++i) {
      stuck[i] = shared_->hands[i].reading;
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
    shared.pending = shared.next = 0;
    for (Seat& seat : shared.seats) {
      if (seat.state != State::kIdle) continue;
      seat.state = State::kAsked;
      seat.round = shared.round;
      seat.given_up = false;
      seat.tick = tick;
      ++shared.pending;
    }
    shared.ring(std::min(shared.pending, kQuickHands));
  }
  const std::stop_callback wake_up(stop, [&shared] {
    MutexLock lock(shared.mutex);
    shared.answered.notify_one();
  });

  const base::SteadyTime all_hands = clock_.steady_now() + kPatience;
  bool patient = true;
  MutexLock lock(shared.mutex);
  while (shared.pending > 0 && !stop.stop_requested()) {
    const base::SteadyTime now = clock_.steady_now();
    if (now >= deadline) break;
    if (patient && now >= all_hands) {
      patient = false;
      shared.ring(shared.seats.size() - shared.next);
    }
    clock_.wait_until(shared.answered, lock, patient ? std::min(all_hands, deadline) : deadline);
  }
  std::size_t timeouts = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    Seat& seat = shared.seats[i];
    // One that nobody came to begin with is not stuck: it is asked again.
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
