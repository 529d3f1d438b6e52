// Real children: a shell that does what each test is about.
#include "base/subprocess.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/signal.h"
#include "base/temporary_folder.h"

namespace gpuscope::base {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using testing::HasSubstr;
using testing::StartsWith;

// More than any of these takes, even sanitized on a busy machine.
constexpr seconds kPatience{30};

Command shell(const std::string& script) { return {{"/bin/sh", "-c", script}, {}}; }

RunLimits within(milliseconds timeout) {
  RunLimits limits;
  limits.timeout = timeout;
  return limits;
}

Completed run(const Command& command) {
  auto completed = run_command(command, within(kPatience));
  EXPECT_TRUE(completed) << completed.error().message;
  return completed ? *completed : Completed{};
}

// Not so one that has ended and waits for whoever adopted it.
bool alive(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string number;
  std::string name;
  std::string state;
  return static_cast<bool>(file >> number >> name >> state) && state != "Z";
}

// Until the process is gone; false when it stays.
bool ends(pid_t pid) {
  const auto limit = steady_clock::now() + kPatience;
  while (alive(pid) && steady_clock::now() < limit) std::this_thread::yield();
  return !alive(pid);
}

TEST(Subprocess, GivesOutputErrorsAndStatus) {
  const Completed completed = run(shell("echo one; echo two >&2; exit 9"));
  EXPECT_EQ(completed.output, "one\n");
  EXPECT_EQ(completed.errors, "two\n");
  EXPECT_FALSE(completed.status.success());
  EXPECT_EQ(exit_text(completed.status), "ended with status 9");
  EXPECT_TRUE(run(shell("true")).status.success());
}

TEST(Subprocess, GivesBinaryOutputAsItIs) {
  const Completed completed = run(shell(R"(printf 'a\000\377\n\001b')"));
  EXPECT_EQ(completed.output, std::string("a\0\xff\n\001b", 6));
}

TEST(Subprocess, PassesArgumentsWithoutAShell) {
  const Completed completed =
      run({{"/bin/sh", "-c", R"(printf '%s|' "$@")", "sh", "a b", "$HOME", "", "*;'\""}, {}});
  EXPECT_EQ(completed.output, "a b|$HOME||*;'\"|");
}

TEST(Subprocess, SaysWhichSignalEndedIt) {
  const Completed completed = run(shell("echo before; kill -SEGV $$"));
  EXPECT_EQ(completed.output, "before\n");
  EXPECT_EQ(completed.status.signal, SIGSEGV);
  EXPECT_EQ(exit_text(completed.status), "was ended by signal 11 (Segmentation fault)");
}

TEST(Subprocess, SetsItsEnvironmentBesideOurs) {
  setenv("LC_ALL", "xx_YY.UTF-8", 1);
  setenv("GPUSCOPE_TEST_KEPT", "kept", 1);
  setenv("GPUSCOPE_TEST_SET", "ours", 1);
  Command command = shell("echo $LC_ALL $GPUSCOPE_TEST_KEPT $GPUSCOPE_TEST_SET");
  command.environment = {"GPUSCOPE_TEST_SET=its"};
  EXPECT_EQ(run(command).output, "C kept its\n");
  unsetenv("LC_ALL");
  unsetenv("GPUSCOPE_TEST_KEPT");
  unsetenv("GPUSCOPE_TEST_SET");
}

TEST(Subprocess, HasNoInputAndNoFileOfOurs) {
  const int leaked = dup(2);  // not close-on-exec
  ASSERT_GT(leaked, 2);
  EXPECT_EQ(run(shell("cat; ls /proc/$$/fd | tr '\\n' ' '")).output, "0 1 2 ");
  close(leaked);
}

TEST(Subprocess, StartsWithNoSignalBlockedOrIgnored) {
  // As in the agent: every thread has these blocked, and SIGPIPE is ignored. A shell blocks more
  // while it forks, so that grep looks at itself.
  const StopSignals signals;
  const Completed completed =
      run(shell("grep -E 'SigBlk|SigIgn' /proc/self/status; kill -TERM $$"));
  EXPECT_EQ(completed.output, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
  EXPECT_EQ(completed.status.signal, SIGTERM);
}

TEST(Subprocess, ThatHangsIsKilledWithAllItStartedAtTheDeadline) {
  auto started = Subprocess::start(shell("trap '' TERM INT; sleep 1000 & echo $!; wait"));
  ASSERT_TRUE(started);
  std::string output;
  std::string errors;
  ASSERT_EQ(started->read(output, errors, kPatience, nullptr), Subprocess::Event::kOutput);
  const pid_t grandchild = std::atoi(output.c_str());
  ASSERT_TRUE(alive(grandchild));
  EXPECT_EQ(started->read(output, errors, milliseconds{5}, nullptr), Subprocess::Event::kTimeout);
  started->kill();
  EXPECT_TRUE(ends(grandchild));
  EXPECT_EQ(unreaped_children(), 0U);

  const auto result = run_command(shell("sleep 1000"), within(milliseconds{20}));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kDeadlineExceeded);
  EXPECT_EQ(result.error().message,
            "cannot use /bin/sh -c sleep 1000: it did not end within 20 ms");
}

TEST(Subprocess, ThatClosesItsPipesAndHangsIsNotOver) {
  const auto result = run_command(shell("exec >&- 2>&-; sleep 1000"), within(milliseconds{200}));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kDeadlineExceeded);
}

TEST(Subprocess, IsOverWhenItEndsWhoeverHoldsItsPipes) {
  const Completed completed = run(shell("sleep 1000 & echo $!"));
  EXPECT_TRUE(completed.status.success());
  EXPECT_TRUE(ends(std::atoi(completed.output.c_str())));
}

TEST(Subprocess, ThatFloodsIsKilledAtItsLimit) {
  RunLimits limits = within(kPatience);
  limits.max_bytes = 1'000'000;
  const auto result = run_command(shell("cat /dev/zero"), limits);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kUnavailable);
  EXPECT_THAT(result.error().message, HasSubstr("it wrote more than 1000000 bytes"));
}

TEST(Subprocess, KeepsWhatFitsOfItsErrors) {
  const Completed completed = run(shell("head -c 300000 /dev/zero >&2; echo done"));
  EXPECT_EQ(completed.output, "done\n");
  EXPECT_EQ(completed.errors.size(), 65'536U);
}

TEST(Subprocess, GivesMuchOutputWhole) {
  const Completed completed = run(shell("head -c 3000000 /dev/zero"));
  EXPECT_EQ(completed.output.size(), 3'000'000U);
}

TEST(Subprocess, IsEndedByAnInterruptFromAnotherThread) {
  Interrupt interrupt;
  EXPECT_FALSE(interrupt.raised());
  RunLimits limits = within(kPatience);
  limits.interrupt = &interrupt;
  std::thread other([&] { interrupt.raise(); });
  const auto result = run_command(shell("sleep 1000"), limits);
  other.join();
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("interrupted"));
  EXPECT_TRUE(interrupt.raised());
}

TEST(Subprocess, DiesWithTheThreadThatStartedIt) {
  std::string output;
  Result<Subprocess> left = fail(ErrorKind::kInternal, "not started");
  std::thread([&] {
    std::string errors;
    left = Subprocess::start(shell("echo $$; exec sleep 1000"));
    if (left) left->read(output, errors, kPatience, nullptr);
  }).join();
  ASSERT_TRUE(left);
  std::string errors;
  EXPECT_EQ(left->read(output, errors, kPatience, nullptr), Subprocess::Event::kEnd);
  EXPECT_EQ(left->status().signal, SIGKILL);
}

TEST(Subprocess, ThatIsMissingOrCannotRunSaysSo) {
  const auto missing = run_command({{"gpuscope-no-such-tool"}, {}}, within(kPatience));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(missing.error().message,
            "cannot run gpuscope-no-such-tool: there is no such program in PATH");
  const auto elsewhere = run_command({{"/nonexistent/tool"}, {}}, within(kPatience));
  ASSERT_FALSE(elsewhere);
  EXPECT_EQ(elsewhere.error().message, "cannot run /nonexistent/tool: No such file or directory");
  const auto folder = run_command({{"/tmp"}, {}}, within(kPatience));
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().kind, ErrorKind::kPermissionDenied);
  EXPECT_FALSE(run_command({}, within(kPatience)));
}

TEST(Subprocess, ThatCannotBeExecutedAfterAllEndsWithWords) {
  const TemporaryFolder folder;
  const std::string tool = folder / "tool";
  std::ofstream(tool) << "\x7f"
                         "ELF, but not quite";
  std::filesystem::permissions(tool, std::filesystem::perms::owner_all);
  const Completed completed = run({{tool}, {}});
  EXPECT_EQ(completed.status.code, 127);
  EXPECT_THAT(completed.errors, StartsWith("cannot run the program: "));
}

TEST(Subprocess, IsFoundInThePathAsAShellWould) {
  const auto found = find_program("sh");
  ASSERT_TRUE(found);
  EXPECT_THAT(*found, testing::EndsWith("/sh"));
  EXPECT_EQ(*find_program("/bin/sh"), "/bin/sh");
  EXPECT_FALSE(find_program(""));
}

}  // namespace
}  // namespace gpuscope::base
