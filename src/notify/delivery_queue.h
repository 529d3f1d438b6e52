// Messages on their way: kept in the StateStore, given out one after the other, tried again. The
// one place that decides what is sent when; sending itself is not here.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "model/delivery.h"
#include "model/state_store.h"
#include "notify/attempt.h"
#include "notify/options.h"

namespace gpuscope::notify {

// The kind of its records in the StateStore.
inline constexpr std::string_view kDeliveryKind = "notification";

// Thread-safe; each receiver is served by one thread. Of one group, a receiver's address gets
// messages in the order in which they were taken; other groups do not wait for it. Where the store
// does not work, messages are in memory alone, and saved once it does.
class DeliveryQueue {
 public:
  // Clock and store outlive it. `receivers`: their names.
  DeliveryQueue(base::Clock& clock, model::StateStore& store, const RetryOptions& retry,
                const std::vector<std::string>& receivers);

  // Where a message goes.
  struct Target {
    std::string receiver;
    std::string to;
  };
  // Takes a message for all of these, those that have it already left out. An error: it is not
  // durable yet; it is sent all the same. Waits for the disk.
  base::Result<void> add(const model::AlertNotification& message,
                         const std::vector<Target>& targets, const std::string& subject);

  // The next message that is due for this receiver, marked as being sent, durably where that can
  // be. Waits; none once stop() was called.
  std::optional<model::Delivery> next(const std::string& receiver);
  // What came of it. Every one that next() gave must come back.
  void finish(const std::string& key, const Attempt& attempt);

  // Ends all waits.
  void stop();

  struct View {
    std::vector<model::Delivery> deliveries;  // newest first, without their messages
    std::string store_error;                  // why it cannot be saved now; empty: it can
  };
  // Waits for no disk.
  View view(std::size_t most) const;
  // Counts and errors; name alone of who that is.
  model::ReceiverStatus status(const std::string& receiver) const;

 private:
  struct Item {
    model::Delivery delivery;
    base::SteadyTime not_before{};
  };
  struct Lane {  // of one receiver
    model::ReceiverStatus status;
    base::SteadyTime not_before{};
    std::uint32_t failures = 0;  // in a row, of the receiver as a whole
  };

  // Reads what an earlier process left, once.
  void load();
  void take_loaded(const std::vector<model::StateRecord>& records) REQUIRES(mutex_);
  // Saves what has changed.
  base::Result<void> save();
  bool needs_store() const REQUIRES(mutex_) { return !loaded_ || !dirty_.empty(); }
  // The first that is due; else `wake` becomes the time to look again, where it is earlier.
  Item* find_due(const std::string& receiver, base::SteadyTime& wake) REQUIRES(mutex_);
  bool has(const model::AlertNotification& message, const Target& target) const REQUIRES(mutex_);
  std::string thread_of(const model::AlertNotification& message, const Target& target) const
      REQUIRES(mutex_);
  void make_room(const std::string& receiver) REQUIRES(mutex_);
  void give_up(Item& item, std::string why) REQUIRES(mutex_);
  void settle(Item& item, const Attempt& attempt) REQUIRES(mutex_);
  void end(Item& item, model::DeliveryState state) REQUIRES(mutex_);
  void forget_oldest() REQUIRES(mutex_);
  std::string new_key() REQUIRES(mutex_);
  void log_store(const base::Result<void>& outcome);

  base::Clock& clock_;
  model::StateStore& store_;
  const RetryOptions retry_;

  base::Mutex store_mutex_;  // one save or load at a time; taken before mutex_
  mutable base::Mutex mutex_;
  base::CondVar wake_;
  std::map<std::string, Item> items_ GUARDED_BY(mutex_);  // by key, those that are done, too
  std::map<std::string, Lane> lanes_ GUARDED_BY(mutex_);
  std::set<std::string> dirty_ GUARDED_BY(mutex_);  // keys to be put, or erased where not in items_
  std::size_t done_ GUARDED_BY(mutex_) = 0;
  std::uint64_t last_key_ GUARDED_BY(mutex_) = 0;
  base::SteadyTime store_again_ GUARDED_BY(mutex_){};
  std::string store_error_ GUARDED_BY(mutex_);
  bool loaded_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;
};

// How long to wait after so many attempts (from 1 on) that failed: doubling, and a fifth more or
// less, by `dice`.
std::chrono::milliseconds back_off(const RetryOptions& retry, std::uint32_t attempts,
                                   std::uint64_t dice);

}  // namespace gpuscope::notify
