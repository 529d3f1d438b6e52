#include "history/tick_cursor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <random>

#include "history/history_testing.h"
#include "history/schema.h"

namespace gpuscope::history {
namespace {

using model::Reading;
using model::Snapshot;
using model::TickPosition;
using std::chrono::seconds;
using testing::HasSubstr;

using Ticks = std::vector<std::shared_ptr<const Snapshot>>;

template <typename Row>
void expect_same_rows(const Row& one, const Row& two) {
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_TRUE(same(one[i], two[i])) << "column " << i;
  }
}

void expect_same(const Snapshot& read, const Snapshot& kept) {
  ASSERT_EQ(read.time, kept.time);
  ASSERT_EQ(read.devices.size(), kept.devices.size());
  ASSERT_EQ(read.inventory->gpus.size(), kept.inventory->gpus.size());
  EXPECT_EQ(read.inventory->simulated, kept.inventory->simulated);
  for (std::size_t i = 0; i < kept.devices.size(); ++i) {
    SCOPED_TRACE(i);
    EXPECT_EQ(read.inventory->gpus[i].uuid(), kept.inventory->gpus[i].uuid());
    EXPECT_EQ(read.inventory->gpus[i].name(), kept.inventory->gpus[i].name());
    EXPECT_EQ(read.verdicts[i].overall, kept.verdicts[i].overall);
    expect_same_rows(read.devices[i].gpu, kept.devices[i].gpu);
    ASSERT_EQ(read.devices[i].fans.size(), kept.devices[i].fans.size());
    for (std::size_t j = 0; j < kept.devices[i].fans.size(); ++j) {
      expect_same_rows(read.devices[i].fans[j], kept.devices[i].fans[j]);
    }
    ASSERT_EQ(read.devices[i].links.size(), kept.devices[i].links.size());
    ASSERT_EQ(read.devices[i].mig_instances.size(), kept.devices[i].mig_instances.size());
    for (std::size_t j = 0; j < kept.devices[i].mig_instances.size(); ++j) {
      const model::MigInstance& is = read.devices[i].mig_instances[j];
      const model::MigInstance& was = kept.devices[i].mig_instances[j];
      EXPECT_EQ(is.profile, was.profile);
      EXPECT_EQ(is.uuid, was.uuid);
      EXPECT_EQ(is.gpu_instance_id, was.gpu_instance_id);
      EXPECT_EQ(is.compute_instance_id, was.compute_instance_id);
      EXPECT_TRUE(same(is.row[0], was.row[0]));
    }
    EXPECT_NE(read.devices[i].processes_absence, model::Absence::kPresent);
  }
}

class TickCursorTest : public StoreFixture {
 protected:
  // The next `count` seconds.
  void add_ticks(int count) {
    for (int i = 0; i < count; ++i) add(test_tick(inventory_, time_ += seconds{1}));
  }
  void add(std::shared_ptr<Snapshot> tick) {
    time_ = tick->time;
    ASSERT_EQ(append(*tick), Taken::kYes);
    kept_.push_back(std::move(tick));
  }
  void commit() { ASSERT_TRUE(store().commit()); }
  // Reads all that there is, and holds it against what was kept from `from` on.
  void expect_rest(model::TickReader& cursor, std::size_t from) {
    for (std::size_t i = from; i < kept_.size(); ++i) {
      SCOPED_TRACE(i);
      const auto tick = cursor.next();
      ASSERT_TRUE(tick) << tick.error().message;
      ASSERT_NE(*tick, nullptr);
      expect_same(**tick, *kept_[i]);
      if (HasFailure()) return;
    }
    expect_nothing(cursor);
  }
  static void expect_nothing(model::TickReader& cursor) {
    const auto none = cursor.next();
    ASSERT_TRUE(none) << none.error().message;
    EXPECT_EQ(*none, nullptr);
    EXPECT_EQ(*cursor.left(), 0U);
  }

  base::WallTime time_ = kHour;
  Ticks kept_;
};

TEST_F(TickCursorTest, IsAtItsEndWhereThereIsNoHistory) {
  TickCursor cursor(options_.path);
  EXPECT_EQ(*cursor.end(), TickPosition{});
  expect_nothing(cursor);
  add_ticks(3);
  expect_nothing(cursor);
  commit();
  EXPECT_EQ(*cursor.left(), 3U);
  expect_rest(cursor, 0);
  EXPECT_EQ(cursor.position(), *cursor.end());
}

// Looked at in the middle of its making.
TEST_F(TickCursorTest, LearnsTheMetricsOfAFileThatIsMadeAnew) {
  auto connection = connect(Connection::Mode::kWrite);
  ASSERT_TRUE(prepare_file(connection));
  TickCursor cursor(options_.path);
  EXPECT_EQ(*cursor.end(), TickPosition{});
  expect_nothing(cursor);
  add_ticks(3);
  commit();
  expect_rest(cursor, 0);
}

TEST_F(TickCursorTest, GivesWhatIsDurableAndNoMore) {
  add_ticks(10);
  commit();
  add_ticks(5);
  TickCursor cursor(options_.path);
  EXPECT_EQ(*cursor.left(), 10U);
  for (int i = 0; i < 10; ++i) ASSERT_NE(*cursor.next(), nullptr);
  EXPECT_EQ(*cursor.next(), nullptr);
  commit();
  expect_rest(cursor, 10);
}

TEST_F(TickCursorTest, GoesFromBlockToBlock) {
  // Over the ends of three hours; more than are held at once.
  inventory_ = test_inventory(3);
  for (int i = 0; i < 3; ++i) add_ticks(3500);
  commit();
  TickCursor cursor(options_.path);
  EXPECT_EQ(*cursor.left(), 10'500U);
  expect_rest(cursor, 0);
  EXPECT_EQ(cursor.lost(), 0U);
}

TEST_F(TickCursorTest, HasAllPartsOfAMachine) {
  auto inventory = std::make_shared<model::Inventory>(*test_inventory(3));
  inventory->simulated = true;
  inventory->gpus[1].fact(model::Fact::kPciBusId) = model::Text::of("00000000:41:00.0");
  // The last in the table of GPUs, the first in the machine.
  std::swap(inventory->gpus[0], inventory->gpus[2]);
  append_ticks(time_, 1);
  ASSERT_TRUE(store().close_block());
  inventory_ = inventory;
  for (int i = 1; i <= 200; ++i) {
    auto tick = test_tick(inventory_, time_ + seconds{1});
    tick->verdicts[1].overall = static_cast<model::Health>(i % 5);
    tick->devices[0].fans.resize(2);
    for (auto& fan : tick->devices[0].fans) fan.fill(Reading::of(i));
    tick->devices[1].links.resize(4);
    tick->devices[1].links[3].fill(Reading::of(-i));
    if (i > 50 && i < 150) {
      tick->devices[2].mig_instances.resize(2);
      tick->devices[2].mig_instances[0].gpu_instance_id = 7;
      tick->devices[2].mig_instances[0].uuid = "MIG-7";
      tick->devices[2].mig_instances[0].profile = "1g.10gb";
      tick->devices[2].mig_instances[1].gpu_instance_id = 9;
      tick->devices[2].mig_instances[1].compute_instance_id = 1;
      for (auto& mig : tick->devices[2].mig_instances) mig.row.fill(Reading::of(i));
    }
    add(std::move(tick));
    if (i == 120) commit();
  }
  commit();
  for (const bool closed : {false, true}) {
    if (closed) {
      ASSERT_TRUE(store().close_block());
    }
    TickCursor cursor(options_.path);
    cursor.seek({1, 1});
    expect_rest(cursor, 0);
    cursor.seek({1, 1});
    const Snapshot* tick = *cursor.next();
    EXPECT_EQ(tick->inventory->gpus[1].fact(model::Fact::kPciBusId).value, "00000000:41:00.0");
    EXPECT_FALSE(tick->inventory->gpus[1].fact(model::Fact::kSerial).present());
  }
}

TEST_F(TickCursorTest, KeepsTheInventoryAsLongAsNothingInItChanges) {
  add_ticks(10);
  commit();
  TickCursor cursor(options_.path);
  const auto first = (*cursor.next())->inventory;
  for (int i = 1; i < 10; ++i) EXPECT_EQ((*cursor.next())->inventory, first);
  auto renamed = std::make_shared<model::Inventory>(*inventory_);
  renamed->gpus[0].fact(model::Fact::kDriverVersion) = model::Text::of("570.1");
  inventory_ = renamed;
  add_ticks(1);
  commit();
  const auto second = (*cursor.next())->inventory;
  EXPECT_NE(second, first);
  EXPECT_EQ(second->gpus[0].fact(model::Fact::kDriverVersion).value, "570.1");
}

// Each tick once and in order, however commits, ends of blocks, GPUs that come and go, restarts of
// the writer and of the reader fall together.
TEST_F(TickCursorTest, NeitherLosesNorRepeatsAnything) {
  std::minstd_rand random(7);
  auto cursor = std::make_unique<TickCursor>(options_.path);
  std::size_t read = 0;
  std::size_t durable = 0;
  for (int round = 0; round < 400; ++round) {
    switch (random() % 8) {
      case 0:
        ASSERT_TRUE(store().close_block());
        durable = kept_.size();
        break;
      case 1:
        inventory_ = test_inventory(1 + random() % 3);
        break;
      case 2:
        time_ += seconds{random() % 2000};
        break;
      case 3: {
        const TickPosition position = cursor->position();
        cursor = std::make_unique<TickCursor>(options_.path);
        cursor->seek(position);
        break;
      }
      case 4:
        commit();
        close();
        durable = kept_.size();
        break;
      case 5:
        time_ -= seconds{2 + random() % 100};
        break;
      default:
        break;
    }
    const std::size_t before = kept_.size();
    add_ticks(static_cast<int>(random() % 20));
    // What an append of other GPUs or another hour has closed is durable up to there.
    if (random() % 2 == 0) {
      commit();
      durable = kept_.size();
    }
    for (std::size_t most = random() % 60; most > 0; --most) {
      const auto tick = cursor->next();
      ASSERT_TRUE(tick) << tick.error().message;
      if (*tick == nullptr) break;
      ASSERT_LT(read, kept_.size());
      expect_same(**tick, *kept_[read++]);
      if (HasFailure()) return;
    }
    ASSERT_LE(durable, kept_.size());
    ASSERT_GE(kept_.size(), before);
  }
  commit();
  expect_rest(*cursor, read);
  EXPECT_EQ(cursor->lost(), 0U);
}

TEST_F(TickCursorTest, CountsWhatRetentionRemoved) {
  options_.keep_ticks = std::chrono::hours{3};
  TickCursor cursor(options_.path);
  for (int hour = 0; hour < 6; ++hour) {
    time_ = kHour + std::chrono::hours{hour};
    add_ticks(10);
    commit();
    if (hour == 1) {
      for (int i = 0; i < 5; ++i) ASSERT_NE(*cursor.next(), nullptr);
    }
    ASSERT_TRUE(cursor.left());
  }
  ASSERT_TRUE(store().close_block());
  const auto left = *cursor.left();
  const auto oldest = query("SELECT min(first) FROM block");
  EXPECT_GT(cursor.lost(), 0U);
  EXPECT_EQ(cursor.lost() + left, 55U) << "of the first block five were read";
  const auto next = cursor.next();
  ASSERT_TRUE(next && *next != nullptr);
  EXPECT_EQ(std::to_string((*next)->time.time_since_epoch().count()), oldest);
}

TEST_F(TickCursorTest, PassesOverDamageAndSaysSoOnce) {
  add_ticks(10);
  ASSERT_TRUE(store().close_block());
  add_ticks(10);
  ASSERT_TRUE(store().close_block());
  add_ticks(10);
  commit();
  run("UPDATE chunk SET data = zeroblob(100) WHERE id = (1 << 16) + 1");  // the first GPU
  run("UPDATE block SET times = x'00' WHERE id = 2");
  run("UPDATE tail SET data = x'00' WHERE id > 0");
  TickCursor cursor(options_.path);
  const auto chunk = cursor.next();
  ASSERT_FALSE(chunk);
  EXPECT_EQ(chunk.error().kind, base::ErrorKind::kInvalidArgument);
  EXPECT_THAT(chunk.error().message, HasSubstr("cannot read all of block 1 of " + options_.path));
  for (std::size_t i = 0; i < 10; ++i) {
    const auto tick = cursor.next();
    ASSERT_TRUE(tick) << tick.error().message;
    ASSERT_NE(*tick, nullptr);
    for (const Reading& reading : (*tick)->devices[0].gpu) EXPECT_FALSE(reading.present());
    expect_same_rows((*tick)->devices[1].gpu, kept_[i]->devices[1].gpu);
  }
  const auto times = cursor.next();
  ASSERT_FALSE(times);
  EXPECT_THAT(times.error().message, HasSubstr("block 2"));
  const auto tail = cursor.next();
  ASSERT_FALSE(tail);
  EXPECT_THAT(tail.error().message, HasSubstr("block 3"));
  expect_nothing(cursor);
}

TEST_F(TickCursorTest, RefusesTheFileOfAnotherProgram) {
  std::ofstream(options_.path) << std::string(5000, 'x');
  TickCursor cursor(options_.path);
  const auto next = cursor.next();
  ASSERT_FALSE(next);
  EXPECT_THAT(next.error().message, HasSubstr("cannot "));
  EXPECT_FALSE(cursor.end());
  EXPECT_FALSE(cursor.left());
}

}  // namespace
}  // namespace gpuscope::history
