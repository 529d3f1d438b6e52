#include "model/catalog.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace gpuscope::model {
namespace {

TEST(Catalog, KeysAreUniqueAndFound) {
  std::set<std::string_view> keys;
  for (const MetricInfo& row : metrics()) {
    EXPECT_TRUE(keys.insert(row.key).second) << row.key;
    EXPECT_EQ(find_metric(row.key), row.id);
    EXPECT_EQ(&info(row.id), &row);
  }
  EXPECT_FALSE(find_metric("no_such_metric").has_value());
}

TEST(Catalog, ColumnsRunWithinTheirEntity) {
  for (const Entity entity :
       {Entity::kGpu, Entity::kFan, Entity::kLink, Entity::kMigInstance, Entity::kProcess}) {
    std::size_t expected = 0;
    for (const MetricInfo& row : metrics(entity)) EXPECT_EQ(column(row.id), expected++) << row.key;
    EXPECT_GT(expected, 0U);
  }
}

TEST(Catalog, TextsAreWhole) {
  for (const MetricInfo& row : metrics()) {
    EXPECT_FALSE(row.label.empty()) << row.key;
    EXPECT_FALSE(row.help.empty()) << row.key;
    EXPECT_NE(row.help.back(), '.') << row.key;
    EXPECT_LE(row.decimals, 18) << row.key;
  }
  for (const FactInfo& row : facts()) EXPECT_FALSE(row.help.empty()) << row.key;
}

// A name says its unit, so that nobody has to look it up.
TEST(Catalog, KeysNameTheirUnit) {
  for (const MetricInfo& row : metrics()) {
    const std::string key(row.key);
    switch (row.unit) {
      case Unit::kPercent:
        EXPECT_TRUE(key.find("percent") != key.npos) << key;
        break;
      case Unit::kBytes:
        EXPECT_TRUE(key.find("bytes") != key.npos) << key;
        break;
      case Unit::kBytesPerSecond:
        EXPECT_TRUE(key.ends_with("bytes_per_second")) << key;
        break;
      case Unit::kCelsius:
        EXPECT_TRUE(key.ends_with("celsius")) << key;
        break;
      case Unit::kWatts:
        EXPECT_TRUE(key.ends_with("watts")) << key;
        break;
      case Unit::kJoules:
        EXPECT_TRUE(key.ends_with("joules")) << key;
        break;
      case Unit::kMegahertz:
        EXPECT_TRUE(key.ends_with("mhz")) << key;
        break;
      case Unit::kSeconds:
        EXPECT_TRUE(key.ends_with("seconds")) << key;
        break;
      case Unit::kRpm:
        EXPECT_TRUE(key.ends_with("rpm")) << key;
        break;
      case Unit::kLanes:
        EXPECT_TRUE(key.ends_with("lanes")) << key;
        break;
      case Unit::kCount:
      case Unit::kFlag:
      case Unit::kState:
      case Unit::kGeneration:
        break;
    }
  }
}

}  // namespace
}  // namespace gpuscope::model
