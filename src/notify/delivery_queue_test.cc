// The queue on a clock that is moved by hand, over a store that may fail and outlives it.
#include "notify/delivery_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/fake_clock.h"
#include "model/memory_state_store.h"
#include "notify/notify_testing.h"

namespace gpuscope::notify {
namespace {

using model::DeliveryState;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;
using Outcome = Attempt::Outcome;

class Queue : public testing::Test {
 protected:
  Queue() { restart(); }
  void restart() {
    queue_ = std::make_unique<DeliveryQueue>(clock_, store_, retry_,
                                             std::vector<std::string>{"email", "webhook"});
  }
  base::Result<void> add(const std::string& id, bool firing = true, const std::string& group = "g",
                         const std::string& receiver = "email",
                         const std::string& to = "ops@example.org") {
    return queue_->add(test_message(id, firing, group), {{receiver, to}}, "subject of " + id);
  }
  // The id of the next that is due now, or "" where there is none.
  std::string due(const std::string& receiver = "email") {
    for (const auto& delivery : queue_->view(100).deliveries) {
      if (delivery.receiver == receiver && !delivery.is_done()) {
        return take(receiver);
      }
    }
    return "";
  }
  std::string take(const std::string& receiver = "email") {
    const auto next = queue_->next(receiver);
    EXPECT_TRUE(next);
    if (!next) return "";
    key_ = next->key;
    last_ = *next;
    return next->id;
  }
  void finish(Outcome outcome, const std::string& error = "",
              std::optional<milliseconds> wait = std::nullopt) {
    queue_->finish(key_, {outcome, error, wait, {}});
  }
  const model::Delivery delivery(const std::string& id) {
    for (const auto& one : queue_->view(100).deliveries) {
      if (one.id == id) return one;
    }
    ADD_FAILURE() << "no message " << id;
    return {};
  }
  base::FakeClock clock_{kTestTime};
  model::MemoryStateStore store_;
  RetryOptions retry_;
  std::unique_ptr<DeliveryQueue> queue_;
  std::string key_;
  model::Delivery last_;
};

TEST_F(Queue, GivesEachMessageOnceAndRemembersItsId) {
  ASSERT_TRUE(add("one"));
  ASSERT_TRUE(add("one"));
  EXPECT_EQ(take(), "one");
  EXPECT_EQ(last_.attempts, 1U);
  ASSERT_TRUE(last_.message);
  EXPECT_EQ(*last_.message, test_message("one", true, "g"));
  finish(Outcome::kSent);
  ASSERT_TRUE(add("one"));
  restart();
  ASSERT_TRUE(add("one"));
  ASSERT_TRUE(add("two"));
  EXPECT_EQ(take(), "two");
  EXPECT_EQ(delivery("one").state, DeliveryState::kSent);
  EXPECT_EQ(queue_->status("email").queued, 1U);
}

TEST_F(Queue, KeepsTheOrderOfAGroupAndLetsOthersPass) {
  ASSERT_TRUE(add("1", true, "a"));
  ASSERT_TRUE(add("2", false, "a"));
  ASSERT_TRUE(add("3", true, "b"));
  EXPECT_EQ(take(), "1");
  finish(Outcome::kLater, "cannot");
  EXPECT_EQ(take(), "3");
  finish(Outcome::kSent);
  clock_.advance(minutes{1});
  EXPECT_EQ(take(), "1");
  finish(Outcome::kSent);
  EXPECT_EQ(take(), "2");
  finish(Outcome::kSent);
  EXPECT_EQ(queue_->status("email").sent, 3U);
  EXPECT_EQ(queue_->status("email").retries, 1U);
}

TEST_F(Queue, ThreadsWhatBelongsTogether) {
  for (const auto& [id, firing] : std::vector<std::pair<std::string, bool>>{
           {"1", true}, {"2", true}, {"3", false}, {"4", true}}) {
    ASSERT_TRUE(add(id, firing));
  }
  EXPECT_EQ(delivery("1").thread, "1");
  EXPECT_EQ(delivery("2").thread, "1");
  EXPECT_EQ(delivery("3").thread, "1");
  EXPECT_EQ(delivery("4").thread, "4");
}

TEST_F(Queue, WaitsLongerEachTimeAndAsLongAsAServerAsks) {
  ASSERT_TRUE(add("1"));
  take();
  finish(Outcome::kLater, "cannot", minutes{3});
  ASSERT_TRUE(add("2", true, "other"));
  EXPECT_EQ(take(), "2");  // not "1", which waits
  finish(Outcome::kSent);
  clock_.advance(minutes{2} + seconds{59});
  ASSERT_TRUE(add("3", true, "third"));
  EXPECT_EQ(take(), "3");
  finish(Outcome::kSent);
  clock_.advance(seconds{1});
  EXPECT_EQ(take(), "1");
}

TEST_F(Queue, LeavesAReceiverAloneThatDoesNotAnswerAndNoOther) {
  ASSERT_TRUE(add("1", true, "a"));
  ASSERT_TRUE(add("2", true, "b"));
  ASSERT_TRUE(add("1", true, "a", "webhook", ""));
  take();
  finish(Outcome::kDown, "cannot reach it");
  EXPECT_EQ(take("webhook"), "1");
  finish(Outcome::kSent);
  EXPECT_EQ(queue_->status("email").error, "cannot reach it");
  EXPECT_EQ(queue_->status("webhook").error, "");
  clock_.advance(minutes{1});
  EXPECT_EQ(take(), "1");
  finish(Outcome::kSent);
  EXPECT_EQ(take(), "2");
  EXPECT_EQ(queue_->status("email").error, "");
}

TEST_F(Queue, GivesUpWhatIsRefusedAndWhatTakesTooLong) {
  ASSERT_TRUE(add("1"));
  ASSERT_TRUE(add("2"));
  take();
  finish(Outcome::kRefused, "cannot: no such user");
  EXPECT_EQ(delivery("1").state, DeliveryState::kFailed);
  EXPECT_EQ(delivery("1").error, "cannot: no such user");
  EXPECT_EQ(take(), "2");
  finish(Outcome::kDown, "cannot reach it");
  clock_.advance(hours{24});
  EXPECT_EQ(take(), "2");
  finish(Outcome::kDown, "cannot reach it");
  EXPECT_EQ(delivery("2").state, DeliveryState::kFailed);
  EXPECT_THAT(delivery("2").error, HasSubstr("tried 2 times"));
  EXPECT_EQ(queue_->status("email").failed, 2U);
  EXPECT_EQ(queue_->status("email").queued, 0U);
}

TEST_F(Queue, GoesOnWhereItWasAfterAnEndAtAnyTime) {
  ASSERT_TRUE(add("1"));
  ASSERT_TRUE(add("2"));
  restart();  // before any attempt
  EXPECT_EQ(take(), "1");
  EXPECT_FALSE(last_.uncertain);
  restart();  // in the middle of one
  EXPECT_EQ(take(), "1");
  EXPECT_TRUE(last_.uncertain);
  EXPECT_EQ(last_.attempts, 2U);
  finish(Outcome::kSent);
  restart();  // after it
  EXPECT_EQ(take(), "2");
}

TEST_F(Queue, SendsWhatCannotBeKeptAndKeepsItOnceItCan) {
  store_.fail_with(base::Error{base::ErrorKind::kUnavailable, "cannot use x: disk is full"});
  const auto taken = add("1");
  ASSERT_FALSE(taken);
  EXPECT_EQ(take(), "1");
  finish(Outcome::kLater, "cannot");
  EXPECT_THAT(queue_->view(1).store_error, HasSubstr("disk is full"));
  store_.fail_with(std::nullopt);
  ASSERT_TRUE(add("1"));  // handed over again: durable now, and still one
  EXPECT_EQ(queue_->view(9).deliveries.size(), 1U);
  EXPECT_EQ(queue_->view(1).store_error, "");
  restart();
  EXPECT_EQ(take(), "1");
}

TEST_F(Queue, LeavesOutWhatItCannotReadAndGivesUpWhoIsGone) {
  ASSERT_TRUE(store_.put(kDeliveryKind, "00000000000000000001", "{\"version\":9}"));
  ASSERT_TRUE(add("1"));
  queue_ =
      std::make_unique<DeliveryQueue>(clock_, store_, retry_, std::vector<std::string>{"webhook"});
  ASSERT_TRUE(add("2", true, "g", "webhook", ""));
  EXPECT_EQ(take("webhook"), "2");
  EXPECT_EQ(delivery("1").state, DeliveryState::kFailed);
  EXPECT_THAT(delivery("1").error, HasSubstr("no such receiver any more"));
  EXPECT_EQ(store_.get(kDeliveryKind, "00000000000000000001").value(), std::nullopt);
}

TEST_F(Queue, KeepsNoMoreThanItMay) {
  retry_.most_waiting = 2;
  retry_.keep_done = 1;
  restart();
  for (const char* id : {"1", "2", "3"}) ASSERT_TRUE(add(id));
  EXPECT_EQ(delivery("1").state, DeliveryState::kFailed);
  for (int i = 0; i < 2; ++i) {
    take();
    finish(Outcome::kSent);
  }
  EXPECT_EQ(queue_->view(9).deliveries.size(), 1U);
  EXPECT_EQ(store_.list(kDeliveryKind).value().size(), 1U);
}

TEST_F(Queue, EndsItsWaits) {
  std::jthread end([&] { queue_->stop(); });
  EXPECT_FALSE(queue_->next("email"));
}

TEST(BackOff, DoublesUpToABoundWithAFifthOfChance) {
  const RetryOptions retry;
  EXPECT_EQ(back_off(retry, 1, 200), seconds{5});
  EXPECT_EQ(back_off(retry, 3, 200), seconds{20});
  EXPECT_EQ(back_off(retry, 30, 200), minutes{5});
  EXPECT_EQ(back_off(retry, 1, 0), seconds{4});
  EXPECT_EQ(back_off(retry, 1, 400), seconds{6});
}

}  // namespace
}  // namespace gpuscope::notify
