#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "base/allocation_count.h"
#include "device/replay/decoder.h"
#include "device/replay/encoder.h"
#include "device/replay/replay_testing.h"
#include "device/sim/machine.h"

namespace gpuscope::device::replay {
namespace {

using model::Absence;
using model::Metric;
using model::Reading;
using std::chrono::seconds;

std::shared_ptr<model::Snapshot> one_gpu() {
  auto inventory = std::make_shared<model::Inventory>();
  inventory->method = "nvml";
  inventory->gpus.resize(1);
  auto snapshot = std::make_shared<model::Snapshot>();
  snapshot->inventory = std::move(inventory);
  snapshot->devices.resize(1);
  snapshot->time = base::WallTime{seconds{1'780'000'000}};
  snapshot->sequence = 1;
  return snapshot;
}

// The ticks of some records, fed whole.
std::vector<std::string> decoded(const std::string& records,
                                 Decoder::Step end = Decoder::Step::kEnd) {
  Decoder decoder;
  decoder.feed(records);
  std::vector<std::string> ticks;
  Decoder::Step step{};
  while ((step = decoder.next()) == Decoder::Step::kTick) ticks.push_back(text_of(decoder.tick()));
  EXPECT_EQ(step, end);
  return ticks;
}

class RoundTrip : public testing::TestWithParam<std::uint32_t> {};

TEST_P(RoundTrip, GivesBackEveryTick) {
  RandomMachine machine(GetParam());
  Encoder encoder;
  Decoder decoder;
  std::string records;
  for (int tick = 0; tick < 200; ++tick) {
    // Frames of any number of ticks, and now and then one that never came to the reader.
    std::vector<std::string> expected;
    records.clear();
    for (std::uint32_t i = 0; i <= (GetParam() + static_cast<std::uint32_t>(tick)) % 4; ++i) {
      const auto snapshot = machine.tick();
      ASSERT_TRUE(encoder.append(*snapshot, records));
      expected.push_back(text_of(*snapshot));
    }
    if (tick % 37 == 36) {
      encoder.reset();
      continue;
    }
    decoder.feed(records);
    for (const std::string& text : expected) {
      ASSERT_EQ(decoder.next(), Decoder::Step::kTick);
      ASSERT_EQ(text_of(decoder.tick()), text) << "tick " << tick;
    }
    ASSERT_EQ(decoder.next(), Decoder::Step::kEnd);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RoundTrip, testing::Range(1U, 13U));

// A cut of whatever a machine does is told, never a crash and never another tick.
TEST(Decoder, TellsRecordsThatAreCut) {
  RandomMachine machine(3);
  Encoder encoder;
  std::string records;
  std::vector<std::string> whole;
  for (int i = 0; i < 3; ++i) {
    const auto snapshot = machine.tick();
    encoder.append(*snapshot, records);
    whole.push_back(text_of(*snapshot));
  }
  EXPECT_EQ(decoded(records), whole);
  for (std::size_t size = 1; size < records.size(); size += 1 + size / 50) {
    Decoder decoder;
    decoder.feed(std::string_view(records).substr(0, size));
    std::size_t ticks = 0;
    Decoder::Step step{};
    while ((step = decoder.next()) == Decoder::Step::kTick) {
      ASSERT_LT(ticks, whole.size());
      EXPECT_EQ(text_of(decoder.tick()), whole[ticks++]);
    }
    if (step == Decoder::Step::kBroken) {
      EXPECT_EQ(decoder.next(), Decoder::Step::kBroken);
    }
  }
}

TEST(Decoder, RefusesWhatTheFormatForbids) {
  const auto from = [](const std::vector<int>& bytes) {
    return std::string(bytes.begin(), bytes.end());
  };
  const auto broken = Decoder::Step::kBroken;
  decoded(from({0}), broken);  // no such record
  decoded(from({4}), broken);
  decoded(from({3, 0, 0}), broken);                                // a tick without an inventory
  decoded(from({2, 0, 0, 0, 0}), broken);                          // an inventory without a session
  decoded(from({1, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0}), broken);  // two without a tick
  decoded(from({1, 0, 0, 2, 0, 0, 2, 0, 3, 0, 0}), broken);        // no such rules
  decoded(from({1, 0x81, 0x08}), broken);                          // 1025 metrics
  decoded(from({1, 0, 0, 2, 0, 0, 0, 0x81, 0x80, 1}), broken);     // 16385 GPUs
  decoded(from({1, 0, 0, 2, 0, 0, 0, 1, 3, 0, 0, 0x80, 4}), broken);     // a part that is none
  decoded(from({1, 0, 0, 2, 0, 0, 0, 1, 3, 0, 0, 1, 4, 0, 0}), broken);  // a column too many
  decoded(from({1, 0, 0, 2, 0, 0, 0, 1, 3, 1, 0, 0}), broken);           // before 1970
  EXPECT_EQ(decoded(from({1, 0, 0, 2, 0, 0, 0, 1, 3, 0, 0, 0})).size(), 1U);
  EXPECT_EQ(decoded(from({1, 0, 0, 2, 0, 0, 0, 0, 3, 0, 0, 3, 0, 0})).size(), 2U);
}

// The keys decide, not the order in which this program has its metrics.
TEST(Decoder, ReadsByKeyWhatAnotherCatalogueWrote) {
  std::string records;
  ByteWriter out(records);
  out.varint(static_cast<std::uint64_t>(Record::kSession));
  out.varint(4);
  const auto& power = model::info(Metric::kPower);
  const auto& temperature = model::info(Metric::kTemperature);
  const auto metric = [&](model::Entity entity, int decimals, std::string_view key) {
    out.byte(static_cast<std::uint8_t>(entity));
    out.byte(static_cast<std::uint8_t>(decimals));
    out.text(key);
  };
  metric(model::Entity::kGpu, power.decimals, power.key);
  metric(model::Entity::kGpu, 2, "antigravity_percent");
  metric(model::Entity::kGpu, temperature.decimals + 1, temperature.key);  // in another scale
  metric(model::Entity::kGpu, 0, model::info(Metric::kSmClock).key);
  out.varint(2);
  out.text("colour");
  out.text("name");
  out.varint(static_cast<std::uint64_t>(Record::kInventory));
  out.text("nvml");
  out.byte(0);
  out.byte(0);
  out.varint(1);
  out.byte(0);
  out.text("green");
  out.byte(0);
  out.text("H100");
  for (int tick = 0; tick < 2; ++tick) {
    out.varint(static_cast<std::uint64_t>(Record::kTick));
    out.varint(2);
    out.varint(2);
    out.byte(kGpuSection);
    for (int i = 0; i < 4; ++i) {
      out.varint(1 << 1);
      out.difference(100 + i, 0);
    }
    out.varint(0);
  }
  Decoder decoder;
  decoder.feed(records);
  ASSERT_EQ(decoder.next(), Decoder::Step::kTick);
  ASSERT_EQ(decoder.next(), Decoder::Step::kTick);
  const model::DeviceSample& device = decoder.tick().devices.at(0);
  EXPECT_EQ(device.at(Metric::kPower), Reading::of(200));
  EXPECT_EQ(device.at(Metric::kTemperature), Reading::none(Absence::kNotYet));
  EXPECT_EQ(device.at(Metric::kSmClock), Reading::of(206));
  EXPECT_EQ(decoder.tick().inventory->gpus[0].name(), "H100");
  EXPECT_EQ(decoder.tick().inventory->gpus[0].fact(model::Fact::kSerial).absence, Absence::kNotYet);
  EXPECT_EQ(decoder.tick().sequence, 2U);
}

TEST(Encoder, WritesLittleOfASteadyMachine) {
  const auto snapshot = one_gpu();
  Encoder encoder;
  std::string records;
  ASSERT_TRUE(encoder.append(*snapshot, records));
  records.clear();
  snapshot->time += seconds{1};
  snapshot->sequence += 1;
  ASSERT_TRUE(encoder.append(*snapshot, records));
  EXPECT_LE(records.size(), 7U);
}

TEST(Encoder, AllocatesNothingInSteadyState) {
  const sim::Machine machine(sim::Options{.gpus = 8, .seed = 1, .scenario = {}, .frozen_at = {}});
  model::Snapshot snapshot;
  auto inventory = std::make_shared<model::Inventory>();
  inventory->gpus.resize(8);
  snapshot.inventory = inventory;
  snapshot.devices.resize(8);
  snapshot.time = base::WallTime{seconds{1'780'000'000}};
  Encoder encoder;
  std::string records;
  std::size_t allocations = 0;
  for (int tick = 0; tick < 300; ++tick) {
    snapshot.time += seconds{1};
    ++snapshot.sequence;
    for (std::size_t i = 0; i < 8; ++i) {
      machine.read(i, snapshot.time, snapshot.devices[i]);
      snapshot.devices[i].processes.clear();  // their names are as long as they like
    }
    records.clear();
    const std::size_t before = base::allocation_count();
    ASSERT_TRUE(encoder.append(snapshot, records));
    if (tick >= 200) allocations += base::allocation_count() - before;
  }
  EXPECT_EQ(allocations, 0U);
}

TEST(Encoder, KeepsToTheLimitsOfTheFormat) {
  const auto snapshot = one_gpu();
  model::DeviceSample& device = snapshot->devices[0];
  device.fans.resize(kMaxFans + 1);
  device.links.resize(kMaxLinks + 1);
  device.mig_instances.resize(kMaxMigInstances + 1);
  device.mig_instances[0].uuid.assign(kMaxText + 1, 'x');
  device.events.resize(3);
  device.events[0].time = base::WallTime::max();
  Encoder encoder;
  std::string records;
  ASSERT_TRUE(encoder.append(*snapshot, records));
  Decoder decoder;
  decoder.feed(records);
  ASSERT_EQ(decoder.next(), Decoder::Step::kTick);
  EXPECT_EQ(decoder.tick().devices[0].fans.size(), kMaxFans);
  EXPECT_EQ(decoder.tick().devices[0].mig_instances[0].uuid.size(), kMaxText);
  EXPECT_EQ(decoder.tick().devices[0].events[0].time, kMaxTime);

  records.clear();
  device.processes.resize(kMaxRows);
  EXPECT_FALSE(encoder.append(*snapshot, records)) << "more rows than a tick may have";
  device.processes.clear();
  snapshot->time = base::WallTime{seconds{-1}};
  EXPECT_FALSE(encoder.append(*snapshot, records));
  EXPECT_TRUE(records.empty());
}

}  // namespace
}  // namespace gpuscope::device::replay
