#include "history/history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <thread>

#include "base/fake_clock.h"
#include "history/history_testing.h"
#include "history/sqlite.h"

namespace gpuscope::history {
namespace {

using model::Metric;
using std::chrono::seconds;
using testing::HasSubstr;

template <typename Condition>
void wait_until(Condition condition) {
  const auto limit = std::chrono::steady_clock::now() + seconds{60};
  while (!condition()) {
    ASSERT_LT(std::chrono::steady_clock::now(), limit) << "what was waited for never came";
    std::this_thread::yield();
  }
}

class HistoryTest : public testing::Test {
 protected:
  History& history() {
    if (!history_) {
      auto started = History::start(clock_, options_);
      EXPECT_TRUE(started) << started.error().message;
      history_ = std::move(*started);
    }
    return *history_;
  }
  // Takes so many ticks, each taken up by the writer before the next.
  void take(int count) {
    for (int i = 0; i < count; ++i) {
      const std::size_t before = in_history();
      const std::uint64_t dropped = history().status().dropped;
      history().take(test_tick(inventory_, next_));
      next_ += seconds{1};
      wait_until([&] { return in_history() > before || history().status().dropped > dropped; });
    }
  }
  std::size_t in_history() {
    const auto reader = history().reader();
    const auto found = reader->samples({"GPU-0", Metric::kSmClock}, kAlways);
    return found ? found->size() : 0;
  }

  const Folder folder_;
  base::FakeClock clock_;
  HistoryOptions options_{.store = {.path = folder_ / "gpuscope.db"}};
  std::shared_ptr<model::Inventory> inventory_ = test_inventory(1);
  base::WallTime next_ = kHour;
  std::unique_ptr<History> history_;
};

TEST_F(HistoryTest, CommitsAllThatItTook) {
  take(50);
  history().stop();
  history().stop();
  EXPECT_EQ(history().status().ticks, 50U);
  EXPECT_EQ(history().status().dropped, 0U);
  EXPECT_GT(history().status().bytes, 0U);
  history_.reset();
  wait_until([&] { return in_history() == 50; });
}

TEST_F(HistoryTest, CommitsWhenTicksStopComing) {
  take(2);
  EXPECT_EQ(history().status().ticks, 0U);
  clock_.advance(seconds{5});
  wait_until([&] { return history().status().ticks == 2; });
}

TEST_F(HistoryTest, GoesOnByItselfAfterALock) {
  take(5);
  auto other = Connection::open(options_.store.path, Connection::Mode::kWrite);
  ASSERT_TRUE(other);
  ASSERT_TRUE(other->execute("BEGIN EXCLUSIVE"));
  take(5);
  wait_until([&] { return history().status().failing; });
  EXPECT_THAT(history().status().error.message, HasSubstr("another program holds it"));
  take(5);  // ticks go on meanwhile
  ASSERT_TRUE(other->execute("COMMIT"));
  clock_.advance(seconds{6});
  wait_until([&] { return !history().status().failing; });
  history().stop();
  EXPECT_EQ(history().status().ticks, 15U);
  EXPECT_EQ(history().status().dropped, 0U);
}

TEST_F(HistoryTest, GoesOnByItselfOnceADiskHasRoom) {
  take(5);
  wait_until([&] { return history().status().ticks == 5; });
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit tight{16'384, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
  take(8);
  wait_until([&] { return history().status().failing; });
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  clock_.advance(seconds{6});
  wait_until([&] { return !history().status().failing; });
  history().stop();
  EXPECT_EQ(history().status().ticks, 13U);
  history_.reset();
  wait_until([&] { return in_history() == 13; });
}

TEST_F(HistoryTest, StartsWithoutItsDirectoryAndWritesOnceItIsThere) {
  options_.store.path = folder_ / "later/gpuscope.db";
  take(3);
  wait_until([&] { return history().status().failing; });
  EXPECT_EQ(history().status().dropped, 3U);
  std::filesystem::create_directory(folder_ / "later");
  clock_.advance(seconds{6});
  take(3);
  history().stop();
  EXPECT_FALSE(history().status().failing);
  EXPECT_EQ(history().status().ticks, 3U);
}

TEST_F(HistoryTest, LeavesAForeignDatabaseAlone) {
  {
    auto other = Connection::open(options_.store.path, Connection::Mode::kWrite);
    ASSERT_TRUE(other && other->execute("CREATE TABLE theirs(x)"));
  }
  take(2);
  history().stop();
  EXPECT_TRUE(history().status().failing);
  EXPECT_THAT(history().status().error.message, HasSubstr("the database of another program"));
}

TEST_F(HistoryTest, IsReadWhileItIsWritten) {
  options_.queue = 10'000;
  const auto reader = history().reader();
  std::thread writer([&] {
    for (int i = 0; i < 3000; ++i) {
      // Three ticks a minute: blocks are closed under the reader.
      history().take(test_tick(inventory_, kHour + seconds{20 * i}));
    }
  });
  std::size_t most = 0;
  for (int i = 0; i < 20; ++i) {
    const auto found = reader->samples({"GPU-0", Metric::kSmClock}, kAlways);
    if (!found) continue;  // before the first commit
    EXPECT_GE(found->size(), most);
    most = found->size();
    for (std::size_t j = 0; j < found->size(); ++j) {
      ASSERT_EQ((*found)[j].time, kHour + seconds{20 * j});
    }
  }
  writer.join();
}

}  // namespace
}  // namespace gpuscope::history
