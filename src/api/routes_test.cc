#include "api/routes.h"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "api/embedded.h"
#include "api/fixed_source.h"
#include "base/clock.h"

namespace gpuscope::api {
namespace {

using Json = nlohmann::ordered_json;

// Methods: "sim" has two GPUs, "nvml" fails, the others find none.
class RoutesTest : public testing::Test {
 protected:
  RoutesTest()
      : collector_(clock_, kOneTick, "sim",
                   [](std::string_view method) -> base::Result<std::unique_ptr<model::Source>> {
                     std::optional<base::Error> error;
                     if (method == "nvml") {
                       error = base::Error{base::ErrorKind::kUnavailable,
                                           "cannot load libnvidia-ml.so.1: install the driver"};
                     }
                     return std::make_unique<FixedSource>(method == "sim" ? 2 : 0, error);
                   }),
        routes_(collector_, "1.2.3") {
    collector_.start();
  }
  ~RoutesTest() override { collector_.stop(); }

  // The answer, once the method's first tick is done.
  http::Response ask(std::vector<std::string> path,
                     std::vector<std::pair<std::string, std::string>> query = {},
                     std::string_view accept = "application/json") {
    http::Request request;
    request.method = "GET";
    request.path = std::move(path);
    request.query = std::move(query);
    request.accept = accept;
    while (true) {
      if (auto response = routes_.handle(request)) return *response;
      std::this_thread::yield();
    }
  }
  Json json(std::vector<std::string> path,
            std::vector<std::pair<std::string, std::string>> query = {}) {
    const http::Response response = ask(std::move(path), std::move(query));
    EXPECT_EQ(response.content_type, "application/json");
    return Json::parse(*response.body);
  }

  // The first tick comes at once, the next one after any test.
  static constexpr collect::Options kOneTick{.interval = std::chrono::seconds{60}};

  base::SystemClock clock_;
  collect::Collector collector_;
  Routes routes_;
};

TEST_F(RoutesTest, ServeTheDocuments) {
  EXPECT_EQ(json({"gpu", "list"})["gpus"].size(), 2U);
  EXPECT_EQ(json({"gpu", "metrics", "json"})["gpus"][1]["metrics"]["gpu_clock_mhz"], 2101);
  EXPECT_TRUE(json({"gpu", "metrics", "json", "aaaa-0001"}).contains("timestamp"));
  EXPECT_EQ(json({"gpu", "GPU-AAAA-0000"})["temp"]["value"], 46.1);
  EXPECT_EQ(json({"gpu", "gpu-aaaa-0000", "static"})["serial"], nullptr);
  const http::Response metric = ask({"gpu", "metric"});
  EXPECT_EQ(metric.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_NE(metric.body->find("gpu_clock_mhz{gpu_uuid=\"GPU-aaaa-0001\",gpu_index=\"1\","),
            std::string::npos);
}

TEST_F(RoutesTest, FindNestedValues) {
  const std::map<std::vector<std::string>, std::string> cases = {
      {{"clocks", "value", "gpu_clock_mhz"}, R"({"clocks/value/gpu_clock_mhz":2100})"},
      {{"clocks", "gpu_clock_mhz"}, R"({"clocks/gpu_clock_mhz":2100})"},
      {{"processes", "0", "pid"}, R"({"processes/0/pid":4242})"},
      {{"power", "value"}, R"({"power/value":null})"},
      {{"health", "value", "header"}, R"({"health/value/header":["Health Report"]})"},
      {{"processes"}, R"({"processes":[{"pid":4242,"gpu_memory":null}]})"},
  };
  for (const auto& [steps, expected] : cases) {
    std::vector<std::string> path{"gpu", "aaaa-0000"};
    path.insert(path.end(), steps.begin(), steps.end());
    EXPECT_EQ(*ask(path).body, expected);
  }
  EXPECT_TRUE(json({"gpu", "aaaa-0000", "health", "body", "Overall Health", "value"})
                  .contains("health/body/Overall Health/value"));
}

TEST_F(RoutesTest, SayWhatIsNotThere) {
  const auto expect_detail = [&](int status, std::string_view detail, std::vector<std::string> path,
                                 std::vector<std::pair<std::string, std::string>> query = {}) {
    const http::Response response = ask(std::move(path), std::move(query));
    EXPECT_EQ(response.status, status);
    EXPECT_EQ(Json::parse(*response.body), (Json{{"detail", detail}}));
  };
  expect_detail(404, "GPU not found", {"gpu", "none"});
  expect_detail(404, "GPU not found", {"gpu", "none", "static"});
  expect_detail(404, "GPU not found", {"gpu", "metrics", "json", "none"});
  expect_detail(404, "Field path 'clocks/a b' not found", {"gpu", "aaaa-0000", "clocks", "a b"});
  expect_detail(404, "Not Found", {"gpu"});
  expect_detail(404, "Not Found", {"nothing", "here"});
  expect_detail(400, "Invalid method", {"gpu", "list"}, {{"method", "cuda"}});
  expect_detail(400, "Invalid method", {"gpu", "list"}, {{"method", ""}});
  expect_detail(503, "cannot load libnvidia-ml.so.1: install the driver", {"gpu", "list"},
                {{"method", "nvml"}});
}

TEST_F(RoutesTest, TakeMethodsByEitherName) {
  EXPECT_EQ(canonical_method("bash"), "smi");
  EXPECT_EQ(canonical_method("smi"), "smi");
  EXPECT_EQ(canonical_method("SIM"), std::nullopt);
  EXPECT_EQ(json({"gpu", "list"}, {{"method", "bash"}}), Json::parse(R"({"gpus":[]})"));
  EXPECT_EQ(json({"gpu", "list"}, {{"method", "sim"}})["gpus"].size(), 2U);
}

TEST_F(RoutesTest, EncodeOnceATick) {
  const auto first = ask({"gpu", "metrics", "json"}).body;
  EXPECT_EQ(ask({"gpu", "metrics", "json"}).body, first);
  EXPECT_EQ(routes_.cache().encoded(), 1U);
  // Every path into a GPU's document shares one encoding with the document itself.
  ask({"gpu", "aaaa-0000", "clocks"});
  ask({"gpu", "aaaa-0000", "temp", "value"});
  ask({"gpu", "aaaa-0000"});
  EXPECT_EQ(routes_.cache().encoded(), 2U);
}

TEST_F(RoutesTest, IntroduceTheService) {
  ask({"gpu", "list"});
  const Json service = json({});
  EXPECT_EQ(service["service"], "gpuscope");
  EXPECT_EQ(service["version"], "1.2.3");
  EXPECT_EQ(service["method"], "sim");
  EXPECT_EQ(service["simulated"], true);
  EXPECT_EQ(service["endpoints"]["metric"], "/gpu/metric");
  const http::Response page = ask({}, {}, "text/html,application/xhtml+xml,*/*;q=0.8");
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  EXPECT_NE(page.body->find("SIMULATED"), std::string::npos);
}

TEST_F(RoutesTest, TellHealth) {
  ask({"gpu", "list"});
  ask({"gpu", "list"}, {{"method", "nvml"}});
  const Json health = json({"health"});
  EXPECT_EQ(health["status"], "healthy");
  ASSERT_EQ(health["sources"].size(), 2U);
  EXPECT_EQ(health["sources"][0]["method"], "sim");
  EXPECT_EQ(health["sources"][0]["gpus"], 2);
  EXPECT_EQ(health["sources"][1]["state"], "failed");
  EXPECT_EQ(health["sources"][1]["error"], "cannot load libnvidia-ml.so.1: install the driver");
}

// The table of routes and docs/api/openapi.yaml name the same things.
TEST_F(RoutesTest, AreTheDocumentedOnes) {
  std::set<std::string> served;
  for (const Route& route : routes_.table()) {
    served.insert(std::string(route.method) + " " + std::string(route.pattern));
  }
  std::set<std::string> documented;
  const Json document = Json::parse(embedded::openapi_json);
  for (const auto& [path, methods] : document["paths"].items()) {
    for (const auto& [method, operation] : methods.items()) {
      std::string entry = method;
      for (char& c : entry) c = static_cast<char>(c - 'a' + 'A');
      documented.insert(entry.append(" ").append(path));
    }
  }
  EXPECT_EQ(served, documented);
  EXPECT_EQ(json({"openapi.json"})["openapi"], "3.0.3");
  EXPECT_NE(ask({"docs"}).body->find("/gpu/{uuid}/static"), std::string::npos);
}

}  // namespace
}  // namespace gpuscope::api
