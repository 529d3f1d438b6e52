#include "device/replay/replay_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "device/replay/encoder.h"
#include "device/replay/replay_testing.h"

namespace gpuscope::device::replay {
namespace {

using model::Metric;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr base::WallTime kThen{seconds{1'700'000'000}};
constexpr base::WallTime kNow{seconds{1'790'000'000}};

// Ten ticks of one GPU, a second apart; the temperature is the tick's number. At tick 4 an XID that
// is half a second old.
class ReplaySourceTest : public testing::Test {
 protected:
  void SetUp() override { record(10); }

  void record(int ticks, int reopened_at = -1) {
    std::filesystem::remove(path_);
    auto writer = FrameWriter::open(path_);
    ASSERT_TRUE(writer);
    Encoder encoder;
    std::string records;
    model::Snapshot snapshot;
    snapshot.inventory = inventory("525.1");
    snapshot.devices.resize(1);
    for (int i = 0; i < ticks; ++i) {
      if (i == reopened_at) {
        snapshot.inventory = inventory("550.2");
        snapshot.devices.assign(1, {});
      }
      snapshot.time = kThen + seconds{i};
      snapshot.sequence = static_cast<std::uint64_t>(i) + 1;
      snapshot.devices[0].at(Metric::kTemperature) = model::Reading::of(i);
      snapshot.devices[0].events.clear();
      if (i == 4) {
        snapshot.devices[0].events = {
            {model::EventKind::kXid, 79, snapshot.time - milliseconds{500}}};
      }
      ASSERT_TRUE(encoder.append(snapshot, records));
    }
    ASSERT_TRUE(writer->append(records));
  }
  static std::shared_ptr<const model::Inventory> inventory(const std::string& driver) {
    auto made = std::make_shared<model::Inventory>();
    made->method = "nvml";
    made->simulated = true;
    made->rules = model::RuleSet::kSimulatedDefault;
    made->gpus.resize(1);
    made->gpus[0].fact(model::Fact::kDriverVersion) = model::Text::of(driver);
    return made;
  }
  std::shared_ptr<const model::Inventory> open() {
    auto opened = source().open();
    EXPECT_TRUE(opened) << opened.error().message;
    return opened ? *opened : nullptr;
  }
  // When the first recorded tick of an inventory was.
  static base::WallTime begun(const model::Inventory& inventory) {
    return inventory.recorded.value_or(model::Recorded{}).time;
  }
  model::Source& source() {
    options_.path = path_;
    if (!source_) source_ = make_replay_source(options_);
    return *source_;
  }
  // The number of the tick that is shown so long after the first read.
  std::int64_t at(std::chrono::milliseconds after) {
    source().read(0, kNow + after, sample_);
    return sample_.at(Metric::kTemperature).value;
  }

  const Folder folder_;
  const std::string path_ = folder_ / "recording";
  Options options_;
  std::unique_ptr<model::Source> source_;
  model::DeviceSample sample_;
};

TEST_F(ReplaySourceTest, SaysWhatAndWhenWasRecorded) {
  const auto inventory = open();
  EXPECT_EQ(inventory->method, "replay");
  EXPECT_TRUE(inventory->simulated);
  EXPECT_EQ(inventory->rules, model::RuleSet::kSimulatedDefault);
  EXPECT_EQ(inventory->recorded.value_or(model::Recorded{}).method, "nvml");
  EXPECT_EQ(begun(*inventory), kThen);
  EXPECT_EQ(inventory->gpus[0].fact(model::Fact::kDriverVersion).value, "525.1");
  EXPECT_FALSE(source().devices_may_block());
}

TEST_F(ReplaySourceTest, KeepsTheTimeOfTheRecording) {
  open();
  EXPECT_EQ(at(seconds{0}), 0);
  EXPECT_EQ(at(milliseconds{999}), 0);
  EXPECT_EQ(at(milliseconds{1000}), 1);
  EXPECT_EQ(at(milliseconds{1001}), 1);
  EXPECT_EQ(at(milliseconds{3500}), 3);
  EXPECT_EQ(at(milliseconds{2000}), 3) << "the clock was set back";
  EXPECT_EQ(at(seconds{9}), 9);
  EXPECT_EQ(at(std::chrono::hours{1'000'000}), 9) << "the last tick stays";
  EXPECT_FALSE(source().lost());
}

TEST_F(ReplaySourceTest, GoesFasterAndSlower) {
  options_.speed = 4;
  open();
  EXPECT_EQ(at(seconds{0}), 0);
  EXPECT_EQ(at(milliseconds{1000}), 4);
  EXPECT_EQ(at(milliseconds{1999}), 7);
  source_.reset();
  options_.speed = 0.5;
  open();
  EXPECT_EQ(at(seconds{0}), 0);
  EXPECT_EQ(at(milliseconds{1999}), 0);
  EXPECT_EQ(at(milliseconds{2000}), 1);
}

TEST_F(ReplaySourceTest, AtMostSpeedEveryTickIsShownOnce) {
  options_.speed.reset();
  open();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(at(milliseconds{100 * i}), i);
  EXPECT_EQ(at(seconds{5}), 9);
}

TEST_F(ReplaySourceTest, EventsComeOnceAndAreOfNow) {
  open();
  EXPECT_EQ(at(seconds{0}), 0);
  // The tick of the event is passed over; the event is not.
  EXPECT_EQ(at(seconds{6}), 6);
  ASSERT_EQ(sample_.events.size(), 1U);
  EXPECT_EQ(sample_.events[0].code, 79U);
  EXPECT_EQ(sample_.events[0].time, kNow + seconds{6} - milliseconds{500});
  at(seconds{6});
  EXPECT_EQ(sample_.events.size(), 1U) << "the same tick";
  at(milliseconds{6500});
  EXPECT_TRUE(sample_.events.empty());
}

TEST_F(ReplaySourceTest, LoopsWithoutASeam) {
  options_.loop = true;
  open();
  EXPECT_EQ(at(seconds{0}), 0);
  EXPECT_EQ(at(seconds{20}), 9);
  EXPECT_EQ(at(seconds{21}), 0);
  EXPECT_EQ(at(seconds{23}), 2);
  EXPECT_EQ(at(seconds{40}), 9);
  EXPECT_EQ(at(seconds{41}), 0);
  EXPECT_FALSE(source().lost());
}

TEST_F(ReplaySourceTest, IsLostWhereTheInventoryChanges) {
  record(10, 6);
  open();
  EXPECT_EQ(at(seconds{0}), 0);
  EXPECT_EQ(at(seconds{5}), 5);
  EXPECT_FALSE(source().lost());
  EXPECT_EQ(at(seconds{6}), 5);
  EXPECT_TRUE(source().lost());
  EXPECT_EQ(at(seconds{7}), 5);
  const auto inventory = open();
  EXPECT_FALSE(source().lost());
  EXPECT_EQ(inventory->gpus[0].fact(model::Fact::kDriverVersion).value, "550.2");
  EXPECT_EQ(begun(*inventory), kThen + seconds{6});
  EXPECT_EQ(at(seconds{9}), 6);
  EXPECT_EQ(at(seconds{10}), 7);
}

// So does the seam of a loop, where the machine at its end is another.
TEST_F(ReplaySourceTest, IsLostWhereALoopBeginsWithAnotherMachine) {
  record(10, 6);
  options_.loop = true;
  options_.from_end = true;
  EXPECT_EQ(open()->gpus[0].fact(model::Fact::kDriverVersion).value, "550.2");
  EXPECT_EQ(at(seconds{0}), 9);
  at(seconds{1});
  EXPECT_TRUE(source().lost());
  EXPECT_EQ(open()->gpus[0].fact(model::Fact::kDriverVersion).value, "525.1");
  EXPECT_EQ(at(seconds{2}), 0);
}

TEST_F(ReplaySourceTest, BeginsWithTheLastTickWhereAsked) {
  options_.from_end = true;
  EXPECT_EQ(begun(*open()), kThen + seconds{9});
  EXPECT_EQ(at(seconds{0}), 9);
  EXPECT_EQ(at(seconds{100}), 9);
}

TEST_F(ReplaySourceTest, SaysWhyItCannot) {
  std::filesystem::remove(path_);
  const auto opened = source().open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, base::ErrorKind::kNotFound);
  EXPECT_THAT(opened.error().message, HasSubstr("cannot open the recording " + path_));
}

// A loop whose file has gone keeps what it shows.
TEST_F(ReplaySourceTest, OutlivesAFileThatGoes) {
  options_.loop = true;
  open();
  at(seconds{0});
  EXPECT_EQ(at(seconds{9}), 9);
  std::filesystem::remove(path_);
  EXPECT_EQ(at(seconds{10}), 9);
  EXPECT_EQ(at(seconds{11}), 9);
}

}  // namespace
}  // namespace gpuscope::device::replay
