#include "api/live_stream.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/fake_clock.h"
#include "base/mutex.h"

namespace gpuscope::api {
namespace {

// Notes what is published.
class NotingServer final : public http::Server {
 public:
  struct Message {
    std::uint32_t topic;
    std::uint64_t number;
    std::string text;
  };

  std::uint16_t port() const override { return 0; }
  void start() override {}
  void stop() override {}
  http::Counters counters() const override { return {}; }
  std::size_t listeners() const override { return listeners_; }
  void wake() override {}
  void publish(std::uint32_t topic, std::uint64_t number,
               std::shared_ptr<const std::string> message) override {
    base::MutexLock lock(mutex_);
    messages_.push_back({topic, number, *message});
  }

  void set_listeners(std::size_t count) { listeners_ = count; }
  std::vector<Message> messages() const {
    base::MutexLock lock(mutex_);
    return messages_;
  }

 private:
  std::atomic<std::size_t> listeners_ = 0;
  mutable base::Mutex mutex_;
  std::vector<Message> messages_ GUARDED_BY(mutex_);
};

class LiveStreamTest : public testing::Test {
 protected:
  void SetUp() override {
    auto started = LiveStream::start(clock_, server_);
    ASSERT_TRUE(started);
    stream_ = std::move(*started);
  }
  void tick() {
    auto snapshot = std::make_shared<model::Snapshot>();
    snapshot->inventory = std::make_shared<model::Inventory>();
    snapshot->sequence = ++sequence_;
    stream_->take(std::move(snapshot));
  }
  void wait_for(std::size_t messages) {
    while (server_.messages().size() < messages) std::this_thread::yield();
  }

  base::FakeClock clock_;
  NotingServer server_;
  std::unique_ptr<LiveStream> stream_;
  std::uint64_t sequence_ = 0;
};

TEST_F(LiveStreamTest, PublishesEachTickAsAnEvent) {
  server_.set_listeners(1);
  for (std::size_t i = 1; i <= 20; ++i) {
    tick();
    wait_for(i);
  }
  const auto messages = server_.messages();
  ASSERT_EQ(messages.size(), 20U);
  for (std::size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(messages[i].topic, kTickTopic);
    EXPECT_EQ(messages[i].number, i + 1);
    const std::string head = "event: tick\nid: " + std::to_string(i + 1) +
                             "\ndata: {\"version\":1,\"sequence\":" + std::to_string(i + 1) + ",";
    EXPECT_TRUE(messages[i].text.starts_with(head)) << messages[i].text;
    EXPECT_TRUE(messages[i].text.ends_with("}\n\n"));
  }
}

TEST_F(LiveStreamTest, DoesNothingWhileNobodyListens) {
  for (int i = 0; i < 10; ++i) tick();
  server_.set_listeners(1);
  tick();
  wait_for(1);
  EXPECT_EQ(server_.messages()[0].number, 11U);
}

TEST_F(LiveStreamTest, BreaksALongSilence) {
  server_.set_listeners(3);
  while (server_.messages().empty()) {
    clock_.advance(std::chrono::milliseconds{500});
    std::this_thread::yield();
  }
  EXPECT_EQ(server_.messages()[0].text, ": quiet\n\n");
  EXPECT_EQ(server_.messages()[0].number, UINT64_MAX) << "must pass whatever a listener has had";
}

TEST_F(LiveStreamTest, StopsAtOnce) {
  server_.set_listeners(1);
  stream_->stop();
  stream_->stop();
  tick();
  stream_.reset();
  EXPECT_TRUE(server_.messages().empty());
}

}  // namespace
}  // namespace gpuscope::api
