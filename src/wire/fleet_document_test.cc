#include "wire/fleet_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/opinion.h"

namespace gpuscope::wire {
namespace {

model::GpuUse use() {
  model::GpuUse use;
  use.gpu = {.gpu_id = "GPU-a",
             .pod = "p😀\"",
             .name_space = "n",
             .hostname = "h",
             .model_name = "m",
             .mig_instance = "3"};
  use.gpu_util = 17.1;
  use.mem_copy = 5.1;
  use.mem_used_mb = 9100;
  use.power_watts = 95;
  use.raw_score = 19;
  use.score = 23.5;
  use.status = model::UseStatus::kLow;
  use.timestamp = base::WallTime(std::chrono::seconds(1'795'339'445));
  use.ai_analysis =
      std::make_shared<const model::Opinion>(model::Opinion{.status = model::OpinionStatus::kActive,
                                                            .confidence = 0.85,
                                                            .reason = "r",
                                                            .recommendation = "do",
                                                            .raw_score = 19,
                                                            .adjusted_score = 23.5});
  use.opinion = std::make_shared<const model::Opinion>(
      model::Opinion{.reason = "rules", .verdict = "bursty"});
  return use;
}

TEST(FleetDocument, WritesAResult) {
  std::string out;
  append_results(out, std::vector{use()});
  EXPECT_THAT(
      out,
      testing::StartsWith(
          R"([{"gpu_id":"GPU-a","pod":"p😀\"","namespace":"n","hostname":"h","model_name":"m",)"
          R"("mig_instance":"3","gpu_util":17.1,"mem_copy":5.1,"mem_used_mb":9100,)"
          R"("mem_total_mb":null,"mem_usage_percent":null,"power_usage":95,"sm_clock":null,)"
          R"("score":23.5,"status":"low","timestamp":"2026-11-22T09:24:05.000000+00:00",)"
          R"("ai_analysis":{"gpu_id":"GPU-a","status":"active","confidence":0.85,"reason":"r",)"
          R"("recommendation":"do","raw_score":19,"ai_adjusted_score":23.5},)"
          R"("opinion":{)"));
  EXPECT_THAT(out, testing::HasSubstr(R"("verdict":"bursty")"));
}

TEST(FleetDocument, KeepsAResultWhole) {
  model::GpuUse unknown;
  unknown.gpu.gpu_id = "GPU-b";
  const std::vector<model::GpuUse> gpus{use(), unknown};
  const auto kept = parse_kept_results(kept_results(gpus));
  ASSERT_TRUE(kept) << kept.error().message;
  std::string before;
  append_results(before, gpus);
  std::string after;
  append_results(after, *kept);
  // A status follows from the score and the bounds of whoever reads it.
  after.replace(after.find("\"unknown\""), 9, "\"low\"");
  EXPECT_EQ(after, before);
  EXPECT_EQ(kept->front().raw_score, 19);
  EXPECT_EQ(kept->front().ai_analysis->adjusted_score, 23.5);
  for (const std::string_view text : {"", "{}", "[1]", "[[1]]", "[[\"a\"]]", "[", "null"}) {
    const auto parsed = parse_kept_results(text);
    EXPECT_TRUE(!parsed || parsed->empty()) << text;
  }
}

TEST(FleetDocument, ShowsNothingAtAllAsZero) {
  std::string out;
  append_stats(out, {});
  EXPECT_EQ(out, R"({"total_gpus":0,"avg_score":0,"min_score":0,"max_score":0,)"
                 R"("low_utilization_count":0,"idle_count":0,"by_status":{},"by_namespace":{}})");
  model::UseStats dark;
  dark.total = 1;
  out.clear();
  append_stats(out, dark);
  EXPECT_THAT(out, testing::HasSubstr(R"("avg_score":null)"));
}

}  // namespace
}  // namespace gpuscope::wire
