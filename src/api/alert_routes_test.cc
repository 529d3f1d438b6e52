#include "api/alert_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/fake_clock.h"
#include "model/memory_state_store.h"
#include "query/memory_series.h"

namespace gpuscope::api {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;

class AlertRoutesTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::int64_t now = clock_.wall_now().time_since_epoch() / std::chrono::milliseconds{1};
    series_.add({{"__name__", "t"}, {"gpu", "0"}}, {{now, 90}});
    alert::AlertingOptions options;
    alert::Rule rule{.name = {"Hot"},
                     .expression = {"t > 80"},
                     .hold = {},
                     .keep_firing = {},
                     .labels = {{"severity", {"critical"}}},
                     .annotations = {}};
    options.rules = {{.name = "g", .file = "f.yml", .interval = {}, .rules = {rule}}};
    alerting_ = std::move(*alert::Alerting::make(
        clock_, options,
        {.reader = series_,
         .store = store_,
         .deliver = [](const model::AlertNotification&) { return base::Result<void>{}; },
         .ready = [] { return true; }}));
    alerting_->step(clock_.wall_now());
    routes_.configure(alerting_.get(), "");
  }

  http::Response ask(std::string_view method, const std::string& target, std::string_view body = "",
                     bool loopback = true, std::string_view host = "127.0.0.1:9555",
                     std::string_view origin = "") {
    const Router router(routes_.table());
    http::Request request;
    request.method = method;
    request.target = target;
    request.path = *http::decode_path(target.substr(0, target.find('?')));
    if (target.find('?') != std::string::npos) {
      request.query = *http::decode_query(target.substr(target.find('?') + 1));
    }
    request.body = body;
    request.host = host;
    request.origin = origin;
    request.from_loopback = loopback;
    return *router.handle(request);
  }
  Json get(const std::string& target) {
    const http::Response response = ask("GET", target);
    EXPECT_EQ(response.status, 200) << *response.body;
    return Json::parse(*response.body);
  }

  base::FakeClock clock_;
  query::MemorySeries series_;
  model::MemoryStateStore store_;
  std::unique_ptr<alert::Alerting> alerting_;
  AlertRoutes routes_;
};

constexpr std::string_view kSilence =
    R"({"matchers":[{"name":"alertname","value":"Hot","isRegex":false}],"startsAt":"2026-05-28T20:00:00Z",
        "endsAt":"2026-05-29T20:00:00Z","createdBy":"me","comment":"known"})";

TEST_F(AlertRoutesTest, TellsOfAlertsAndRules) {
  const Json alerts = get("/api/v1/alerts");
  EXPECT_EQ(alerts["status"], "success");
  ASSERT_EQ(alerts["data"]["alerts"].size(), 1U);
  EXPECT_EQ(alerts["data"]["alerts"][0]["state"], "firing");
  EXPECT_EQ(alerts["data"]["alerts"][0]["labels"],
            Json({{"alertname", "Hot"}, {"gpu", "0"}, {"severity", "critical"}}));
  const Json groups = get("/api/v1/rules?type=alert")["data"]["groups"];
  EXPECT_EQ(groups[0]["file"], "f.yml");
  EXPECT_EQ(groups[0]["rules"][0]["query"], "t > 80");
  EXPECT_EQ(groups[0]["rules"][0]["health"], "ok");
  EXPECT_EQ(get("/api/v1/rules?type=record")["data"]["groups"].size(), 0U);
  EXPECT_EQ(ask("GET", "/api/v1/rules?type=x").status, 400);
}

TEST_F(AlertRoutesTest, MakesShowsAndEndsSilences) {
  EXPECT_EQ(get("/api/v2/silences"), Json::array());
  const http::Response made = ask("POST", "/api/v2/silences", kSilence);
  ASSERT_EQ(made.status, 200) << *made.body;
  const std::string id = Json::parse(*made.body)["silenceID"];
  EXPECT_EQ(get("/api/v2/silence/" + id)["status"]["state"], "active");
  EXPECT_EQ(get("/api/v2/silences?filter=alertname%3D%22Hot%22").size(), 1U);
  EXPECT_EQ(get("/api/v2/silences?filter=alertname%3D%22Cold%22").size(), 0U);
  EXPECT_EQ(ask("GET", "/api/v2/silences?filter=x").status, 400);
  EXPECT_EQ(ask("DELETE", "/api/v2/silence/" + id).status, 200);
  EXPECT_EQ(get("/api/v2/silence/" + id)["status"]["state"], "expired");
  EXPECT_EQ(ask("DELETE", "/api/v2/silence/" + id).status, 400);
  EXPECT_EQ(ask("DELETE", "/api/v2/silence/nobody").status, 404);
  EXPECT_EQ(ask("GET", "/api/v2/silence/nobody").status, 404);
  EXPECT_EQ(ask("POST", "/api/v2/silences", "{}").status, 400);
}

TEST_F(AlertRoutesTest, ChangesComeFromThisMachineAndFromNoOtherPage) {
  EXPECT_EQ(ask("POST", "/api/v2/silences", kSilence, false).status, 403);
  EXPECT_EQ(ask("POST", "/api/v2/silences", kSilence, true, "127.0.0.1:9555", "http://evil.example")
                .status,
            403);
  // A name that was made to point here is another page's.
  EXPECT_EQ(ask("POST", "/api/v2/silences", kSilence, true, "evil.example:9555",
                "http://evil.example:9555")
                .status,
            403);
  EXPECT_EQ(ask("DELETE", "/api/v2/silence/1", "", true, "evil.example").status, 403);
  for (const char* host :
       {"127.0.0.1:9555", "localhost:9555", "LOCALHOST", "[::1]:9555", "[::1]"}) {
    EXPECT_EQ(ask("POST", "/api/v2/silences", kSilence, true, host).status, 200) << host;
  }
  EXPECT_EQ(get("/api/v2/silences").size(), 5U);
}

TEST_F(AlertRoutesTest, SaysWhyThereIsNone) {
  routes_.configure(nullptr, "cannot alert: no history");
  const http::Response response = ask("GET", "/api/v1/alerts");
  EXPECT_EQ(response.status, 503);
  EXPECT_THAT(*response.body, HasSubstr("no history"));
}

}  // namespace
}  // namespace gpuscope::api
