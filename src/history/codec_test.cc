#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "history/block.h"
#include "history/checksum.h"
#include "history/chunk.h"
#include "history/tail.h"
#include "history/values_codec.h"

namespace gpuscope::history {
namespace {

using model::Absence;
using model::Reading;
using Values = std::vector<std::int64_t>;

constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kGreatest = std::numeric_limits<std::int64_t>::max();

struct NamedValues {
  std::string name;
  Values values;
};

std::vector<NamedValues> all_kinds() {
  std::mt19937_64 random(7);
  const auto made = [&](std::size_t count, auto next) {
    Values values;
    for (std::size_t i = 0; i < count; ++i) values.push_back(next(static_cast<std::int64_t>(i)));
    return values;
  };
  const auto any = [&](std::uint64_t below) { return static_cast<std::int64_t>(random() % below); };
  std::int64_t counter = 0;
  std::vector<NamedValues> kinds{
      {"empty", {}},
      {"one", {42}},
      {"extremes", {kLeast, kGreatest, 0, kGreatest, kLeast, -1, 1, kLeast}},
      {"constant", made(3600, [](auto) { return 85'520'809'984; })},
      {"constant, then another", made(1000, [](auto i) { return i < 500 ? 7 : -7; })},
      {"noise", made(3600, [&](auto) { return 400'000 + any(26'000); })},
      {"steps of 15", made(3600, [&](auto) { return 1980 - 15 * any(20); })},
      {"multiples of 100", made(3600, [&](auto) { return 100 * any(101); })},
      {"whole range", made(777, [&](auto) { return static_cast<std::int64_t>(random()); })},
      {"line", made(3600, [](auto i) { return 1'000'000 * i + 17; })},
      {"counter that resets", made(3600,
                                   [&](auto i) {
                                     counter = i % 1000 == 999
                                                   ? 0
                                                   : counter + 148'480'000'000 + any(1'000'000'000);
                                     return counter;
                                   })},
      {"rare spikes", made(3600, [&](auto i) { return i % 701 == 3 ? kGreatest : 0; })},
  };
  for (std::size_t count = 1; count < 200; count += 21) {
    kinds.push_back(
        {"length " + std::to_string(count), made(count, [&](auto) { return any(5) - 2; })});
  }
  return kinds;
}

TEST(ValuesCodec, GivesBackWhatItTook) {
  ValuesEncoder encoder;
  EncodedValues encoded;
  Values decoded;
  for (const NamedValues& kind : all_kinds()) {
    SCOPED_TRACE(kind.name);
    encoder.encode(kind.values, encoded);
    ASSERT_TRUE(decode_values(encoded.codec, encoded.unit, encoded.base, encoded.bytes,
                              kind.values.size(), decoded));
    EXPECT_EQ(decoded, kind.values);
    if (kind.values.size() < 100) continue;
    const std::string_view half =
        std::string_view(encoded.bytes).substr(0, encoded.bytes.size() / 2);
    EXPECT_FALSE(decode_values(encoded.codec, encoded.unit, encoded.base, half, kind.values.size(),
                               decoded) &&
                 decoded == kind.values);
  }
}

TEST(ValuesCodec, TakesNumbersOneAtATime) {
  for (const NamedValues& kind : all_kinds()) {
    SCOPED_TRACE(kind.name);
    BlockEncoder encoder;
    Values decoded;
    for (std::size_t i = 0; i < kind.values.size(); ++i) {
      encoder.append(kind.values[i]);
      if (i % 97 != 5) continue;
      decoded.clear();
      encoder.decode(decoded);
      ASSERT_EQ(decoded, Values(kind.values.begin(),
                                kind.values.begin() + static_cast<std::ptrdiff_t>(i) + 1));
    }
    decoded.clear();
    ASSERT_TRUE(decode_blocks(encoder.finished(), kind.values.size(), decoded));
    EXPECT_EQ(decoded, kind.values);
  }
}

TEST(ValuesCodec, CodesNoiseCloseToWhatItHolds) {
  std::mt19937_64 random(11);
  Values values;
  for (int i = 0; i < 3600; ++i) values.push_back(static_cast<std::int64_t>(random() % 4096) * 100);
  ValuesEncoder encoder;
  EncodedValues encoded;
  encoder.encode(values, encoded);
  EXPECT_EQ(encoded.unit, 100U);
  EXPECT_LT(encoded.bytes.size(), 3600 * 14 / 8);  // 12 bits are in each
}

Fetch fetch_from(const std::string& chunk) {
  return [&chunk](std::size_t offset, std::size_t length) -> base::Result<std::string_view> {
    if (offset > chunk.size() || length > chunk.size() - offset) {
      return base::fail(base::ErrorKind::kInvalidArgument, "cannot read so far");
    }
    return std::string_view(chunk).substr(offset, length);
  };
}

std::vector<Reading> readings_of(const ColumnData& column) {
  std::vector<Reading> readings;
  column.for_each([&](std::size_t, const Reading& reading) { readings.push_back(reading); });
  return readings;
}

std::vector<Reading> random_readings(std::mt19937_64& random, std::size_t count) {
  std::vector<Reading> readings;
  Absence absence = Absence::kPresent;
  const bool moves = random() % 3 != 0;
  std::int64_t value = static_cast<std::int64_t>(random() % 1000);
  for (std::size_t i = 0; i < count; ++i) {
    if (random() % 50 == 0) absence = static_cast<Absence>(random() % model::kAbsenceCount);
    if (moves) value += static_cast<std::int64_t>(random() % 20) - 10;
    readings.push_back(absence == Absence::kPresent ? Reading::of(value) : Reading::none(absence));
  }
  return readings;
}

TEST(Chunk, KeepsEveryReadingAndEveryReason) {
  std::mt19937_64 random(3);
  ChunkWriter writer;
  for (int round = 0; round < 30; ++round) {
    const std::size_t ticks = 1 + random() % 700;
    std::vector<std::vector<Reading>> columns;
    writer.begin(ticks);
    for (std::uint32_t i = 0; i < 12; ++i) {
      OpenColumn open;
      columns.push_back(i % 4 == 3 ? columns.back() : random_readings(random, ticks));
      for (Reading& reading : columns.back()) {
        if (i % 4 == 3 && reading.present()) reading.value = 1000 - reading.value;
        open.append(reading);
      }
      ColumnData column;
      open.decode(column);
      ASSERT_EQ(readings_of(column), columns.back());
      writer.add({i, i % 2}, column);
    }
    const std::string chunk = writer.finish();
    const auto length = directory_bytes(std::string_view(chunk).substr(0, kChunkHeadBytes));
    ASSERT_TRUE(length) << length.error().message;
    const auto directory = parse_directory(std::string_view(chunk).substr(0, *length));
    ASSERT_TRUE(directory) << directory.error().message;
    for (std::uint32_t i = 0; i < 12; ++i) {
      const ColumnEntry* entry = directory->find({i, i % 2});
      ASSERT_NE(entry, nullptr);
      ColumnData column;
      const auto done = decode_column(*directory, *entry, fetch_from(chunk), column);
      ASSERT_TRUE(done) << done.error().message;
      EXPECT_EQ(readings_of(column), columns[i]) << "column " << i;
    }
    EXPECT_EQ(directory->find({99, 0}), nullptr);
  }
}

TEST(Chunk, WritesAMirrorOrAShiftAsAReference) {
  ColumnData used{{{100, Absence::kPresent}}, {}};
  std::mt19937_64 random(5);
  for (int i = 0; i < 100; ++i) used.values.push_back(static_cast<std::int64_t>(random() % 10'000));
  ColumnData free = used;
  ColumnData more = used;
  for (std::int64_t& value : free.values) value = 20'000 - value;
  for (std::int64_t& value : more.values) value += 3;
  ChunkWriter writer;
  writer.begin(100);
  writer.add({1, 0}, used);
  writer.add({2, 0}, free);
  writer.add({3, 0}, more);
  const std::string chunk = writer.finish();
  const auto directory = parse_directory(chunk);
  ASSERT_TRUE(directory);
  EXPECT_EQ(directory->entries[1].kind, ColumnEntry::Kind::kSum);
  EXPECT_EQ(directory->entries[2].kind, ColumnEntry::Kind::kDifference);
  ColumnData column;
  ASSERT_TRUE(decode_column(*directory, directory->entries[1], fetch_from(chunk), column));
  EXPECT_EQ(column.values, free.values);
  ASSERT_TRUE(decode_column(*directory, directory->entries[2], fetch_from(chunk), column));
  EXPECT_EQ(column.values, more.values);
}

TEST(Chunk, RefusesWhatIsCutOffOrUnknown) {
  ChunkWriter writer;
  writer.begin(2);
  writer.add({1, 0}, {{{2, Absence::kPresent}}, {1, 2}});
  const std::string chunk = writer.finish();
  for (std::size_t length = 0; length < 8; ++length) {
    EXPECT_FALSE(parse_directory(std::string_view(chunk).substr(0, length))) << length;
  }
  std::string newer = chunk;
  newer[0] = 2;
  const auto refused = parse_directory(newer);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "cannot read a chunk: its version is not known");
}

TEST(Checksum, IsTheOneOfRfc3720) {
  EXPECT_EQ(checksum("123456789"), 0xE3069283U);
  EXPECT_EQ(checksum(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(checksum("56789", checksum("1234")), 0xE3069283U);
}

// Of every byte of a chunk: nothing that was not written is ever given.
TEST(Chunk, TellsEveryDamagedByte) {
  std::mt19937_64 random(31);
  ChunkWriter writer;
  writer.begin(300);
  std::vector<std::vector<Reading>> columns;
  for (std::uint32_t i = 0; i < 8; ++i) {
    OpenColumn open;
    columns.push_back(i == 7 ? columns[0] : random_readings(random, 300));
    for (Reading& reading : columns.back()) {
      if (i % 3 == 0) reading = Reading::of(reading.value + (i == 7 ? 5 : 0));
      open.append(reading);
    }
    ColumnData column;
    open.decode(column);
    writer.add({i, 0}, column);
  }
  const std::string chunk = writer.finish();
  std::size_t told = 0;
  for (std::size_t at = 0; at < chunk.size(); ++at) {
    std::string damaged = chunk;
    damaged[at] = static_cast<char>(static_cast<std::uint8_t>(damaged[at]) ^ (1U << (at % 8)));
    const auto directory = parse_directory(damaged);
    if (!directory) {
      ++told;
      continue;
    }
    for (std::uint32_t i = 0; i < 8; ++i) {
      ColumnData column;
      if (!decode_column(*directory, directory->entries[i], fetch_from(damaged), column)) {
        ++told;
        continue;
      }
      ASSERT_EQ(readings_of(column), columns[i]) << "byte " << at;
    }
  }
  EXPECT_GE(told, chunk.size());
}

TEST(Tail, TellsDamagedRows) {
  const std::string head = encode_head(BlockHead{.block = 9, .gpus = {4, 2}, .layout = {}});
  for (std::size_t at = 0; at < head.size(); ++at) {
    std::string damaged = head;
    damaged[at] = static_cast<char>(damaged[at] ^ 4);
    BlockHead read;
    EXPECT_FALSE(decode_head(damaged, read)) << at;
  }
  TailDecoder decoder(BlockHead{.block = 9, .gpus = {4}, .layout = {}});
  std::string row("\x02\x00\x00", 3);
  put_checksum(row, checksum(row));
  decoder.feed(row);
  EXPECT_TRUE(decoder.next());
  row[0] = 4;
  decoder.feed(row);
  EXPECT_FALSE(decoder.next());
  EXPECT_TRUE(decoder.failed());
}

BlockHead test_head() {
  BlockHead head{.block = 9, .gpus = {4, 2}, .layout = {}};
  std::uint32_t next = 1;
  for (const model::Entity entity : kKeptEntities) {
    const std::size_t count =
        model::metrics(entity).size() + (entity == model::Entity::kGpu ? 1 : 0);
    for (std::size_t i = 0; i < count; ++i) head.layout.of(entity).push_back(next++);
  }
  return head;
}

void change_some(std::mt19937_64& random, std::span<Reading> row) {
  for (Reading& reading : row) {
    if (random() % 10 != 0) continue;
    const auto why = static_cast<Absence>(random() % (std::size_t{2} * model::kAbsenceCount));
    reading = why > Absence::kNotYet || why == Absence::kPresent
                  ? Reading::of(static_cast<std::int64_t>(random() >> (random() % 64)))
                  : Reading::none(why);
  }
}

TEST(Tail, GivesBackEveryTickOverAnyNumberOfPieces) {
  std::mt19937_64 random(13);
  const BlockHead head = test_head();
  BlockHead read;
  ASSERT_TRUE(decode_head(encode_head(head), read));
  EXPECT_EQ(read.gpus, head.gpus);
  EXPECT_EQ(read.block, head.block);
  EXPECT_TRUE(read.layout == head.layout);

  TailEncoder encoder(head);
  TailDecoder decoder(head);
  OpenBlock block(head);
  OpenBlock replayed(head);
  model::Snapshot snapshot;
  snapshot.devices.resize(2);
  snapshot.verdicts.resize(2);
  std::string bytes;
  for (int tick = 0; tick < 300; ++tick) {
    snapshot.time += std::chrono::microseconds{tick == 100 ? -5'000'000 : 1'000'123};
    for (model::DeviceSample& device : snapshot.devices) {
      change_some(random, device.gpu);
      device.fans.resize(random() % 20 == 0 ? random() % 3 : device.fans.size());
      device.links.resize(random() % 20 == 0 ? random() % 4 : device.links.size());
      device.mig_instances.resize(random() % 20 == 0 ? random() % 3 : device.mig_instances.size());
      for (auto& row : device.fans) change_some(random, row);
      for (std::size_t i = 0; i < device.mig_instances.size(); ++i) {
        device.mig_instances[i].gpu_instance_id = static_cast<std::uint32_t>(i + 1);
        change_some(random, device.mig_instances[i].row);
      }
    }
    snapshot.verdicts[0].overall = static_cast<model::Health>(random() % 5);
    bytes.clear();
    encoder.append(snapshot, bytes);
    block.append(encoder.machine());
    decoder.feed_ticks(bytes);
    ASSERT_TRUE(decoder.next());
    EXPECT_EQ(decoder.machine().time, snapshot.time);
    for (std::size_t i = 0; i < 2; ++i) {
      ASSERT_EQ(decoder.machine().gpus[i].parts, encoder.machine().gpus[i].parts);
      const auto& is = decoder.machine().gpus[i].readings;
      const auto& was = encoder.machine().gpus[i].readings;
      ASSERT_EQ(is.size(), was.size());
      for (std::size_t j = 0; j < is.size(); ++j) {
        ASSERT_EQ(is[j].absence, was[j].absence);
        ASSERT_TRUE(!is[j].present() || is[j].value == was[j].value);
      }
    }
    replayed.append(decoder.machine());
    EXPECT_FALSE(decoder.next());
    EXPECT_FALSE(decoder.failed());
  }
  ColumnData one;
  ColumnData two;
  for (std::size_t gpu = 0; gpu < 2; ++gpu) {
    ASSERT_EQ(block.columns(gpu), replayed.columns(gpu));
    for (const ColumnKey& key : block.columns(gpu)) {
      ASSERT_TRUE(block.decode(gpu, key, one));
      ASSERT_TRUE(replayed.decode(gpu, key, two));
      ASSERT_EQ(readings_of(one), readings_of(two));
      ASSERT_EQ(readings_of(one).size(), 300U);
    }
  }
}

}  // namespace
}  // namespace gpuscope::history
