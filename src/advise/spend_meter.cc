#include "advise/spend_meter.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>

namespace gpuscope::advise {
namespace {

std::int64_t minute_number(base::WallTime now) {
  return std::chrono::floor<std::chrono::minutes>(now.time_since_epoch()).count();
}

// Takes a number and the blank or line end behind it off the front of `text`.
template <typename Number>
bool take(std::string_view& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end == text.data() + text.size()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  return true;
}

}  // namespace

Spent& SpendMeter::minute(base::WallTime now) {
  const std::int64_t number = minute_number(now);
  Minute& place = minutes_[static_cast<std::size_t>(number) % kMinutes];
  if (place.number < number) place = {.number = number, .spent = {}};
  return place.spent;
}

bool SpendMeter::reserve(const Spent& request, base::WallTime now) {
  const Spent spent = last_hour(now);
  const auto fits = [](auto limit, auto sum) { return limit == 0 || sum <= limit; };
  if (!fits(limits_.requests, spent.requests + request.requests) ||
      !fits(limits_.tokens, spent.tokens + request.tokens) ||
      !(limits_.cost <= 0 || spent.cost + request.cost <= limits_.cost)) {
    return false;
  }
  Spent& current = minute(now);
  current.requests += request.requests;
  current.tokens += request.tokens;
  current.cost += request.cost;
  return true;
}

void SpendMeter::settle(const Spent& reserved, const Spent& actual, base::WallTime now) {
  // Never below 0: the minute of the reservation may be another one.
  Spent& current = minute(now);
  current.requests += actual.requests;
  current.requests -= std::min(current.requests, reserved.requests);
  current.tokens += actual.tokens;
  current.tokens -= std::min(current.tokens, reserved.tokens);
  current.cost = std::max(current.cost + actual.cost - reserved.cost, 0.0);
}

Spent SpendMeter::last_hour(base::WallTime now) const {
  const std::int64_t oldest = minute_number(now) - static_cast<std::int64_t>(kMinutes) + 1;
  Spent sum;
  for (const Minute& place : minutes_) {
    if (place.number < oldest) continue;
    sum.requests += place.spent.requests;
    sum.tokens += place.spent.tokens;
    sum.cost += place.spent.cost;
  }
  return sum;
}

std::string SpendMeter::save() const {
  std::string text;
  for (const Minute& place : minutes_) {
    if (place.spent == Spent{}) continue;
    text += fmt::format("{} {} {} {}\n", place.number, place.spent.requests, place.spent.tokens,
                        place.spent.cost);
  }
  return text;
}

void SpendMeter::restore(std::string_view text) {
  Minute read;
  while (take(text, read.number) && take(text, read.spent.requests) &&
         take(text, read.spent.tokens) && take(text, read.spent.cost)) {
    if (read.number < 0 || !(read.spent.cost >= 0) || !std::isfinite(read.spent.cost)) return;
    Minute& place = minutes_[static_cast<std::size_t>(read.number) % kMinutes];
    if (place.number < read.number) place = read;
  }
}

}  // namespace gpuscope::advise
