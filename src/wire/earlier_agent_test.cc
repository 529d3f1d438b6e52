#include "wire/earlier_agent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "wire/rest.h"
#include "wire/test_snapshot.h"

namespace gpuscope::wire {
namespace {

using model::Absence;
using model::Metric;
using model::Reading;

constexpr base::WallTime kNow{std::chrono::seconds{1'795'339'482}};

// As the earlier agent writes them.
constexpr std::string_view kList =
    R"({"gpus":[{"uuid":"GPU-a","name":"X","serial":"S1","vbios":null,"driver":"525.00","minor":1,)"
    R"("pciegen":4,"pciewidth":16,"plimit":350}]})";
constexpr std::string_view kMetrics =
    R"({"timestamp":"2026-11-22T09:24:42.736284","gpus":[{"gpu_index":"0","uuid":"GPU-a",)"
    R"("name":"X","metrics":{"power_watts":89.00284512279467,"temperature_celsius":44.1395,)"
    R"("memory_used_mib":2656.1366155556425,"memory_total_mib":24000,"fan_speed":1126.7157,)"
    R"("health_status":"caution","health_status_numeric":1}}]})";

TEST(EarlierAgent, IsReadAsItAnswers) {
  const auto listed = parse_gpu_list(kList);
  ASSERT_TRUE(listed) << listed.error().message;
  ASSERT_EQ(listed->inventory.gpus.size(), 1U);
  const model::GpuInfo& info = listed->inventory.gpus[0];
  EXPECT_EQ(info.uuid(), "GPU-a");
  EXPECT_EQ(info.fact(model::Fact::kSerial).value, "S1");
  EXPECT_FALSE(info.fact(model::Fact::kVbios).present());
  model::Snapshot snapshot;
  ASSERT_TRUE(parse_metrics(kMetrics, *listed, kNow, snapshot));
  EXPECT_EQ(snapshot.time, kNow) << "its time names no zone";
  const model::DeviceSample& device = snapshot.devices.at(0);
  EXPECT_EQ(device.at(Metric::kPower), Reading::of(89'003));
  EXPECT_EQ(device.at(Metric::kMemoryUsed), Reading::of(2'785'161'108));
  EXPECT_EQ(device.at(Metric::kPowerLimit), Reading::of(350'000));
  EXPECT_EQ(device.at(Metric::kMinorNumber), Reading::of(1));
  EXPECT_EQ(device.at(Metric::kSmClock).absence, Absence::kUnsupported);
  EXPECT_EQ(snapshot.verdicts.at(0).overall, model::Health::kCaution);
}

TEST(EarlierAgent, OursIsReadBackAsItWas) {
  const model::Snapshot sent = test_snapshot();
  std::string list;
  std::string metrics;
  append_gpu_list(list, sent);
  append_metrics(metrics, sent);
  const auto listed = parse_gpu_list(list);
  ASSERT_TRUE(listed) << listed.error().message;
  model::Snapshot got;
  ASSERT_TRUE(parse_metrics(metrics, *listed, kNow, got));
  EXPECT_EQ(got.time, sent.time);
  got.inventory = std::make_shared<const model::Inventory>(listed->inventory);
  std::string again;
  append_metrics(again, got);
  EXPECT_EQ(again, metrics);
}

TEST(EarlierAgent, TellsAGpuThatWentFromOneThatCame) {
  const auto listed = parse_gpu_list(kList);
  model::Snapshot snapshot;
  ASSERT_TRUE(parse_metrics(R"({"gpus":[]})", *listed, kNow, snapshot));
  EXPECT_EQ(snapshot.devices.at(0).at(Metric::kPower).absence, Absence::kGone);
  EXPECT_EQ(snapshot.verdicts.at(0).overall, model::Health::kUnknown);
  const auto came = parse_metrics(R"({"gpus":[{"uuid":"GPU-b"}]})", *listed, kNow, snapshot);
  ASSERT_FALSE(came);
  EXPECT_EQ(came.error().kind, base::ErrorKind::kNotFound);
}

TEST(EarlierAgent, RefusesWhatIsNoSuchDocument) {
  for (const char* text : {"", "{", "[]", "{}", R"({"gpus":1})", R"({"gpus":[{}]})",
                           R"({"gpus":[{"uuid":7}]})", R"({"detail":"Not Found"})"}) {
    EXPECT_FALSE(parse_gpu_list(text)) << text;
    model::Snapshot snapshot;
    EXPECT_FALSE(parse_metrics(text, {}, kNow, snapshot)) << text;
  }
}

TEST(EarlierAgent, KeepsNoNumberThatIsNone) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(reading_of(Metric::kPower, infinity, 0).absence, Absence::kFailed);
  EXPECT_EQ(reading_of(Metric::kPower, 1e17, 0).absence, Absence::kFailed);
  EXPECT_EQ(reading_of(Metric::kPower, std::numeric_limits<double>::quiet_NaN(), 0).absence,
            Absence::kFailed);
  EXPECT_EQ(reading_of(Metric::kPower, -1.5, 0), Reading::of(-1500));
}

}  // namespace
}  // namespace gpuscope::wire
