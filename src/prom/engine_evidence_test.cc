#include "prom/engine_evidence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "prom/usage_query.h"

namespace gpuscope::prom {
namespace {

using model::UseEvidence;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

// Answers as a GPU whose utilization went from 80 to 20, and was last busy two minutes ago.
class FakeEngine final : public Engine {
 public:
  base::Result<AnswerNotes> query(std::string_view expression, base::WallTime time,
                                  const Begin& begin) override {
    asked.emplace_back(expression);
    const VectorParser::Sink failed = begin();
    failed({{"UUID", "GPU-1"}, {"pod", "p"}, {"gpuscope_part", "min"}}, 999);
    if (!error.message.empty()) return std::unexpected(error);
    const VectorParser::Sink sink = begin();
    const auto say = [&](std::string_view part, double value, std::string_view uuid = "GPU-1") {
      sink({{"UUID", uuid},
            {"pod", "exporter"},
            {"exported_pod", "p"},
            {"namespace", "ml"},
            {"gpuscope_part", part}},
           value);
    };
    if (expression.find("DCGM_FI_DEV_GPU_UTIL") != expression.npos) {
      say("min", 0);
      say("max", 90);
      say("deviation", 30);
      say("first", 80);
      say("last", 20);
      say("busy", 0.25);
      say("last_busy",
          static_cast<double>(
              std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count()) -
              120);
      say("count", 20);
      say("max", 5, "GPU-of-another");
    }
    if (expression.find("SM_ACTIVE") != expression.npos) say("DCGM_FI_PROF_SM_ACTIVE", 0.125);
    return AnswerNotes{};
  }
  base::Result<std::vector<std::string>> label_names(std::string_view, base::WallTime) override {
    return std::vector<std::string>{"UUID", "pod", "exported_pod"};
  }
  base::Result<std::vector<std::string>> metric_names(std::string_view, base::WallTime) override {
    return std::vector<std::string>{"DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_POWER_USAGE"};
  }
  base::Result<void> probe(base::WallTime) override { return {}; }
  void cancel() override { cancelled = true; }

  std::vector<std::string> asked;
  base::Error error;
  bool cancelled = false;
};

UseEvidence gpu(const std::string& id) {
  UseEvidence evidence;
  evidence.gpu = {.gpu_id = id, .pod = "p", .name_space = "ml"};
  evidence.utilization = {.mean = 31};
  evidence.power_watts = {.mean = 100};
  return evidence;
}

const model::UsageWindow the_window{.end = base::WallTime{std::chrono::hours{500'000}}};

TEST(EngineEvidence, AddsWhatTheEngineMakesOfTheSamples) {
  auto engine = std::make_unique<FakeEngine>();
  FakeEngine& fake = *engine;
  EngineEvidence reader(std::move(engine), parse_condition("{pod!=\"\"}").value());
  std::vector<UseEvidence> gpus{gpu("GPU-1"), gpu("GPU-2")};
  ASSERT_TRUE(reader.add_detail(gpus, the_window));
  const model::SeriesSummary utilization = gpus[0].utilization.value();
  const model::SeriesSpread spread = utilization.spread.value();
  EXPECT_EQ(utilization.mean, 31);
  EXPECT_EQ(spread.minimum, 0);  // not what went to the attempt that failed
  EXPECT_EQ(spread.maximum, 90);
  EXPECT_EQ(spread.standard_deviation, 30);
  EXPECT_DOUBLE_EQ(spread.change_percent.value(), 75);
  const model::UseDetail detail = gpus[0].detail.value();
  EXPECT_DOUBLE_EQ(detail.coverage, 20.0 / 21);
  EXPECT_EQ(detail.busy_share, 0.25);
  EXPECT_EQ(detail.trailing_idle, std::chrono::minutes{2});
  EXPECT_EQ(gpus[0].sm_active_percent, 12.5);
  EXPECT_FALSE(gpus[0].power_watts.value().spread);
  EXPECT_FALSE(gpus[1].utilization.value().spread);
  EXPECT_FALSE(gpus[1].detail);
  ASSERT_THAT(fake.asked, SizeIs(5));
  EXPECT_THAT(
      fake.asked[0],
      AllOf(HasSubstr("DCGM_FI_DEV_GPU_UTIL{exported_pod!=\"\",UUID=~\"GPU-1|GPU-2\"}"),
            HasSubstr("[600s1ms:30s]"), HasSubstr("offset 600s"), Not(HasSubstr("gpuscope_gpu"))));
  reader.cancel();
  EXPECT_TRUE(fake.cancelled);
}

TEST(EngineEvidence, AsksInPiecesThatEnginesTake) {
  auto engine = std::make_unique<FakeEngine>();
  FakeEngine& fake = *engine;
  EngineEvidence reader(std::move(engine), parse_condition("{pod!=\"\"}").value());
  std::vector<UseEvidence> gpus;
  gpus.reserve(31);
  for (int i = 0; i < 31; ++i) {
    gpus.push_back(gpu("GPU-aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeee" + std::to_string(10 + i)));
  }
  ASSERT_TRUE(reader.add_detail(gpus, the_window));
  ASSERT_THAT(fake.asked, SizeIs(15));
  for (const std::string& expression : fake.asked) EXPECT_LT(expression.size(), 16'384U);
  fake.error = {base::ErrorKind::kUnavailable, "cannot read"};
  EXPECT_FALSE(reader.add_detail(gpus, the_window));
  EXPECT_TRUE(reader.add_detail({}, the_window));
}

TEST(EngineEvidence, LetsNoNameIntoTheQuery) {
  const std::vector<UseEvidence> gpus{gpu("GPU-1\"} or up{a=\"")};
  EXPECT_EQ(uuid_condition(gpus), "UUID=~\"GPU-1...or.up.a..\"");
}

}  // namespace
}  // namespace gpuscope::prom
