#include "notify/delivery_queue.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <ranges>
#include <tuple>
#include <utility>

#include "base/log.h"
#include "wire/delivery_record.h"

namespace gpuscope::notify {
namespace {

using base::LogLevel;
using base::MutexLock;
using base::Result;
using base::SteadyTime;
using model::AlertNotification;
using model::Delivery;
using model::DeliveryState;
using model::StateChange;
using model::StateRecord;
using std::chrono::milliseconds;

constexpr std::chrono::hours kLongWait{1};  // between two looks at what nobody announces

}  // namespace

milliseconds back_off(const RetryOptions& retry, std::uint32_t attempts, std::uint64_t dice) {
  milliseconds wait = retry.first;
  for (std::uint32_t i = 1; i < attempts && wait < retry.longest; ++i) wait *= 2;
  wait = std::min(wait, retry.longest);
  constexpr std::int64_t kSpread = 401;  // thousandths: 800 to 1200
  return wait * (800 + static_cast<std::int64_t>(dice % kSpread)) / 1000;
}

DeliveryQueue::DeliveryQueue(base::Clock& clock, model::StateStore& store,
                             const RetryOptions& retry, const std::vector<std::string>& receivers)
    : clock_(clock), store_(store), retry_(retry) {
  MutexLock lock(mutex_);
  for (const std::string& name : receivers) lanes_[name].status.name = name;
}

// ---- the store

void DeliveryQueue::load() {
  MutexLock one_at_a_time(store_mutex_);
  {
    MutexLock lock(mutex_);
    if (loaded_) return;
  }
  const auto records = store_.list(kDeliveryKind);
  log_store(records ? Result<void>{} : std::unexpected(records.error()));
  if (!records) return;
  MutexLock lock(mutex_);
  take_loaded(*records);
  loaded_ = true;
  wake_.notify_all();
}

void DeliveryQueue::take_loaded(const std::vector<StateRecord>& records) {
  // What was taken before the file could be read, and was there already.
  using Which = std::tuple<std::string, std::string, std::string>;
  std::set<Which> known;
  for (const auto& [key, item] : items_) {
    known.emplace(item.delivery.id, item.delivery.receiver, item.delivery.to);
  }
  for (const StateRecord& record : records) {
    if (items_.contains(record.key)) continue;
    auto delivery = wire::decode_delivery(record.key, record.value);
    if (!delivery) {
      base::log(LogLevel::kError, delivery.error().message + "; leaves it out");
      dirty_.insert(record.key);
      continue;
    }
    const bool taken = known.contains({delivery->id, delivery->receiver, delivery->to});
    if (taken) {
      dirty_.insert(record.key);
      continue;
    }
    std::uint64_t number = 0;
    std::from_chars(record.key.data(), record.key.data() + record.key.size(), number);
    last_key_ = std::max(last_key_, number);
    // Whether the receiver has it was not written down any more: it is sent again.
    if (delivery->state == DeliveryState::kSending) {
      delivery->state = DeliveryState::kQueued;
      delivery->uncertain = true;
    }
    Item& item = items_[record.key];
    item.delivery = std::move(*delivery);
    if (item.delivery.is_done()) {
      ++done_;
    } else if (const auto lane = lanes_.find(item.delivery.receiver); lane != lanes_.end()) {
      ++lane->second.status.queued;
    } else {
      give_up(item, fmt::format("cannot send it to {}: there is no such receiver any more",
                                item.delivery.receiver));
    }
  }
}

Result<void> DeliveryQueue::save() {
  MutexLock one_at_a_time(store_mutex_);
  std::vector<StateChange> changes;
  {
    MutexLock lock(mutex_);
    for (const std::string& key : dirty_) {
      const auto at = items_.find(key);
      changes.push_back({std::string(kDeliveryKind), key,
                         at == items_.end()
                             ? std::nullopt
                             : std::optional(wire::encode_delivery(at->second.delivery))});
    }
    dirty_.clear();
  }
  if (changes.empty()) return {};
  auto outcome = store_.apply(changes);
  if (!outcome) {
    MutexLock lock(mutex_);
    for (const StateChange& change : changes) dirty_.insert(change.key);
    wake_.notify_all();
  }
  log_store(outcome);
  return outcome;
}

void DeliveryQueue::log_store(const Result<void>& outcome) {
  std::string before;
  const std::string now = outcome ? "" : outcome.error().message;
  {
    MutexLock lock(mutex_);
    before = std::exchange(store_error_, now);
    store_again_ = clock_.steady_now() + retry_.save_again;
  }
  if (now == before) return;
  if (now.empty()) {
    base::log(LogLevel::kInfo, "keeps notifications durably again");
  } else {
    base::log(LogLevel::kError, now + "; notifications are kept in memory until it can be written");
  }
}

// ---- taking

bool DeliveryQueue::has(const AlertNotification& message, const Target& target) const {
  return std::ranges::any_of(items_, [&](const auto& pair) {
    const Delivery& delivery = pair.second.delivery;
    return delivery.id == message.id && delivery.receiver == target.receiver &&
           delivery.to == target.to;
  });
}

// That of the message before, unless it said that all is over.
std::string DeliveryQueue::thread_of(const AlertNotification& message, const Target& target) const {
  for (const auto& [key, item] : std::views::reverse(items_)) {
    const Delivery& delivery = item.delivery;
    if (delivery.group_key != message.group_key || delivery.receiver != target.receiver ||
        delivery.to != target.to) {
      continue;
    }
    return delivery.firing ? delivery.thread : message.id;
  }
  return message.id;
}

// Of the time, so that keys rise even where those of the file are not known.
std::string DeliveryQueue::new_key() {
  const auto now = static_cast<std::uint64_t>(clock_.wall_now().time_since_epoch().count());
  last_key_ = std::max(last_key_ + 1, now);
  return fmt::format("{:020}", last_key_);
}

void DeliveryQueue::make_room(const std::string& receiver) {
  if (lanes_[receiver].status.queued < retry_.most_waiting) return;
  for (auto& [key, item] : items_) {
    if (item.delivery.receiver != receiver || item.delivery.state != DeliveryState::kQueued) {
      continue;
    }
    --lanes_[receiver].status.queued;
    give_up(item, fmt::format("cannot wait any longer: {} messages wait for {}",
                              retry_.most_waiting, receiver));
    return;
  }
}

Result<void> DeliveryQueue::add(const AlertNotification& message,
                                const std::vector<Target>& targets, const std::string& subject) {
  load();
  const auto shared = std::make_shared<const AlertNotification>(message);
  {
    MutexLock lock(mutex_);
    for (const Target& target : targets) {
      if (has(message, target)) continue;
      make_room(target.receiver);
      Delivery delivery;
      delivery.key = new_key();
      delivery.id = message.id;
      delivery.group_key = message.group_key;
      delivery.receiver = target.receiver;
      delivery.to = target.to;
      delivery.thread = thread_of(message, target);
      delivery.subject = subject;
      delivery.firing = message.firing();
      delivery.created = clock_.wall_now();
      delivery.message = shared;
      dirty_.insert(delivery.key);
      ++lanes_[target.receiver].status.queued;
      items_[delivery.key].delivery = std::move(delivery);
    }
  }
  auto saved = save();
  MutexLock lock(mutex_);
  wake_.notify_all();
  return saved;
}

// ---- giving out

DeliveryQueue::Item* DeliveryQueue::find_due(const std::string& receiver, SteadyTime& wake) {
  const SteadyTime now = clock_.steady_now();
  const Lane& lane = lanes_[receiver];
  std::set<std::pair<std::string_view, std::string_view>> waiting;  // groups with an earlier one
  for (auto& [key, item] : items_) {
    const Delivery& delivery = item.delivery;
    if (delivery.receiver != receiver || delivery.is_done()) continue;
    const bool first = waiting.emplace(delivery.to, delivery.group_key).second;
    if (!first || delivery.state == DeliveryState::kSending) continue;
    const SteadyTime due = std::max(item.not_before, lane.not_before);
    if (due <= now) return &item;
    wake = std::min(wake, due);
  }
  return nullptr;
}

std::optional<Delivery> DeliveryQueue::next(const std::string& receiver) {
  for (;;) {
    std::optional<Delivery> due;
    bool to_store = false;
    {
      MutexLock lock(mutex_);
      if (stopping_) return std::nullopt;
      const SteadyTime now = clock_.steady_now();
      SteadyTime wake = now + kLongWait;
      to_store = needs_store() && store_again_ <= now;
      if (needs_store()) wake = std::min(wake, store_again_);
      if (Item* item = to_store && !loaded_ ? nullptr : find_due(receiver, wake)) {
        item->delivery.state = DeliveryState::kSending;
        ++item->delivery.attempts;
        item->delivery.attempted = clock_.wall_now();
        dirty_.insert(item->delivery.key);
        due = item->delivery;
      } else if (!to_store) {
        clock_.wait_until(wake_, lock, wake);
      }
    }
    if (to_store) load();
    // What cannot be saved is latched, and sent all the same.
    if (due || to_store) [[maybe_unused]]
      const auto saved = save();
    if (due) return due;
  }
}

void DeliveryQueue::end(Item& item, DeliveryState state) {
  item.delivery.state = state;
  item.delivery.done = clock_.wall_now();
  item.delivery.message.reset();
  dirty_.insert(item.delivery.key);
  ++done_;
  forget_oldest();
}

void DeliveryQueue::give_up(Item& item, std::string why) {
  base::log(LogLevel::kError, fmt::format("gives up the message '{}' to {}: {}",
                                          item.delivery.subject, item.delivery.receiver, why));
  if (const auto lane = lanes_.find(item.delivery.receiver); lane != lanes_.end()) {
    ++lane->second.status.failed;
  }
  item.delivery.error = std::move(why);
  end(item, DeliveryState::kFailed);
}

void DeliveryQueue::forget_oldest() {
  for (auto at = items_.begin(); done_ > retry_.keep_done && at != items_.end();) {
    if (!at->second.delivery.is_done()) {
      ++at;
      continue;
    }
    dirty_.insert(at->first);
    at = items_.erase(at);
    --done_;
  }
}

void DeliveryQueue::settle(Item& item, const Attempt& attempt) {
  using Outcome = Attempt::Outcome;
  Delivery& delivery = item.delivery;
  Lane& lane = lanes_[delivery.receiver];
  const SteadyTime now = clock_.steady_now();
  if (attempt.outcome == Outcome::kCancelled) {
    delivery.state = DeliveryState::kQueued;
    delivery.uncertain = true;
    return;
  }
  lane.status.error = attempt.error;
  if (attempt.outcome != Outcome::kDown) lane.failures = 0;
  if (attempt.outcome == Outcome::kSent) {
    --lane.status.queued;
    ++lane.status.sent;
    lane.status.last_sent = clock_.wall_now();
    delivery.error.clear();
    return end(item, DeliveryState::kSent);
  }
  if (attempt.outcome == Outcome::kRefused) {
    --lane.status.queued;
    return give_up(item, attempt.error);
  }
  if (clock_.wall_now() - delivery.created >= retry_.give_up) {
    --lane.status.queued;
    return give_up(item, fmt::format("{}; tried {} times", attempt.error, delivery.attempts));
  }
  ++lane.status.retries;
  delivery.error = attempt.error;
  delivery.state = DeliveryState::kQueued;
  const std::uint64_t dice = std::hash<std::string>{}(delivery.key) + delivery.attempts;
  const milliseconds wait = back_off(
      retry_, attempt.outcome == Outcome::kDown ? ++lane.failures : delivery.attempts, dice);
  const SteadyTime again = now + std::max(wait, attempt.wait.value_or(milliseconds{0}));
  (attempt.outcome == Outcome::kDown ? lane.not_before : item.not_before) = again;
}

void DeliveryQueue::finish(const std::string& key, const Attempt& attempt) {
  std::string told;
  {
    MutexLock lock(mutex_);
    const auto at = items_.find(key);
    if (at == items_.end()) return;
    Lane& lane = lanes_[at->second.delivery.receiver];
    const std::string before = lane.status.error;
    const std::string name = lane.status.name;
    dirty_.insert(key);
    settle(at->second, attempt);
    if (lane.status.error != before) {
      told = lane.status.error.empty() ? fmt::format("sends to {} again", name) : lane.status.error;
    }
  }
  if (!told.empty()) {
    base::log(attempt.error.empty() ? LogLevel::kInfo : LogLevel::kWarning, told);
  }
  [[maybe_unused]] const auto saved = save();  // latched where it fails
}

void DeliveryQueue::stop() {
  MutexLock lock(mutex_);
  stopping_ = true;
  wake_.notify_all();
}

// ---- telling

DeliveryQueue::View DeliveryQueue::view(std::size_t most) const {
  View view;
  MutexLock lock(mutex_);
  view.store_error = store_error_;
  for (const auto& [key, item] : std::views::reverse(items_)) {
    if (view.deliveries.size() == most) break;
    view.deliveries.push_back(item.delivery);
    view.deliveries.back().message.reset();
  }
  return view;
}

model::ReceiverStatus DeliveryQueue::status(const std::string& receiver) const {
  MutexLock lock(mutex_);
  const auto at = lanes_.find(receiver);
  return at == lanes_.end() ? model::ReceiverStatus{} : at->second.status;
}

}  // namespace gpuscope::notify
