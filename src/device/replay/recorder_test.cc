#include "device/replay/recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include "base/fake_clock.h"
#include "device/replay/replay_testing.h"

namespace gpuscope::device::replay {
namespace {

using testing::HasSubstr;

template <typename Condition>
void wait_until(Condition condition) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds{60};
  while (!condition()) {
    ASSERT_LT(std::chrono::steady_clock::now(), limit) << "what was waited for never came";
    std::this_thread::yield();
  }
}

class RecorderTest : public testing::Test {
 protected:
  Recorder& recorder() {
    if (!recorder_) {
      auto started = Recorder::start(clock_, options_);
      EXPECT_TRUE(started) << started.error().message;
      recorder_ = std::move(*started);
    }
    return *recorder_;
  }
  // Takes some ticks of the machine, each written before the next.
  void take(int ticks) {
    for (int i = 0; i < ticks; ++i) {
      const auto snapshot = machine_.tick();
      const auto before = recorder().status();
      taken_.push_back(text_of(*snapshot));
      recorder().take(snapshot);
      if (options_.flush_bytes > 1) continue;
      wait_until([&] {
        const auto now = recorder().status();
        return now.ticks + now.dropped > before.ticks + before.dropped;
      });
    }
  }
  std::vector<std::string> recorded() const {
    std::vector<std::string> ticks;
    const auto reader = RecordingReader::open(options_.path);
    EXPECT_TRUE(reader) << reader.error().message;
    if (!reader) return ticks;
    do ticks.push_back(text_of((*reader)->tick()));
    while ((*reader)->next());
    EXPECT_FALSE((*reader)->is_damaged());
    return ticks;
  }

  const Folder folder_;
  base::FakeClock clock_;
  RandomMachine machine_{5};
  RecorderOptions options_{.path = folder_ / "recording", .flush_bytes = 1};
  std::vector<std::string> taken_;
  std::unique_ptr<Recorder> recorder_;
};

TEST_F(RecorderTest, WritesEveryTickInOrder) {
  take(50);
  recorder().stop();
  recorder().stop();
  EXPECT_EQ(recorded(), taken_);
  const RecorderStatus status = recorder().status();
  EXPECT_EQ(status.ticks, 50U);
  EXPECT_EQ(status.dropped, 0U);
  EXPECT_EQ(status.bytes, std::filesystem::file_size(options_.path));
  EXPECT_FALSE(status.failing);
  recorder().take(machine_.tick());
  EXPECT_EQ(recorder().status().dropped, 1U) << "taken after the end";
}

TEST_F(RecorderTest, GoesOnWithAFileThatIsThere) {
  take(10);
  recorder_.reset();
  take(10);
  recorder_.reset();
  EXPECT_EQ(recorded(), taken_);
}

TEST_F(RecorderTest, WritesWhenItsTimeHasCome) {
  options_.flush_bytes = 1'000'000;
  options_.queue = 64;
  take(20);
  // No time passes, and nothing is written; then it does.
  wait_until([&] {
    clock_.advance(std::chrono::milliseconds{100});
    return recorder().status().ticks > 0;
  });
  EXPECT_FALSE(recorded().empty());
  recorder_.reset();
  EXPECT_EQ(recorded(), taken_);
}

TEST_F(RecorderTest, DropsWhatTheDiskIsTooSlowFor) {
  options_.queue = 2;
  std::vector<std::shared_ptr<const model::Snapshot>> ticks;
  ticks.reserve(2000);
  for (int i = 0; i < 2000; ++i) ticks.push_back(machine_.tick());
  for (const auto& tick : ticks) recorder().take(tick);
  recorder().stop();
  const RecorderStatus status = recorder().status();
  EXPECT_EQ(status.ticks + status.dropped, 2000U);
  EXPECT_GT(status.dropped, 0U);
  // What is there is whole: each of the ticks taken, in their order.
  std::size_t next = 0;
  for (const std::string& text : recorded()) {
    while (next < ticks.size() && text_of(*ticks[next]) != text) ++next;
    ASSERT_LT(next, ticks.size());
  }
}

TEST_F(RecorderTest, GoesOnWithoutAFolderAndTakesItWhenItComes) {
  options_.path = folder_ / "later/recording";
  take(3);
  EXPECT_TRUE(recorder().status().failing);
  EXPECT_THAT(recorder().status().error.message, HasSubstr("cannot write the recording"));
  EXPECT_EQ(recorder().status().dropped, 3U);
  std::filesystem::create_directory(folder_ / "later");
  taken_.clear();
  take(3);
  EXPECT_FALSE(recorder().status().failing);
  EXPECT_FALSE(recorder().status().error.message.empty()) << "the last failure stays known";
  recorder_.reset();
  EXPECT_EQ(recorded(), taken_);
}

TEST_F(RecorderTest, OutlivesAFullDisk) {
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit saved{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &saved), 0);
  take(5);
  const auto before = taken_;
  const rlimit full{.rlim_cur = recorder().status().bytes + 20, .rlim_max = saved.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &full), 0);
  take(2);
  EXPECT_TRUE(recorder().status().failing);
  EXPECT_EQ(std::filesystem::file_size(options_.path), recorder().status().bytes)
      << "half a frame was left";
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &saved), 0);
  taken_ = before;
  take(5);
  EXPECT_FALSE(recorder().status().failing);
  recorder_.reset();
  EXPECT_EQ(recorded(), taken_);
}

TEST_F(RecorderTest, LeavesAnotherFileAlone) {
  options_.path = folder_ / "notes.txt";
  std::FILE* file = std::fopen(options_.path.c_str(), "w");
  ASSERT_NE(file, nullptr);
  std::fputs("somebody's notes, and no recording\n", file);
  std::fclose(file);
  take(2);
  EXPECT_TRUE(recorder().status().failing);
  EXPECT_THAT(recorder().status().error.message, HasSubstr("is not a recording"));
  EXPECT_EQ(std::filesystem::file_size(options_.path), 35U);
}

}  // namespace
}  // namespace gpuscope::device::replay
