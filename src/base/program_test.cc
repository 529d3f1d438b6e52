// The pieces that a long-running program stands on: log, files, locks, signals, start and stop.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>

#include "base/fake_clock.h"
#include "base/file.h"
#include "base/lock_file.h"
#include "base/log.h"
#include "base/run_group.h"
#include "base/signal.h"
#include "base/temporary_folder.h"

namespace gpuscope::base {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;

class InDirectory : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return folder_ / name; }

  const TemporaryFolder folder_;
};

using File = InDirectory;
using Lock = InDirectory;

TEST_F(File, IsReadWholeWithinItsLimit) {
  std::ofstream(path("f")) << std::string(40'000, 'x');
  EXPECT_EQ(read_file(path("f"), 40'000)->size(), 40'000U);
  const auto too_long = read_file(path("f"), 39'999);
  ASSERT_FALSE(too_long);
  EXPECT_EQ(too_long.error().kind, ErrorKind::kInvalidArgument);
}

TEST_F(File, ThatIsMissingOrADirectorySaysSo) {
  const auto missing = read_file(path("none"), 10);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(missing.error().message, "cannot open " + path("none") + ": No such file or directory");
  EXPECT_EQ(read_file(folder_.path(), 10).error().kind, ErrorKind::kInvalidArgument);
}

TEST_F(File, DirectoriesAreMadeWithThoseAboveAndMayBeThere) {
  ASSERT_TRUE(make_directories(path("a/b//c/")));
  ASSERT_TRUE(make_directories(path("a/b/c")));
  EXPECT_TRUE(std::filesystem::is_directory(path("a/b/c")));
  std::ofstream(path("plain")) << "x";
  EXPECT_THAT(make_directories(path("plain/d")).error().message,
              HasSubstr("cannot make the directory " + path("plain") + ": "));
}

TEST_F(Lock, KeepsASecondHolderOutAndSaysWhoHasIt) {
  auto first = LockFile::acquire(path("lock"));
  ASSERT_TRUE(first);
  const auto second = LockFile::acquire(path("lock"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::kAlreadyExists);
  EXPECT_EQ(second.error().message,
            "cannot lock " + path("lock") + ": process " + std::to_string(getpid()) + " holds it");
}

TEST_F(Lock, IsFreeOnceItsHolderHasGone) {
  {
    ASSERT_TRUE(LockFile::acquire(path("lock")));
  }
  auto again = LockFile::acquire(path("lock"));
  ASSERT_TRUE(again);
  const LockFile moved = std::move(*again);
  EXPECT_FALSE(LockFile::acquire(path("lock")));
}

TEST(Log, EscapesWhatCouldForgeALine) {
  EXPECT_EQ(escape_log_text("a\nb\t\"\\\x1b[0m é"), "a\\nb\\u0009\\\"\\\\\\u001b[0m é");
}

TEST(Log, WritesOneLineAboveItsLevel) {
  testing::internal::CaptureStderr();
  configure_log(LogLevel::kWarning, LogFormat::kText);
  log(LogLevel::kInfo, "not this");
  log(LogLevel::kWarning, "GPU 1 {is} lost\nforged");
  configure_log(LogLevel::kInfo, LogFormat::kJson);
  log(LogLevel::kInfo, "said \"so\"");
  configure_log(LogLevel::kInfo, LogFormat::kText);
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_THAT(text, HasSubstr("+00:00 warning GPU 1 {is} lost\\nforged\n"));
  EXPECT_THAT(text, HasSubstr(R"("level": "info", "message": "said \"so\""})"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
}

TEST(Log, KnowsItsWords) {
  EXPECT_EQ(parse_log_level("warning"), LogLevel::kWarning);
  EXPECT_EQ(parse_log_level("loud"), std::nullopt);
  EXPECT_EQ(parse_log_format("json"), LogFormat::kJson);
  EXPECT_EQ(parse_log_format(""), std::nullopt);
}

class Recorded {
 public:
  RunGroup::Part part(const std::string& name, bool starts = true) {
    return {name,
            [this, name, starts]() -> Result<void> {
              said.push_back("start " + name);
              if (!starts) return fail(ErrorKind::kUnavailable, "cannot start " + name);
              return {};
            },
            [this, name] { said.push_back("stop " + name); }};
  }
  std::vector<std::string> said;
};

TEST(RunGroup, StartsInOrderAndStopsInReverse) {
  FakeClock clock;
  Recorded record;
  RunGroup group;
  group.add(record.part("a"));
  group.add(record.part("b"));
  ASSERT_TRUE(group.start(clock, milliseconds{100}));
  ASSERT_TRUE(group.stop(clock, milliseconds{100}));
  ASSERT_TRUE(group.stop(clock, milliseconds{100}));
  EXPECT_THAT(record.said, ElementsAre("start a", "start b", "stop b", "stop a"));
}

TEST(RunGroup, StopsWhatHadStartedWhenAPartFails) {
  FakeClock clock;
  Recorded record;
  RunGroup group;
  group.add(record.part("a"));
  group.add(record.part("b", false));
  group.add(record.part("c"));
  const auto result = group.start(clock, milliseconds{100});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, "cannot start b");
  EXPECT_THAT(record.said, ElementsAre("start a", "start b", "stop a"));
}

// What a stuck part waits on; shared with it, since it outlives its group.
struct Gate {
  Mutex mutex;
  CondVar changed;
  bool open GUARDED_BY(mutex) = false;
};

TEST(RunGroup, LeavesAPartBehindThatDoesNotStop) {
  FakeClock clock;
  const auto gate = std::make_shared<Gate>();
  RunGroup group;
  group.add({"stuck", [] { return Result<void>{}; },
             [gate, &clock] {
               clock.advance(std::chrono::seconds{10});
               MutexLock lock(gate->mutex);
               while (!gate->open) gate->changed.wait(lock);
             }});
  ASSERT_TRUE(group.start(clock, milliseconds{100}));
  const auto result = group.stop(clock, milliseconds{4500});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, "cannot stop stuck within 4500 ms");
  MutexLock lock(gate->mutex);
  gate->open = true;
  gate->changed.notify_all();
}

TEST(StopSignals, FirstIsAValueAndSecondEndsTheProcess) {
  const pid_t child = fork();
  if (child == 0) {
    StopSignals signals;
    if (signals.wait(milliseconds{0})) _exit(1);
    for (int i = 0; i < 2; ++i) {
      kill(getpid(), SIGHUP);
      if (signals.wait(milliseconds{10'000}) != SIGHUP) _exit(4);
    }
    kill(getpid(), SIGTERM);
    if (signals.wait(milliseconds{10'000}) != SIGTERM) _exit(2);
    kill(getpid(), SIGTERM);
    _exit(3);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << "it went on and left with " << WEXITSTATUS(status);
  EXPECT_EQ(WTERMSIG(status), SIGTERM);
}

}  // namespace
}  // namespace gpuscope::base
