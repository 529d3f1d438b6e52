// Whole ways of messages, to servers that answer as a test says.
#include "notify/notifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/fake_clock.h"
#include "base/mutex.h"
#include "http/scripted_server.h"
#include "model/memory_state_store.h"
#include "notify/alertmanager_feed.h"
#include "notify/notify_testing.h"

namespace gpuscope::notify {
namespace {

using http::ScriptedAnswer;
using http::ScriptedRequest;
using http::ScriptedServer;
using testing::HasSubstr;

// Asks again and again, half a minute at most.
bool comes_true(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{30};
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  return true;
}

// What servers were asked, and what they answer next.
class Script {
 public:
  ScriptedAnswer operator()(const ScriptedRequest& request) {
    base::MutexLock lock(mutex_);
    requests_.push_back(request);
    if (answers_.empty()) return ScriptedAnswer::status(200);
    const ScriptedAnswer answer = answers_.front();
    answers_.erase(answers_.begin());
    return answer;
  }
  void answer(ScriptedAnswer answer) {
    base::MutexLock lock(mutex_);
    answers_.push_back(std::move(answer));
  }
  std::vector<ScriptedRequest> requests() {
    base::MutexLock lock(mutex_);
    return requests_;
  }

 private:
  base::Mutex mutex_;
  std::vector<ScriptedRequest> requests_ GUARDED_BY(mutex_);
  std::vector<ScriptedAnswer> answers_ GUARDED_BY(mutex_);
};

class NotifierTest : public testing::Test {
 protected:
  Receiver webhook(const std::string& name, const ScriptedServer& server,
                   WebhookFormat format = WebhookFormat::kJson) {
    WebhookOptions options;
    options.url.text = "http://127.0.0.1:" + std::to_string(server.port()) + "/hook/s3cret";
    options.format = format;
    options.token.text = "t0ken";
    options.headers.text = "X-Team: gpus";
    return {name, {"critical"}, options};
  }
  void start(const std::vector<Receiver>& receivers) {
    Options options;
    options.receivers = receivers;
    auto started = Notifier::start(clock_, options, store_, {.host = "node-7"});
    ASSERT_TRUE(started) << started.error().message;
    notifier_ = std::move(*started);
  }
  model::ReceiverStatus status(std::size_t at = 0) { return notifier_->statuses().at(at); }

  base::FakeClock clock_{kTestTime};
  model::MemoryStateStore store_;
  Script script_;
  ScriptedServer server_{[this](const ScriptedRequest& request) { return script_(request); }};
  std::unique_ptr<Notifier> notifier_;
};

TEST_F(NotifierTest, PostsWhatAReceiverIsToldOf) {
  start({webhook("webhook", server_)});
  ASSERT_TRUE(notifier_->take(test_message("1")));
  auto info = test_message("2");
  info.receiver = "info";
  ASSERT_TRUE(notifier_->take(info));
  ASSERT_TRUE(comes_true([&] { return status().sent == 1; }));
  notifier_->stop();
  ASSERT_EQ(script_.requests().size(), 1U);
  const ScriptedRequest request = script_.requests()[0];
  EXPECT_THAT(request.head, HasSubstr("POST /hook/s3cret HTTP/1.1"));
  EXPECT_THAT(request.head, HasSubstr("Authorization: Bearer t0ken\r\n"));
  EXPECT_THAT(request.head, HasSubstr("X-Team: gpus\r\n"));
  EXPECT_THAT(request.head, HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_THAT(request.body, HasSubstr("\"version\":\"4\""));
  EXPECT_THAT(status().server, testing::Not(HasSubstr("s3cret")));
}

TEST_F(NotifierTest, TriesAgainWhatMayWorkLater) {
  script_.answer(ScriptedAnswer::status(429, "Retry-After: 30\r\n"));
  script_.answer(ScriptedAnswer::status(500, "", "oops"));
  script_.answer(ScriptedAnswer::status(408));
  start({webhook("webhook", server_)});
  ASSERT_TRUE(notifier_->take(test_message("1")));
  for (std::uint64_t retries = 1; retries <= 3; ++retries) {
    ASSERT_TRUE(comes_true([&] { return status().retries == retries; }));
    EXPECT_NE(status().error, "");
    clock_.advance(std::chrono::minutes{6});
  }
  ASSERT_TRUE(comes_true([&] { return status().sent == 1; }));
  EXPECT_EQ(status().error, "");
  EXPECT_EQ(notifier_->view(1).deliveries.at(0).attempts, 4U);
}

TEST_F(NotifierTest, GivesUpWhatIsRefused) {
  script_.answer(ScriptedAnswer::status(403, "", "no_such_hook"));
  start({webhook("webhook", server_)});
  ASSERT_TRUE(notifier_->take(test_message("1")));
  ASSERT_TRUE(comes_true([&] { return status().failed == 1; }));
  EXPECT_THAT(status().error, HasSubstr("it answers 403 ('no_such_hook')"));
}

TEST_F(NotifierTest, LetsNobodyWaitForAReceiverThatHangs) {
  ScriptedServer hangs(
      [](const ScriptedRequest&) { return ScriptedAnswer{"", ScriptedAnswer::Then::kHang}; });
  start({webhook("hangs", hangs), webhook("webhook", server_)});
  for (const char* id : {"1", "2", "3"}) ASSERT_TRUE(notifier_->take(test_message(id)));
  ASSERT_TRUE(comes_true([&] { return status(1).sent == 3; }));
  EXPECT_EQ(status(0).queued, 3U);
  // Ends at once nevertheless, and what was under way is told of as uncertain.
  notifier_->stop();
  start({webhook("hangs", server_), webhook("webhook", server_)});
  ASSERT_TRUE(comes_true([&] { return status(0).sent == 3; }));
  bool uncertain = false;
  for (const auto& delivery : notifier_->view(9).deliveries) {
    uncertain = uncertain || (delivery.uncertain && delivery.id == "1");
  }
  EXPECT_TRUE(uncertain);
}

TEST_F(NotifierTest, SpeaksAsChatsDo) {
  start({webhook("slack", server_, WebhookFormat::kSlack)});
  ASSERT_TRUE(notifier_->take(test_message("1")));
  ASSERT_TRUE(comes_true([&] { return status().sent == 1; }));
  EXPECT_THAT(script_.requests()[0].body, HasSubstr("\"attachments\":[{\"color\":\"#c62828\""));
  start({webhook("teams", server_, WebhookFormat::kTeams)});
  ASSERT_TRUE(notifier_->take(test_message("2")));
  ASSERT_TRUE(comes_true([&] { return status().sent == 1; }));
  EXPECT_THAT(script_.requests()[1].body,
              HasSubstr("\"contentType\":\"application/vnd.microsoft.card.adaptive\""));
}

TEST_F(NotifierTest, FeedsAlertmanagersWithWhatFires) {
  base::Mutex mutex;
  std::vector<model::AlertStatus> alerts{test_alert()};
  const auto now = [&] {
    base::MutexLock lock(mutex);
    return alerts;
  };
  AlertmanagerOptions options;
  options.urls = {"http://127.0.0.1:" + std::to_string(server_.port())};
  options.severities = {"critical"};
  auto feed = AlertmanagerFeed::start(clock_, options, now);
  ASSERT_TRUE(feed);
  const auto sent = [&] { return (*feed)->statuses().at(0).sent; };
  ASSERT_TRUE(comes_true([&] { return sent() == 1; }));
  EXPECT_THAT(script_.requests()[0].head, HasSubstr("POST /api/v2/alerts HTTP/1.1"));
  EXPECT_THAT(script_.requests()[0].body,
              HasSubstr("\"startsAt\":\"2026-05-28T20:25:40.000000+00:00\","
                        "\"endsAt\":\"2026-05-28T20:30:40.000000+00:00\""));
  clock_.advance(std::chrono::seconds{61});  // it is said again
  ASSERT_TRUE(comes_true([&] { return sent() == 2; }));
  {
    base::MutexLock lock(mutex);
    alerts[0] = test_alert(model::AlertState::kResolved);
  }
  clock_.advance(std::chrono::seconds{3});  // a change is told of at once
  ASSERT_TRUE(comes_true([&] { return sent() == 3; }));
  EXPECT_THAT(script_.requests()[2].body,
              HasSubstr("\"endsAt\":\"2026-05-28T20:26:40.000000+00:00\""));
  script_.answer(ScriptedAnswer::status(503));
  clock_.advance(std::chrono::seconds{61});
  ASSERT_TRUE(comes_true([&] { return (*feed)->statuses().at(0).retries == 1; }));
  EXPECT_THAT((*feed)->statuses().at(0).error, HasSubstr("it answers 503"));
}

}  // namespace
}  // namespace gpuscope::notify
