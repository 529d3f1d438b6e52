// For tests of the history: a folder, a store in it, and a machine whose every tick follows from
// its time.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/temporary_folder.h"
#include "history/reader.h"
#include "history/sqlite.h"
#include "history/store.h"
#include "model/series.h"
#include "model/snapshot.h"

namespace gpuscope::history {

using Folder = base::TemporaryFolder;

inline std::uint64_t mixed(std::uint64_t x) {
  x ^= x >> 30;
  x *= 0xBF58476D1CE4E5B9U;
  x ^= x >> 27;
  x *= 0x94D049BB133111EBU;
  return x ^ (x >> 31);
}

inline constexpr base::WallTime kTestStart{std::chrono::seconds{1'780'000'000}};
inline constexpr base::WallTime kHour{std::chrono::seconds{1'780'002'000}};  // the first full one
inline constexpr model::TimeRange kAlways{base::WallTime{},
                                          base::WallTime{std::chrono::seconds{9'000'000'000}}};

// The readings of a GPU's row at a time, and nothing else, follow from the GPU and the time.
inline model::Reading test_reading(std::size_t gpu, model::Metric metric, base::WallTime time) {
  using model::Absence;
  using model::Reading;
  const auto id = static_cast<std::uint64_t>(metric);
  const auto micros = static_cast<std::uint64_t>(time.time_since_epoch().count());
  const std::uint64_t dice = mixed(micros * 151 + id + gpu * 7919);
  const std::uint64_t span = micros / 60'000'000;
  if (model::info(metric).cadence == model::Cadence::kOnce)
    return Reading::of(static_cast<std::int64_t>(id));
  switch (id % 5) {
    case 0:
      return Reading::none(Absence::kUnsupported);
    case 1:
      return Reading::of(static_cast<std::int64_t>(dice % 700'000));
    case 2:
      return dice % 40 == 0 ? Reading::none(Absence::kFailed)
                            : Reading::of(static_cast<std::int64_t>(100 * (span % 100)));
    case 3:
      return Reading::of(static_cast<std::int64_t>(micros * (gpu + 1)));
    default:
      return mixed(span + id) % 3 == 0 ? Reading::none(Absence::kGone)
                                       : Reading::of(-static_cast<std::int64_t>(dice % 3));
  }
}

inline std::shared_ptr<model::Inventory> test_inventory(std::size_t gpus) {
  auto inventory = std::make_shared<model::Inventory>();
  inventory->gpus.resize(gpus);
  for (std::size_t i = 0; i < gpus; ++i) {
    inventory->gpus[i].fact(model::Fact::kUuid) = model::Text::of("GPU-" + std::to_string(i));
    inventory->gpus[i].fact(model::Fact::kName) =
        model::Text::of("Card \"" + std::to_string(i) + "\"");
  }
  return inventory;
}

inline std::shared_ptr<model::Snapshot> test_tick(
    const std::shared_ptr<model::Inventory>& inventory, base::WallTime time) {
  auto snapshot = std::make_shared<model::Snapshot>();
  snapshot->time = time;
  snapshot->inventory = inventory;
  snapshot->devices.resize(inventory->gpus.size());
  snapshot->verdicts.resize(inventory->gpus.size());
  for (std::size_t i = 0; i < inventory->gpus.size(); ++i) {
    for (const model::MetricInfo& row : model::metrics(model::Entity::kGpu)) {
      snapshot->devices[i].at(row.id) = test_reading(i, row.id, time);
    }
    snapshot->verdicts[i].overall = model::Health::kHealthy;
  }
  return snapshot;
}

inline bool same(const model::Reading& one, const model::Reading& two) {
  return one.absence == two.absence && (!one.present() || one.value == two.value);
}

// What is asked for, as text: a row a line, columns parted by "|".
inline std::string ask(Connection& connection, const std::string& sql) {
  auto rows = connection.prepare(sql);
  EXPECT_TRUE(rows) << rows.error().message;
  if (!rows) return "";
  std::string text;
  for (;;) {
    const auto row = rows->step();
    EXPECT_TRUE(row) << row.error().message;
    if (!row || !*row) return text;
    if (!text.empty()) text += "\n";
    for (int i = 0; i < rows->columns(); ++i) {
      text += (i > 0 ? "|" : "") + (rows->is_null(i) ? std::string("NULL") : rows->text(i));
    }
  }
}

// A store in a folder of its own, opened when it is first used.
class StoreFixture : public testing::Test {
 protected:
  Store& store() {
    if (!store_) {
      auto opened = Store::open(options_, live_);
      EXPECT_TRUE(opened) << opened.error().message;
      if (opened) store_ = std::move(*opened);
    }
    return *store_;
  }
  // As a crash does: what waits is lost.
  void close() {
    store_.reset();
    live_ = std::make_shared<LiveBlock>();
  }
  Taken append(const model::Snapshot& snapshot) {
    base::Result<void> outcome;
    const Taken taken = store().append(snapshot, outcome);
    EXPECT_TRUE(outcome) << outcome.error().message;
    return taken;
  }
  void append_ticks(base::WallTime from, int count,
                    std::chrono::seconds step = std::chrono::seconds{1}) {
    for (int i = 0; i < count; ++i) {
      ASSERT_EQ(append(*test_tick(inventory_, from + i * step)), Taken::kYes);
      if (store().is_due()) {
        ASSERT_TRUE(store().commit());
      }
    }
  }
  Connection connect(Connection::Mode mode) {
    auto connection = Connection::open(options_.path, mode);
    EXPECT_TRUE(connection) << connection.error().message;
    return std::move(*connection);
  }
  std::string query(const std::string& sql) {
    auto connection = connect(Connection::Mode::kRead);
    return ask(connection, sql);
  }
  void run(const std::string& sql) {
    auto connection = connect(Connection::Mode::kWrite);
    const auto done = connection.execute(sql);
    ASSERT_TRUE(done) << done.error().message;
  }
  std::vector<model::SeriesSample> samples(const model::SeriesKey& key,
                                           std::shared_ptr<LiveBlock> live,
                                           model::TimeRange range = kAlways) {
    const HistoryReader reader(options_.path, std::move(live));
    auto found = reader.samples(key, range);
    EXPECT_TRUE(found) << found.error().message;
    return found.value_or(std::vector<model::SeriesSample>{});
  }

  const Folder folder_;
  StoreOptions options_{.path = folder_ / "gpuscope.db"};
  std::shared_ptr<LiveBlock> live_ = std::make_shared<LiveBlock>();
  std::shared_ptr<model::Inventory> inventory_ = test_inventory(2);
  std::unique_ptr<Store> store_;
};

}  // namespace gpuscope::history
