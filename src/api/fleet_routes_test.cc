#include "api/fleet_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "api/embedded.h"
#include "base/fake_clock.h"

namespace gpuscope::api {
namespace {

using Json = nlohmann::ordered_json;
using model::UsageMetric;
using testing::HasSubstr;
using testing::Not;

// One machine in use, one idle, one of which values are missing.
class OneFleet final : public model::UsageReader {
 public:
  base::Result<model::UsageAnswer> read(const model::UsageWindow&) override {
    model::UsageAnswer answer;
    for (const double util : {90.0, 0.0}) {
      model::GpuUsage& usage = answer.gpus.emplace_back();
      usage.gpu = {.gpu_id = util > 0 ? "GPU-busy" : "GPU-idle",
                   .pod = "p\"\n",
                   .name_space = "n",
                   .hostname = "h"};
      for (std::size_t i = 0; i < 6; ++i) usage.means[static_cast<UsageMetric>(i)] = util;
    }
    answer.gpus.push_back(answer.gpus.front());
    answer.gpus.back().gpu.gpu_id = "GPU-dark";
    answer.gpus.back().means[UsageMetric::kPower] = std::nullopt;
    return answer;
  }
  base::Result<void> probe() override { return {}; }
  void cancel() override {}
};

class Fleet : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(analyzer_.start());
    wait_runs(1);
  }
  void TearDown() override { analyzer_.stop(); }
  void wait_runs(std::uint64_t runs) {
    while (analyzer_.status().runs < runs || analyzer_.status().running) std::this_thread::yield();
  }
  http::Response ask(const std::string& method, const std::vector<std::string>& path,
                     const std::vector<std::pair<std::string, std::string>>& query = {},
                     bool from_loopback = true) {
    http::Request request;
    request.method = method;
    request.path = path;
    request.query = query;
    request.host = "127.0.0.1:8080";
    request.from_loopback = from_loopback;
    request.accepts_gzip = gzip_;
    request.accept = accept_;
    return service_.handle(request).value_or(http::Response{});
  }
  Json json(const std::vector<std::string>& path) { return Json::parse(*ask("GET", path).body); }

  base::FakeClock clock_;
  OneFleet reader_;
  analyze::Analyzer analyzer_{clock_, reader_, {}, {}};
  FleetService service_{
      clock_, analyzer_, {.version = "1.2", .config = {.prometheus_url = "http://p"}}};
  std::string accept_;
  bool gzip_ = false;
};

TEST_F(Fleet, GivesResults) {
  const Json results = json({"results"});
  ASSERT_EQ(results.size(), 3);
  EXPECT_EQ(results[0]["gpu_id"], "GPU-idle");
  EXPECT_EQ(results[0]["pod"], "p\"\n");
  EXPECT_EQ(results[0]["status"], "idle");
  EXPECT_EQ(results[2]["gpu_id"], "GPU-dark");
  EXPECT_EQ(results[2]["status"], "unknown");
  EXPECT_TRUE(results[2]["score"].is_null());
  EXPECT_TRUE(results[2]["power_usage"].is_null());
  const Json low = json({"results", "low"});
  EXPECT_EQ(low["count"], 1);
  EXPECT_EQ(low["threshold"], 20);
  EXPECT_EQ(low["gpus"][0], results[0]);
  const Json stats = json({"results", "stats"});
  EXPECT_EQ(stats["total_gpus"], 3);
  EXPECT_EQ(stats["by_status"], (Json{{"idle", 1}, {"high", 1}, {"unknown", 1}}));
}

TEST_F(Fleet, EncodesOncePerRun) {
  const auto first = ask("GET", {"results"}).body;
  EXPECT_EQ(ask("GET", {"results"}).body, first);
  gzip_ = true;
  const auto packed = ask("GET", {"metrics"});
  EXPECT_TRUE(packed.gzip);
  EXPECT_EQ(ask("GET", {"metrics"}).body, packed.body);
  analyzer_.trigger(false);
  wait_runs(2);
  EXPECT_NE(ask("GET", {"results"}).body, first);
}

// A fleet that is too large for the server's thread.
class Many final : public model::UsageReader {
 public:
  base::Result<model::UsageAnswer> read(const model::UsageWindow&) override {
    model::UsageAnswer answer;
    for (std::size_t i = 0; i <= FleetRoutes::kMostAtOnce; ++i) {
      model::GpuUsage& usage = answer.gpus.emplace_back();
      usage.gpu.gpu_id = "GPU-" + std::to_string(i);
      for (std::size_t j = 0; j < 6; ++j) usage.means[static_cast<UsageMetric>(j)] = 50;
    }
    return answer;
  }
  base::Result<void> probe() override { return {}; }
  void cancel() override {}
};

TEST(LargeFleet, IsEncodedOncePerRunOnAnotherThread) {
  base::FakeClock clock;
  Many reader;
  analyze::Analyzer analyzer{clock, reader, {}, {}};
  FleetService service{clock, analyzer, {.version = "1.2", .config = {}}};
  std::atomic<int> woken = 0;
  service.fleet().start([&] { ++woken; });
  ASSERT_TRUE(analyzer.start());
  while (analyzer.status().runs == 0) std::this_thread::yield();
  http::Request request;
  request.method = "GET";
  request.host = "127.0.0.1:8080";
  const auto ask = [&](const std::string& path) {
    request.path = {path};
    request.waited = {};
    auto answer = service.handle(request);
    while (!answer) {
      request.waited = std::chrono::milliseconds(20);
      std::this_thread::yield();
      answer = service.handle(request);
    }
    return *answer;
  };
  for (const std::string path : {"results", "metrics"}) {
    request.accepts_gzip = false;
    request.path = {path};
    request.waited = {};
    EXPECT_FALSE(service.handle(request)) << "not on this thread";
    const http::Response plain = ask(path);
    EXPECT_EQ(plain.status, 200);
    EXPECT_THAT(*plain.body, HasSubstr("GPU-1000"));
    EXPECT_EQ(ask(path).body, plain.body);
    request.accepts_gzip = true;
    const http::Response packed = ask(path);
    EXPECT_TRUE(packed.gzip);
    EXPECT_LT(packed.body->size(), plain.body->size());
    EXPECT_EQ(ask(path).body, packed.body);
    request.accepts_gzip = false;
    EXPECT_EQ(ask(path).body, plain.body) << "compressing encodes nothing anew";
  }
  service.fleet().stop();
  EXPECT_EQ(woken, 4);
  analyzer.stop();
}

TEST_F(Fleet, TakesChangesAtOnce) {
  EXPECT_EQ(ask("POST", {"config", "update"}, {{"threshold", "80"}}, false).status, 403)
      << "from another machine";
  const Json done = Json::parse(
      *ask("POST", {"config", "update"}, {{"threshold", "80"}, {"interval", "60"}}).body);
  EXPECT_EQ(done["status"], "updated");
  EXPECT_EQ(done["updates"], (Json{{"threshold", 80}, {"interval", 60}}));
  EXPECT_EQ(json({"results", "low"})["count"], 2);
  EXPECT_EQ(json({"config"})["scheduler"]["interval"], 60);
  EXPECT_EQ(json({})["config"]["threshold"], 80);
  EXPECT_THAT(*ask("GET", {"metrics"}).body, HasSubstr(R"(threshold="80",interval="60")"));

  const struct {
    std::string name;
    std::string value;
    std::string error;
  } kBad[] = {{"threshold", "101", "threshold must be between 0 and 100"},
              {"threshold", "x", "threshold must be between 0 and 100"},
              {"interval", "0", "interval must be positive"},
              {"ai_enabled", "perhaps", "ai_enabled must be true or false"},
              {"ai_enabled", "true", "ai_enabled cannot be true without a model"}};
  for (const auto& each : kBad) {
    const auto answer = ask("POST", {"config", "update"}, {{each.name, each.value}});
    EXPECT_EQ(answer.status, 400);
    EXPECT_THAT(Json::parse(*answer.body)["error"].get<std::string>(), HasSubstr(each.error));
    EXPECT_EQ(Json::parse(*answer.body)["detail"], Json::parse(*answer.body)["error"]);
  }
}

TEST_F(Fleet, RunsWhenAsked) {
  const Json done = Json::parse(*ask("GET", {"analyze"}).body);
  EXPECT_EQ(done["status"], "triggered");
  EXPECT_EQ(done["use_ai"], false);
  wait_runs(2);
  EXPECT_EQ(ask("GET", {"analyze"}, {{"use_ai", "true"}}).status, 400);
  EXPECT_EQ(ask("GET", {"analyze"}, {{"use_ai", "x"}}).status, 400);
}

TEST_F(Fleet, SaysHowItIs) {
  Json health = json({"health"});
  EXPECT_EQ(health["status"], "healthy");
  EXPECT_EQ(health["prometheus_connected"], true);
  EXPECT_EQ(health["analysis_timeout"], false);
  EXPECT_EQ(health["interval"], 300);
  EXPECT_EQ(ask("GET", {"nothing"}).status, 404);
  accept_ = "text/html";
  EXPECT_THAT(*ask("GET", {}).body, HasSubstr("<!doctype html>"));
}

TEST_F(Fleet, HasNoGaugeForWhatIsMissing) {
  const std::string page = *ask("GET", {"metrics"}).body;
  EXPECT_THAT(page, HasSubstr("gpu_core_utilization{gpu_id=\"GPU-dark\",pod=\"p\\\"\\n\","
                              "namespace=\"n\",hostname=\"h\"} 90\n"));
  EXPECT_THAT(page, Not(HasSubstr("gpu_power_usage_watts{gpu_id=\"GPU-dark\"")));
  EXPECT_THAT(page, HasSubstr("model=\"unknown\",status=\"idle\"} 0\n"));
  EXPECT_THAT(page, HasSubstr("gpu_status_count{status=\"unknown\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("gpu_analysis_duration_seconds_bucket{le=\"1.0\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("gpu_analysis_total 1\n"));
  accept_ = "application/openmetrics-text; version=1.0.0";
  EXPECT_THAT(*ask("GET", {"metrics"}).body, testing::EndsWith("# EOF\n"));
}

// What is served and what is described are the same.
TEST_F(Fleet, IsDescribed) {
  std::set<std::string> served;
  for (const Route& route : service_.table()) {
    std::string method(route.method);
    std::ranges::transform(method, method.begin(), [](unsigned char c) { return std::tolower(c); });
    served.insert(method + " " + std::string(route.pattern));
  }
  std::set<std::string> described;
  const Json document = Json::parse(embedded::fleet_openapi_json);
  for (const auto& [path, methods] : document["paths"].items()) {
    for (const auto& [method, operation] : methods.items()) described.insert(method + " " + path);
  }
  EXPECT_EQ(served, described);
  EXPECT_EQ(document["info"]["title"], "gpuscope fleet");
  EXPECT_THAT(std::string(embedded::fleet_docs_html), HasSubstr("config_update"));
}

}  // namespace
}  // namespace gpuscope::api
