// The history against a model of it, with crashes: a writer that is killed, and a log that is cut.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "history/history_testing.h"
#include "history/reader.h"
#include "history/store.h"

namespace gpuscope::history {
namespace {

using model::Metric;
using model::SeriesKey;
using model::SeriesSample;
using std::chrono::seconds;

constexpr Metric kLookedAt[] = {Metric::kGpuUtilization,
                                Metric::kMemoryUtilization,
                                Metric::kEncoderUtilization,
                                Metric::kDecoderUtilization,
                                Metric::kPower,
                                Metric::kEnergy};

std::unique_ptr<Store> open_store(const StoreOptions& options,
                                  const std::shared_ptr<LiveBlock>& live) {
  auto opened = Store::open(options, live);
  EXPECT_TRUE(opened) << opened.error().message;
  return opened ? std::move(*opened) : nullptr;
}

// What a child does: ticks as fast as it can, a byte for each that it took.
[[noreturn]] void write_until_killed(const StoreOptions& options, base::WallTime from, int pipe) {
  auto opened = Store::open(options, std::make_shared<LiveBlock>());
  if (!opened) _exit(1);
  const auto inventory = test_inventory(2);
  for (int i = 0;; ++i) {
    base::Result<void> outcome;
    if ((*opened)->append(*test_tick(inventory, from + seconds{i}), outcome) != Taken::kYes)
      _exit(2);
    if (!outcome || ((*opened)->is_due() && !(*opened)->commit())) _exit(3);
    if (write(pipe, "", 1) != 1) _exit(4);
  }
}

// Runs a writer, and kills it after some ticks. How many it said it took.
int run_and_kill(const StoreOptions& options, base::WallTime from, int after) {
  int pipes[2];
  EXPECT_EQ(pipe(pipes), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(pipes[0]);
    write_until_killed(options, from, pipes[1]);
  }
  close(pipes[1]);
  int taken = 0;
  char byte = 0;
  while (taken < after && read(pipes[0], &byte, 1) == 1) ++taken;
  kill(child, SIGKILL);
  while (read(pipes[0], &byte, 1) == 1) ++taken;
  close(pipes[0]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself with " << WEXITSTATUS(status);
  return taken;
}

class KilledWriters : public testing::TestWithParam<unsigned> {};
// 200 rounds in all.
INSTANTIATE_TEST_SUITE_P(Crash, KilledWriters, testing::Values(17U, 18U, 19U, 20U));

TEST_P(KilledWriters, LoseAtMostFiveSeconds) {
  constexpr int kRounds = 50;
  const Folder folder;
  const StoreOptions options{.path = folder / "gpuscope.db"};
  std::mt19937 random(GetParam());
  base::WallTime from = kHour;
  std::map<base::WallTime, bool> model;  // ticks that must be there
  for (int round = 0; round < kRounds; ++round) {
    const int after = 1 + static_cast<int>(random() % (round % 20 == 0 ? 300 : 40));
    const int taken = run_and_kill(options, from, after);
    ASSERT_GE(taken, after);
    const HistoryReader reader(options.path, nullptr);
    const base::WallTime end = from + seconds{taken + 100};
    std::size_t kept = 0;
    const auto gpu = static_cast<std::size_t>(round % 2);
    for (const Metric metric : {kLookedAt[round % 6], Metric::kPower}) {
      const auto found = reader.samples({"GPU-" + std::to_string(gpu), metric}, {from, end});
      if (!found) {
        ASSERT_LE(taken, 5) << found.error().message;
        continue;
      }
      kept = found->size();
      ASSERT_GE(kept + 5, static_cast<std::size_t>(taken)) << "in round " << round;
      for (std::size_t i = 0; i < kept; ++i) {
        ASSERT_EQ((*found)[i].time, from + seconds{static_cast<int>(i)}) << "in round " << round;
        ASSERT_TRUE(same((*found)[i].reading, test_reading(gpu, metric, (*found)[i].time)));
      }
    }
    for (std::size_t i = 0; i < kept; ++i) model[from + seconds{static_cast<int>(i)}] = true;
    from = end + seconds{round % 10 == 9 ? 2000 : 0};  // over the end of an hour
  }
  const HistoryReader reader(options.path, nullptr);
  const auto all = reader.samples({"GPU-1", Metric::kPower}, kAlways);
  ASSERT_TRUE(all) << all.error().message;
  ASSERT_EQ(all->size(), model.size());
  EXPECT_TRUE(std::ranges::equal(*all, model, {}, &SeriesSample::time,
                                 &std::pair<const base::WallTime, bool>::first));
  auto connection = Connection::open(options.path, Connection::Mode::kRead);
  ASSERT_TRUE(connection);
  auto check = connection->prepare("PRAGMA integrity_check");
  ASSERT_TRUE(check && check->step().value_or(false));
  EXPECT_EQ(check->text(0), "ok");
}

// What a power cut leaves: the file, and its log up to some byte.
TEST(Crash, ALogThatWasCutAnywhereHoldsAWholeBeginning) {
  const Folder folder;
  const StoreOptions options{.path = folder / "gpuscope.db"};
  const StoreOptions copy{.path = folder / "copy.db"};
  const auto live = std::make_shared<LiveBlock>();
  const auto store = open_store(options, live);
  ASSERT_TRUE(store);
  const auto inventory = test_inventory(1);
  for (int i = 0; i < 100; ++i) {  // the hour ends among them
    base::Result<void> outcome;
    ASSERT_EQ(store->append(*test_tick(inventory, kHour - seconds{50} + seconds{i}), outcome),
              Taken::kYes);
    if (store->is_due()) {
      ASSERT_TRUE(store->commit());
    }
  }
  std::string log;
  {
    std::ifstream in(options.path + "-wal", std::ios::binary);
    log.assign(std::istreambuf_iterator<char>(in), {});
  }
  ASSERT_GT(log.size(), 100'000U);
  std::mt19937 random(23);
  std::vector<std::size_t> cuts;
  constexpr std::size_t kHead = 32;
  constexpr std::size_t kFrame = 4096 + 24;
  for (std::size_t at = kHead; at <= log.size(); at += 3 * kFrame) cuts.push_back(at);
  for (int i = 0; i < 20; ++i) cuts.push_back(random() % log.size());
  std::ranges::sort(cuts);
  std::size_t most = 0;
  for (const std::size_t cut : cuts) {
    std::filesystem::remove(copy.path + "-shm");
    std::filesystem::copy_file(options.path, copy.path,
                               std::filesystem::copy_options::overwrite_existing);
    std::ofstream(copy.path + "-wal", std::ios::binary | std::ios::trunc)
        .write(log.data(), static_cast<std::streamsize>(cut));
    const auto again = open_store(copy, std::make_shared<LiveBlock>());
    ASSERT_TRUE(again) << "cut at " << cut;
    const HistoryReader reader(copy.path, nullptr);
    const auto found = reader.samples({"GPU-0", Metric::kPower}, kAlways);
    if (!found) {
      ASSERT_EQ(most, 0U) << found.error().message;
      continue;
    }
    ASSERT_GE(found->size(), most) << "cut at " << cut;
    most = found->size();
    for (std::size_t i = 0; i < most; ++i) {
      ASSERT_EQ((*found)[i].time, kHour - seconds{50} + seconds{static_cast<int>(i)});
      ASSERT_TRUE(same((*found)[i].reading, test_reading(0, Metric::kPower, (*found)[i].time)));
    }
  }
  EXPECT_GE(most, 95U);
}

// Everything that can happen to a store, in any order, against a map.
TEST(Crash, HoldsWhatAModelHolds) {
  for (unsigned seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const Folder folder;
    const StoreOptions options{.path = folder / "gpuscope.db"};
    auto live = std::make_shared<LiveBlock>();
    auto store = open_store(options, live);
    std::map<SeriesKey, std::vector<SeriesSample>> model;
    std::map<SeriesKey, std::vector<SeriesSample>> waiting;
    base::WallTime now = kHour;
    auto inventory = test_inventory(1 + random() % 3);
    const auto committed = [&] {
      for (auto& [key, samples] : waiting) {
        auto& known = model[key];
        known.insert(known.end(), samples.begin(), samples.end());
      }
      waiting.clear();
    };
    for (int step = 0; step < 1500; ++step) {
      const auto dice = random() % 400;
      if (dice == 0) {
        ASSERT_TRUE(store->close_block());
        committed();
      } else if (dice == 1) {  // a crash: what waits is lost
        store.reset();
        live = std::make_shared<LiveBlock>();
        waiting.clear();
        store = open_store(options, live);
        ASSERT_TRUE(store);
      } else if (dice == 2) {
        inventory = test_inventory(1 + random() % 3);
      } else if (dice == 3) {
        now -= seconds{random() % 2000};
      } else if (dice < 6) {
        now += seconds{random() % 5000};
      }
      now += std::chrono::microseconds{1 + random() % 2'000'000};
      const bool closes = store->has_pending();
      const auto tick = test_tick(inventory, now);
      const std::uint64_t before = store->committed_ticks();
      base::Result<void> outcome;
      ASSERT_EQ(store->append(*tick, outcome), Taken::kYes);
      if (closes && store->committed_ticks() != before) committed();
      for (std::size_t gpu = 0; gpu < inventory->gpus.size(); ++gpu) {
        for (const Metric metric : kLookedAt) {
          waiting[{"GPU-" + std::to_string(gpu), metric}].push_back(
              {now, test_reading(gpu, metric, now)});
        }
      }
      if (store->is_due()) {
        ASSERT_TRUE(store->commit());
        committed();
      }
    }
    ASSERT_TRUE(store->commit());
    committed();
    const HistoryReader inside(options.path, live);
    const HistoryReader outside(options.path, nullptr);
    for (auto& [key, samples] : model) {
      std::ranges::sort(samples, {}, &SeriesSample::time);
      for (const HistoryReader* reader : {&inside, &outside}) {
        const auto found = reader->samples(key, kAlways);
        ASSERT_TRUE(found) << found.error().message;
        ASSERT_EQ(found->size(), samples.size()) << key.gpu;
        for (std::size_t i = 0; i < samples.size(); ++i) {
          ASSERT_EQ((*found)[i].time, samples[i].time);
          ASSERT_TRUE(same((*found)[i].reading, samples[i].reading));
        }
      }
    }
  }
}

}  // namespace
}  // namespace gpuscope::history
