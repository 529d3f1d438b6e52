#include "api/query_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>

#include "base/fake_clock.h"
#include "query/memory_series.h"

namespace gpuscope::api {
namespace {

using Json = nlohmann::ordered_json;
using Fields = std::vector<std::pair<std::string, std::string>>;

constexpr base::WallTime kEvaluated{std::chrono::seconds{1'700'000'000}};

class QueryRoutesTest : public testing::Test {
 protected:
  QueryRoutesTest() {
    auto series = std::make_shared<query::MemorySeries>();
    series->add({{"__name__", "up"}, {"job", "gpuscope"}}, {{1'699'999'990'000, 1}});
    series->add({{"__name__", "temp"}, {"gpu", "0"}, {"job", "gpuscope"}},
                {{1'699'999'970'000, 45.5}, {1'699'999'985'500, 1e21}});
    series->add({{"__name__", "temp"}, {"gpu", "1"}, {"job", "gpuscope"}},
                {{1'699'999'970'000, 1e-7}});
    QuerySetup setup;
    setup.series = std::move(series);
    setup.version = "0.1.0";
    routes_.start(clock_, std::move(setup));
  }

  template <typename Ask>
  http::Response wait(http::Request request, Ask ask) {
    for (;;) {
      if (auto response = ask(request)) return *response;
      request.waited = std::chrono::milliseconds{1};
      std::this_thread::yield();
    }
  }
  http::Response query(Fields fields) {
    http::Request request;
    request.method = "GET";
    request.query = std::move(fields);
    std::string target;
    for (const auto& [name, value] : request.query) target += name + "=" + value + "&";
    request.target = target;
    return wait(request, [&](const auto& r) { return routes_.query(r); });
  }

  base::FakeClock clock_{kEvaluated};
  QueryRoutes routes_;
};

TEST_F(QueryRoutesTest, WritesNumbersAsPrometheusDoes) {
  const auto body = [&](Fields fields) { return *query(std::move(fields)).body; };
  EXPECT_EQ(body({{"query", "1+1"}}),
            R"({"status":"success","data":{"resultType":"scalar","result":[1700000000,"2"]}})");
  EXPECT_EQ(body({{"query", "'a\"b'"}, {"time", "5.25"}}),
            R"({"status":"success","data":{"resultType":"string","result":[5.25,"a\"b"]}})");
  EXPECT_EQ(body({{"query", "-1/0"}, {"time", "1970-01-01T00:00:01Z"}}),
            R"({"status":"success","data":{"resultType":"scalar","result":[1,"-Inf"]}})");
  EXPECT_EQ(
      body({{"query", "temp"}}),
      R"({"status":"success","data":{"resultType":"vector","result":[)"
      R"({"metric":{"__name__":"temp","gpu":"0","job":"gpuscope"},"value":[1700000000,"1000000000000000000000"]},)"
      R"({"metric":{"__name__":"temp","gpu":"1","job":"gpuscope"},"value":[1700000000,"0.0000001"]}]}})");
  EXPECT_EQ(body({{"query", "temp{gpu=\"0\"}[1m]"}}),
            R"({"status":"success","data":{"resultType":"matrix","result":[{"metric":)"
            R"({"__name__":"temp","gpu":"0","job":"gpuscope"},"values":)"
            R"([[1699999970,"45.5"],[1699999985.5,"1000000000000000000000"]]}]}})");
}

TEST_F(QueryRoutesTest, TakesFormsBeforeQueries) {
  http::Request request;
  request.method = "POST";
  request.target = "/api/v1/query_range?query=2";
  request.query = {{"query", "2"}};
  request.body = "query=sum+by+%28job%29+%28temp%29&start=1699999970&end=1699999985&step=15s";
  const http::Response response =
      wait(request, [&](const auto& r) { return routes_.query_range(r); });
  EXPECT_EQ(
      *response.body,
      R"({"status":"success","data":{"resultType":"matrix","result":[{"metric":)"
      R"({"job":"gpuscope"},"values":[[1699999970,"45.5000001"],[1699999985,"45.5000001"]]}]}})");
  request.body = "query=%zz";
  EXPECT_EQ(routes_.query(request)->status, 400);
}

TEST_F(QueryRoutesTest, ListsNoMoreThanAskedFor) {
  http::Request request;
  request.method = "GET";
  request.target = "a";
  request.query = {{"match[]", "temp"}, {"match[]", "{gpu=\"0\"}"}, {"limit", "1"}};
  const auto series = [&] {
    return Json::parse(*wait(request, [&](const auto& r) { return routes_.series(r); }).body);
  };
  EXPECT_EQ(series()["data"].size(), 1U);
  EXPECT_EQ(series()["warnings"][0], "results truncated due to limit");
  request.target = "b";
  request.query.pop_back();
  EXPECT_EQ(series()["data"].size(), 2U) << "what two selectors find stands there once";
  EXPECT_FALSE(series().contains("warnings"));
}

TEST_F(QueryRoutesTest, EndsWhatIsUnderWay) {
  routes_.stop();
  EXPECT_EQ(query({{"query", "temp"}}).status, 503);
}

TEST_F(QueryRoutesTest, SaysWhoAnswers) {
  EXPECT_THAT(*routes_.buildinfo().body, testing::HasSubstr(R"("revision":"0.1.0")"));
}

}  // namespace
}  // namespace gpuscope::api
