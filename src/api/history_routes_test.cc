#include "api/history_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/fake_clock.h"

namespace gpuscope::api {
namespace {

using Json = nlohmann::ordered_json;
using model::Metric;
using model::SeriesBucket;
using model::SeriesKey;
using testing::HasSubstr;
using Query = std::vector<std::pair<std::string, std::string>>;

constexpr base::WallTime kNow{std::chrono::seconds{1'795'339'482}};

// Two GPUs: one with power and a fan, one with power alone. Every second part of a range has the
// values 1 to 3 W and the mean 1.8 W.
class FixedReader final : public model::SeriesReader {
 public:
  explicit FixedReader(std::atomic<int>& selects) : selects_(selects) {}

  base::Result<std::vector<SeriesKey>> select(const model::SeriesMatch& match) const override {
    ++selects_;
    std::vector<SeriesKey> found;
    for (const SeriesKey& key : keys_) {
      if ((!match.gpu || *match.gpu == key.gpu) && (!match.metric || *match.metric == key.metric)) {
        found.push_back(key);
      }
    }
    return found;
  }
  base::Result<void> visit(std::span<const SeriesKey>, const model::Ticks&,
                           const model::SampleVisitor&) const override {
    return {};
  }
  base::Result<std::vector<SeriesBucket>> buckets(const SeriesKey& key, const model::TimeRange&,
                                                  std::size_t count) const override {
    if (key.gpu == "GPU-damaged") {
      return base::fail(base::ErrorKind::kUnavailable, "cannot read gpuscope.db: disk I/O error");
    }
    if (key.gpu != "GPU-aa" && key.gpu != "GPU-bb") {
      return base::fail(base::ErrorKind::kNotFound, "cannot find the GPU");
    }
    std::vector<SeriesBucket> buckets(count);
    for (std::size_t i = 0; i < count; i += 2) buckets[i] = {5, 1000, 3000, 1800.25, 2500};
    return buckets;
  }
  base::Result<std::vector<std::optional<double>>> window_means(
      std::span<const SeriesKey>, const model::TimeRange&) const override {
    return std::vector<std::optional<double>>{};
  }

 private:
  std::atomic<int>& selects_;
  const std::vector<SeriesKey> keys_{{"GPU-aa", Metric::kPower, 0},
                                     {"GPU-aa", Metric::kPerformanceState, 0},
                                     {"GPU-aa", Metric::kFanPercent, 1},
                                     {"GPU-bb", Metric::kPower, 0},
                                     {"GPU-bb", Metric::kMigMemoryUsed, 3 * 65536 + 2}};
};

class HistoryRoutesTest : public testing::Test {
 protected:
  HistoryRoutesTest() {
    HistorySetup setup;
    setup.open = [this] { return std::make_unique<FixedReader>(selects_); };
    setup.is_simulated = [](const std::string& gpu) { return gpu == "GPU-aa"; };
    routes_.start(clock_, std::move(setup));
  }

  http::Response range(Query query, std::string_view accept = {}, bool gzip = false) {
    http::Request request;
    request.method = "GET";
    std::string target;
    for (const auto& [name, value] : query) target.append(name).append("=").append(value) += '&';
    request.target = target;
    request.query = std::move(query);
    request.accept = accept;
    request.accepts_gzip = gzip;
    for (;;) {
      if (auto response = routes_.range(request)) return *response;
      request.waited = std::chrono::milliseconds{1};
      std::this_thread::yield();
    }
  }
  static Json json(const http::Response& response) { return Json::parse(*response.body); }

  base::FakeClock clock_{kNow};
  std::atomic<int> selects_{0};
  HistoryRoutes routes_;
};

TEST_F(HistoryRoutesTest, GivesPartsOfARange) {
  const http::Response response = range({{"metric", "power_watts"},
                                         {"gpu", "GPU-aa"},
                                         {"start", "-10s"},
                                         {"end", "now"},
                                         {"points", "4"}});
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.content_type, "application/json");
  EXPECT_EQ(
      *response.body,
      R"({"start":"2026-11-22T09:24:32.000000+00:00","end":"2026-11-22T09:24:42.000000+00:00",)"
      R"("points":4,"step_seconds":2.5,"series":[{"metric":"power_watts","unit":"watts",)"
      R"("kind":"gauge","gpu":"GPU-aa","simulated":true,"min":[1,null,1,null],)"
      R"("mean":[1.80025,null,1.80025,null],"max":[3,null,3,null]}]})");
  EXPECT_EQ(selects_, 0) << "whole UUIDs need no look at all that there is";
}

TEST_F(HistoryRoutesTest, GivesSeveralMetricsAndGpus) {
  const auto named = [](const http::Response& response) {
    std::vector<std::string> names;
    const Json document = json(response);
    for (const Json& each : document["series"]) {
      std::string name = each["gpu"].get<std::string>() + " " + each["metric"].get<std::string>();
      for (const char* label : {"fan", "GPU_I_ID", "compute_instance"}) {
        if (each.contains(label)) name += " " + each[label].get<std::string>();
      }
      names.push_back(name);
    }
    return names;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(named(range({{"metric", "power_watts,fan_percent"}})),
            (Names{"GPU-aa power_watts", "GPU-bb power_watts", "GPU-aa fan_percent 1"}));
  EXPECT_EQ(named(range({{"metric", "fan_percent"}, {"metric", "power_watts"}, {"gpu", "gpu-AA"}})),
            (Names{"GPU-aa fan_percent 1", "GPU-aa power_watts"}));
  EXPECT_EQ(named(range({{"metric", "power_watts"}, {"gpu", "aa,BB"}})),
            (Names{"GPU-aa power_watts", "GPU-bb power_watts"}));
  EXPECT_EQ(named(range({{"metric", "mig_memory_used_bytes"}})),
            (Names{"GPU-bb mig_memory_used_bytes 3 2"}));
  EXPECT_EQ(named(range({{"metric", "DCGM_FI_DEV_POWER_USAGE,gpu_power_watts"}, {"gpu", "aa"}})),
            (Names{"GPU-aa power_watts"}))
      << "a metric goes by its other names, too";
  EXPECT_EQ(named(range({{"metric", "fan_percent"}, {"gpu", "bb"}})), Names{})
      << "a GPU without it is no error";
}

TEST_F(HistoryRoutesTest, GivesCsv) {
  const Query query{
      {"metric", "performance_state"}, {"gpu", "GPU-aa"}, {"start", "-2s"}, {"points", "1"}};
  const http::Response response = range(query, "text/csv");
  EXPECT_EQ(response.content_type, "text/csv; charset=utf-8");
  EXPECT_EQ(*response.body,
            "timestamp,gpu,metric,instance,min,mean,last,max\n"
            "2026-11-22T09:24:40.000000+00:00,GPU-aa,performance_state,,1000,,2500,3000\n");
  Query by_name = query;
  by_name.emplace_back("format", "csv");
  EXPECT_EQ(*range(by_name).body, *response.body);
  by_name.back().second = "json";
  EXPECT_EQ(range(by_name, "text/csv").content_type, "application/json");
  EXPECT_THAT(*range({{"metric", "mig_memory_used_bytes"}, {"format", "csv"}}).body,
              HasSubstr(",GPU-bb,mig_memory_used_bytes,3/2,1000,1800.25,,3000\n"));
}

TEST_F(HistoryRoutesTest, HasNoPartsShorterThanATick) {
  const auto points = [&](const char* start) {
    return json(range({{"metric", "power_watts"}, {"gpu", "GPU-aa"}, {"start", start}}))["points"]
        .get<int>();
  };
  EXPECT_EQ(points("-60s"), 60);
  EXPECT_EQ(points("-1500ms"), 2);
  EXPECT_EQ(points("-1ms"), 1);
  EXPECT_EQ(points("-30d"), 1000);
}

TEST_F(HistoryRoutesTest, SaysWhatIsWrong) {
  const std::pair<Query, std::string> wrong[] = {
      {{}, "name a metric"},
      {{{"metric", ""}}, "name a metric"},
      {{{"metric", "colour"}}, "cannot find the metric 'colour'"},
      {{{"metric", "process_memory_bytes"}}, "those of processes are not kept"},
      {{{"metric", "power_watts"}, {"start", "yesterday"}}, "cannot use start: 'yesterday' is not"},
      {{{"metric", "power_watts"}, {"end", ""}}, "cannot use end: '' is not"},
      {{{"metric", "power_watts"}, {"start", "now"}},
       "ends (2026-11-22T09:24:42.000000+00:00) where"},
      {{{"metric", "power_watts"}, {"start", "-1h"}, {"end", "-2h"}}, "before it begins"},
      {{{"metric", "power_watts"}, {"start", "9999999999999"}}, "cannot use start"},
      {{{"metric", "power_watts"}, {"points", "0"}}, "from 1 to 11000"},
      {{{"metric", "power_watts"}, {"points", "11001"}}, "from 1 to 11000"},
      {{{"metric", "power_watts"}, {"points", "-1"}}, "from 1 to 11000"},
      {{{"metric", "power_watts"}, {"points", "many"}}, "'many' is not a whole number"},
      {{{"metric", "power_watts"}, {"format", "xml"}}, "'xml' is not json or csv"},
  };
  for (const auto& [query, said] : wrong) {
    const http::Response response = range(query);
    EXPECT_EQ(response.status, 400) << said;
    EXPECT_THAT(json(response)["detail"].get<std::string>(), HasSubstr(said));
  }
}

TEST_F(HistoryRoutesTest, BoundsAnAnswer) {
  std::string gpus;
  for (int i = 0; i < 100; ++i) gpus += "GPU-" + std::to_string(i) + ",";
  const http::Response response =
      range({{"metric", "power_watts"}, {"gpu", gpus}, {"start", "-30d"}, {"points", "2001"}});
  EXPECT_EQ(response.status, 400);
  EXPECT_THAT(*response.body, HasSubstr("100 series of 2001 points: 200000 points in all"));
}

TEST_F(HistoryRoutesTest, TellsAGpuThatNeverWasFromAHistoryThatFails) {
  const http::Response gone = range({{"metric", "power_watts"}, {"gpu", "GPU-zz"}});
  EXPECT_EQ(gone.status, 404);
  EXPECT_EQ(*gone.body, R"({"detail": "GPU not found"})");
  const http::Response failed = range({{"metric", "power_watts"}, {"gpu", "GPU-damaged"}});
  EXPECT_EQ(failed.status, 503);
  EXPECT_THAT(*failed.body, HasSubstr("disk I/O error"));
}

TEST_F(HistoryRoutesTest, CompressesForThoseWhoTakeIt) {
  const Query query{{"metric", "power_watts"}, {"gpu", "GPU-aa"}, {"start", "-1h"}};
  const http::Response packed = range(query, {}, true);
  EXPECT_TRUE(packed.gzip);
  EXPECT_LT(packed.body->size(), range(query).body->size() / 4);
}

TEST(HistoryRoutes, SaysWhyThereIsNone) {
  base::FakeClock clock;
  HistoryRoutes routes;
  HistorySetup setup;
  setup.why_none = "cannot look back: --no-history";
  routes.start(clock, std::move(setup));
  const http::Response range = routes.range({}).value_or(http::Response{});
  EXPECT_EQ(range.status, 503);
  ASSERT_TRUE(range.body);
  EXPECT_EQ(*range.body, R"({"detail": "cannot look back: --no-history"})");
}

TEST(MetricOfName, KnowsEveryNameThatMeansOneMetric) {
  EXPECT_EQ(metric_of_name("power_watts"), Metric::kPower);
  EXPECT_EQ(metric_of_name("gpu_fan_speed"), Metric::kFanSpeed);
  EXPECT_EQ(metric_of_name("DCGM_FI_DEV_GPU_TEMP"), Metric::kTemperature);
  EXPECT_EQ(metric_of_name("nothing"), std::nullopt);
}

}  // namespace
}  // namespace gpuscope::api
