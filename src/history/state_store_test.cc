// Both stores of states behave alike; the one in a file also beside the history, on bad files, and
// through kills.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "history/history_testing.h"
#include "history/state_store.h"
#include "history/store.h"
#include "model/memory_state_store.h"

namespace gpuscope::history {
namespace {

using base::ErrorKind;
using model::MemoryStateStore;
using model::StateChange;
using model::StateRecord;
using model::StateStore;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string numbered(int n) { return std::string(19, '0') + std::to_string(n); }

class StateStores : public testing::TestWithParam<bool> {
 protected:
  StateStores() {
    if (GetParam()) {
      store_ = std::make_unique<SqliteStateStore>(folder_ / "gpuscope.db");
    } else {
      store_ = std::make_unique<MemoryStateStore>();
    }
  }
  Folder folder_;
  std::unique_ptr<StateStore> store_;
};

INSTANTIATE_TEST_SUITE_P(InMemoryAndInAFile, StateStores, testing::Bool());

TEST_P(StateStores, KeepRecordsByKindAndKey) {
  EXPECT_EQ(store_->durable(), GetParam());
  EXPECT_EQ(store_->get("alert", "a").value(), std::nullopt);
  ASSERT_TRUE(store_->put("alert", "b", "2"));
  ASSERT_TRUE(store_->put("alert", "a", "1"));
  ASSERT_TRUE(store_->put("alert", "a", "\"one\" \xC3\xA9"));
  ASSERT_TRUE(store_->put("alertx", "a", "other"));
  EXPECT_EQ(store_->get("alert", "a").value(), "\"one\" \xC3\xA9");
  EXPECT_THAT(store_->list("alert").value(),
              ElementsAre(StateRecord{"a", "\"one\" \xC3\xA9"}, StateRecord{"b", "2"}));
  ASSERT_TRUE(store_->erase("alert", "a"));
  ASSERT_TRUE(store_->erase("alert", "never there"));
  EXPECT_THAT(store_->list("alert").value(), ElementsAre(StateRecord{"b", "2"}));
  EXPECT_THAT(store_->list("silence").value(), IsEmpty());
}

TEST_P(StateStores, GiveQueuesKeysThatRiseAndAreNeverUsedAgain) {
  EXPECT_EQ(store_->append("queue", "x").value(), numbered(1));
  EXPECT_EQ(store_->append("queue", "y").value(), numbered(2));
  EXPECT_EQ(store_->append("audit", "z").value(), numbered(1));
  ASSERT_TRUE(store_->erase("queue", numbered(2)));
  EXPECT_EQ(store_->append("queue", "w").value(), numbered(3));
  EXPECT_THAT(store_->list("queue").value(),
              ElementsAre(StateRecord{numbered(1), "x"}, StateRecord{numbered(3), "w"}));
}

TEST_P(StateStores, GivePagesBothWaysAndTrim) {
  for (int i = 1; i <= 5; ++i) ASSERT_TRUE(store_->append("audit", std::to_string(i)));
  ASSERT_TRUE(store_->append("other", "stays"));
  const auto values = [&](const model::StatePage& which) {
    std::string all;
    const auto page = store_->page("audit", which);
    for (const StateRecord& record : page.value()) all += record.value;
    return all;
  };
  EXPECT_EQ(values({.after = numbered(2), .limit = 2}), "34");
  EXPECT_EQ(values({.limit = 2, .descending = true}), "54");
  EXPECT_EQ(values({.after = numbered(3), .descending = true}), "21");
  EXPECT_EQ(values({.limit = 0}), "");
  ASSERT_TRUE(store_->trim("audit", 7));
  EXPECT_EQ(values({}), "12345");
  ASSERT_TRUE(store_->trim("audit", 2));
  EXPECT_EQ(values({}), "45");
  ASSERT_TRUE(store_->trim("audit", 0));
  EXPECT_EQ(values({}), "");
  EXPECT_EQ(store_->list("other").value().size(), 1U);
}

TEST_P(StateStores, TakeAllChangesInOrder) {
  const std::vector<StateChange> changes{
      {"a", "1", "x"}, {"a", "2", "y"}, {"a", "1", std::nullopt}, {"b", "1", "z"}};
  ASSERT_TRUE(store_->apply(changes));
  EXPECT_THAT(store_->list("a").value(), ElementsAre(StateRecord{"2", "y"}));
  EXPECT_EQ(store_->get("b", "1").value(), "z");
}

// A history that is written meanwhile, another process's view of the same file.
TEST(SqliteStates, StandBesideAHistoryThatIsWritten) {
  const Folder folder;
  StoreOptions options;
  options.path = folder / "gpuscope.db";
  SqliteStateStore states(options.path);
  ASSERT_TRUE(states.put("alert", "early", "before there was a history"));
  std::jthread writer([&] {
    auto history = Store::open(options, std::make_shared<LiveBlock>());
    ASSERT_TRUE(history) << history.error().message;
    const auto inventory = test_inventory(2);
    for (int i = 0; i < 200; ++i) {
      base::Result<void> outcome;
      ASSERT_EQ((*history)->append(*test_tick(inventory, kHour + seconds{i}), outcome),
                Taken::kYes);
      ASSERT_TRUE(!(*history)->is_due() || (*history)->commit());
    }
  });
  for (int i = 0; i < 50; ++i) {
    const auto done = states.append("queue", "message");
    ASSERT_TRUE(done) << done.error().message;
  }
  writer.join();
  SqliteStateStore again(options.path);
  EXPECT_EQ(again.list("queue").value().size(), 50U);
  EXPECT_EQ(again.get("alert", "early").value(), "before there was a history");
}

TEST(SqliteStates, SayWhatIsWrongWithTheFileAndGoOnOnceItIsMended) {
  const Folder folder;
  const std::string path = folder / "gpuscope.db";
  {
    std::FILE* file = std::fopen(path.c_str(), "w");
    std::fputs(std::string(5000, 'x').c_str(), file);
    std::fclose(file);
  }
  SqliteStateStore states(path);
  const auto refused = states.put("a", "1", "x");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kInvalidArgument);
  EXPECT_THAT(refused.error().message, HasSubstr("move the file away"));
  std::filesystem::remove(path);
  ASSERT_TRUE(states.put("a", "1", "x"));

  SqliteStateStore nowhere(folder / "none/gpuscope.db");
  const auto none = nowhere.list("a");
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message, HasSubstr("see that its directory is there"));
}

// What a full disk does: the pages that the file may have are used up.
TEST(SqliteStates, LeaveAllAsItWasWhereTheDiskIsFull) {
  const Folder folder;
  const std::string path = folder / "gpuscope.db";
  SqliteStateStore states(path);
  ASSERT_TRUE(states.put("a", "1", "x"));
  ASSERT_TRUE(states.limit_pages_for_test(1));
  const std::vector<StateChange> changes{{"a", "2", "y"}, {"a", "3", std::string(1'000'000, 'z')}};
  const auto full = states.apply(changes);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().kind, ErrorKind::kUnavailable);
  EXPECT_THAT(full.error().message, HasSubstr("make room on its disk"));
  EXPECT_EQ(states.list("a").value().size(), 1U);
  EXPECT_TRUE(states.put("a", "1", "still goes"));
}

// What a child does: one record after the other, a byte for each that is said to be kept.
[[noreturn]] void append_until_killed(const std::string& path, int pipe) {
  SqliteStateStore states(path);
  for (;;) {
    if (!states.append("queue", "message")) _exit(1);
    if (write(pipe, "", 1) != 1) _exit(2);
  }
}

TEST(SqliteStates, KeepWhatTheySaidTheyKeptThroughKills) {
  const Folder folder;
  const std::string path = folder / "gpuscope.db";
  std::size_t kept = 0;
  for (int round = 0; round < 5; ++round) {
    int pipes[2];
    ASSERT_EQ(pipe(pipes), 0);
    const pid_t child = fork();
    if (child == 0) {
      close(pipes[0]);
      append_until_killed(path, pipes[1]);
    }
    close(pipes[1]);
    char byte = 0;
    for (int i = 0; i < 7 && read(pipes[0], &byte, 1) == 1; ++i) ++kept;
    kill(child, SIGKILL);
    while (read(pipes[0], &byte, 1) == 1) ++kept;
    close(pipes[0]);
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
    const std::size_t found = SqliteStateStore(path).list("queue").value().size();
    EXPECT_GE(found, kept);
    EXPECT_LE(found, kept + 1);  // it was kept, and not said any more
    kept = found;
  }
}

}  // namespace
}  // namespace gpuscope::history
