#include "prom/send_position.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace gpuscope::prom {
namespace {

using base::WallTime;
using std::chrono::microseconds;

const SendPosition positions[] = {
    {},
    {.sent = {1, 0}, .newest = WallTime{microseconds{1'795'339'482'736'284}}, .sending = {{2, 7}}},
    {.sent = {UINT64_MAX, UINT64_MAX},
     .newest = WallTime{microseconds{INT64_MIN}},
     .sending = {{UINT64_MAX, UINT64_MAX}}},
};

std::string scratch(const std::string& name) {
  const std::string path = testing::TempDir() + "send_position_" + name;
  std::filesystem::remove_all(path);
  return path;
}

TEST(SendPosition, IsReadBack) {
  for (const SendPosition& position : positions) {
    const std::string text = encode_position(position);
    EXPECT_EQ(parse_position(text), position) << text;
  }
}

TEST(SendPosition, RefusesWhatIsDamaged) {
  const std::string whole = encode_position(positions[1]);
  EXPECT_FALSE(parse_position(""));
  EXPECT_FALSE(parse_position(whole + "x"));
  for (std::size_t i = 0; i < whole.size(); ++i) {
    EXPECT_FALSE(parse_position(whole.substr(0, i))) << i;
    const std::string torn = whole.substr(0, i) + std::string(whole.size() - i, '\0');
    EXPECT_FALSE(parse_position(torn)) << i;
    std::string changed = whole;
    changed[i] = '!';
    EXPECT_FALSE(parse_position(changed)) << i;
  }
}

TEST(PositionFile, KeepsWhatWasWrittenLast) {
  const std::string path = scratch("kept");
  {
    auto file = PositionFile::open(path);
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(*file->read(), std::nullopt);
    for (const SendPosition& position : positions) {
      ASSERT_TRUE(file->write(position, &position == &positions[0]));
      EXPECT_EQ(*file->read(), position);
    }
  }
  auto file = PositionFile::open(path);
  ASSERT_TRUE(file);
  EXPECT_EQ(*file->read(), positions[2]);
}

TEST(PositionFile, TellsOfDamageAndMendsIt) {
  const std::string path = scratch("damaged");
  std::ofstream(path) << std::string(10'000, 'x');
  auto file = PositionFile::open(path);
  ASSERT_TRUE(file);
  const auto damaged = file->read();
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().kind, base::ErrorKind::kInvalidArgument);
  ASSERT_TRUE(file->write(positions[1], true));
  EXPECT_EQ(*file->read(), positions[1]);
}

TEST(PositionFile, SaysWhatIsInTheWay) {
  const auto file = PositionFile::open(scratch("missing") + "/x");
  ASSERT_FALSE(file);
  EXPECT_TRUE(file.error().message.starts_with("cannot open ")) << file.error().message;
}

}  // namespace
}  // namespace gpuscope::prom
