#include "base/queue_thread.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <vector>

#include "base/fake_clock.h"

namespace gpuscope::base {
namespace {

using Number = std::shared_ptr<const int>;
using Numbers = QueueThread<Number>;

// All that it was given, up to its end.
std::vector<int> work_through(Numbers& queue) {
  std::vector<int> seen;
  for (;;) {
    const auto next = queue.next(std::nullopt);
    if (next.item) seen.push_back(**next.item);
    if (!next.item && next.stopping) return seen;
  }
}

TEST(QueueThread, WorksThroughAllThatHadRoomInOrder) {
  FakeClock clock;
  Numbers queue(clock, 3);
  for (int i = 0; i < 5; ++i) queue.put(std::make_shared<int>(i));
  EXPECT_EQ(queue.dropped(), 2U);
  std::vector<int> seen;
  ASSERT_TRUE(queue.start("numbers", [&] { seen = work_through(queue); }));
  queue.stop();
  queue.stop();
  EXPECT_EQ(seen, (std::vector<int>{0, 1, 2}));
  queue.put(std::make_shared<int>(9));
  EXPECT_EQ(queue.dropped(), 3U) << "put after the end";
  queue.drop(4);
  EXPECT_EQ(queue.dropped(), 7U);
}

TEST(QueueThread, GoesRoundItsRoomManyTimes) {
  FakeClock clock;
  Numbers queue(clock, 8);
  std::vector<int> seen;
  ASSERT_TRUE(queue.start("numbers", [&] { seen = work_through(queue); }));
  std::vector<int> kept;
  for (int i = 0; i < 20'000; ++i) {
    const auto before = queue.dropped();
    queue.put(std::make_shared<int>(i));
    if (queue.dropped() == before) kept.push_back(i);
  }
  queue.stop();
  EXPECT_EQ(seen, kept);
  EXPECT_EQ(kept.size() + queue.dropped(), 20'000U);
}

TEST(QueueThread, ComesBackWhenItsTimeHasCome) {
  FakeClock clock;
  Numbers queue(clock, 3);
  std::atomic<int> returns = 0;
  ASSERT_TRUE(queue.start("numbers", [&] {
    const auto deadline = clock.steady_now() + std::chrono::seconds{5};
    while (!queue.next(deadline).stopping) ++returns;
  }));
  while (returns == 0) clock.advance(std::chrono::seconds{1});
  EXPECT_GE(clock.steady_now(), SteadyTime{std::chrono::hours{1}} + std::chrono::seconds{5});
  queue.stop();
  EXPECT_EQ(queue.dropped(), 0U);
}

TEST(QueueThread, LetsGoOfWhatItHandedOut) {
  FakeClock clock;
  Numbers queue(clock, 2);
  auto number = std::make_shared<const int>(1);
  const std::weak_ptr<const int> watched = number;
  queue.put(std::move(number));
  EXPECT_TRUE(queue.next(std::nullopt).item);
  EXPECT_TRUE(watched.expired());
}

TEST(TroubleLog, TellsOfAFailureOnceAndOfItsEnd) {
  TroubleLog trouble("writes again");
  testing::internal::CaptureStderr();
  for (const char* failure : {"", "cannot write", "cannot write", "cannot open", "", ""}) {
    trouble.note(failure);
  }
  const std::string text = testing::internal::GetCapturedStderr();
  const auto count = [&](const std::string& what) {
    int found = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
    return found;
  };
  EXPECT_EQ(count("cannot write; tried again"), 1) << text;
  EXPECT_EQ(count("cannot open; tried again"), 1) << text;
  EXPECT_EQ(count("writes again"), 1) << text;
}

TEST(TroubleLog, TellsOfDropsThatNoFailureExplains) {
  TroubleLog trouble("writes again");
  const auto tell = [](std::uint64_t fresh) { return "left out " + std::to_string(fresh); };
  testing::internal::CaptureStderr();
  trouble.note_drops(3, tell);
  trouble.note_drops(3, tell);
  trouble.note("cannot write");
  trouble.note_drops(10, tell);
  trouble.note("");
  trouble.note_drops(12, tell);
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find("left out 3"), std::string::npos) << text;
  EXPECT_EQ(text.find("left out 7"), std::string::npos) << text;
  EXPECT_NE(text.find("left out 2"), std::string::npos) << text;
}

}  // namespace
}  // namespace gpuscope::base
