#include "base/clock.h"

#include <array>
#include <cstdint>

namespace gpuscope::base {

WallTime SystemClock::wall_now() const {
  return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}

SteadyTime SystemClock::steady_now() const { return std::chrono::steady_clock::now(); }

void SystemClock::wait_until(CondVar& condition, MutexLock& lock, SteadyTime deadline) {
  condition.wait_until(lock, deadline);
}

FastClock::FastClock(Clock& clock, double speed)
    : clock_(clock),
      speed_(speed),
      wall_start_(clock.wall_now()),
      steady_start_(clock.steady_now()) {}

SteadyTime FastClock::steady_now() const {
  const std::chrono::duration<double, std::nano> passed = clock_.steady_now() - steady_start_;
  return steady_start_ + std::chrono::duration_cast<SteadyTime::duration>(passed * speed_);
}

WallTime FastClock::wall_now() const {
  return wall_start_ + std::chrono::duration_cast<WallTime::duration>(steady_now() - steady_start_);
}

void FastClock::wait_until(CondVar& condition, MutexLock& lock, SteadyTime deadline) {
  const std::chrono::duration<double, std::nano> left = deadline - steady_start_;
  clock_.wait_until(
      condition, lock,
      steady_start_ + std::chrono::duration_cast<SteadyTime::duration>(left / speed_));
}

namespace {

void put_digits(char* at, unsigned value, int width) {
  for (int i = width - 1; i >= 0; --i) {
    at[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

}  // namespace

void append_utc(std::string& out, WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  std::array<char, 33> text{"0000-00-00T00:00:00.000000+00:00"};
  put_digits(text.data(), static_cast<unsigned>(static_cast<int>(date.year())), 4);
  put_digits(text.data() + 5, static_cast<unsigned>(date.month()), 2);
  put_digits(text.data() + 8, static_cast<unsigned>(date.day()), 2);
  put_digits(text.data() + 11, static_cast<unsigned>(clock.hours().count()), 2);
  put_digits(text.data() + 14, static_cast<unsigned>(clock.minutes().count()), 2);
  put_digits(text.data() + 17, static_cast<unsigned>(clock.seconds().count()), 2);
  put_digits(text.data() + 20, static_cast<unsigned>(clock.subseconds().count()), 6);
  out.append(text.data(), text.size() - 1);
}

std::string format_utc(WallTime time) {
  std::string out;
  append_utc(out, time);
  return out;
}

}  // namespace gpuscope::base
