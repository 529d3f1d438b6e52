#include "wire/alerts_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace gpuscope::wire {
namespace {

using Json = nlohmann::ordered_json;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr base::WallTime kTime{seconds{1'780'000'000}};

model::AlertStatus make_alert(double value = 90) {
  model::AlertStatus alert;
  alert.labels = {{"alertname", "Hot"}, {"gpu", "0 \"x\""}};
  alert.annotations = {{"summary", "too hot"}};
  alert.state = model::AlertState::kFiring;
  alert.active_since = kTime;
  alert.value = value;
  return alert;
}

TEST(AlertsDocument, HasPrometheussAlerts) {
  std::string out;
  append_alerts_json(out, std::vector{make_alert()});
  EXPECT_EQ(Json::parse(out), Json::parse(R"({"status": "success", "data": {"alerts": [{
    "labels": {"alertname": "Hot", "gpu": "0 \"x\""}, "annotations": {"summary": "too hot"},
    "state": "firing", "activeAt": "2026-05-28T20:26:40.000000+00:00", "value": "9e+01"}]}})"));
  for (const auto& [value, text] : std::vector<std::pair<double, std::string>>{
           {0, "0e+00"},
           {-1.5, "-1.5e+00"},
           {1e300, "1e+300"},
           {std::numeric_limits<double>::infinity(), "+Inf"},
           {std::numeric_limits<double>::quiet_NaN(), "NaN"}}) {
    out.clear();
    append_alerts_json(out, std::vector{make_alert(value)});
    EXPECT_EQ(Json::parse(out)["data"]["alerts"][0]["value"], text);
  }
}

TEST(AlertsDocument, HasPrometheussRules) {
  const model::Labels labels{{"severity", "critical"}};
  const model::Labels annotations{{"summary", "{{ $value }}"}};
  RuleDocument rule{.name = "Hot",
                    .query = "t > 80",
                    .duration = std::chrono::minutes{5},
                    .keep_firing = {},
                    .labels = labels,
                    .annotations = annotations,
                    .alerts = {},
                    .error = "",
                    .last_evaluation = {},
                    .evaluation_time = {}};
  std::string out;
  append_rules_json(out, std::vector{RuleGroupDocument{"g", "f.yml", seconds{15}, {rule}}});
  Json group = Json::parse(out)["data"]["groups"][0];
  EXPECT_EQ(group["name"], "g");
  EXPECT_EQ(group["file"], "f.yml");
  EXPECT_EQ(group["interval"], 15);
  Json shown = group["rules"][0];
  EXPECT_EQ(shown["state"], "inactive");
  EXPECT_EQ(shown["health"], "unknown");
  EXPECT_EQ(shown["duration"], 300);
  EXPECT_EQ(shown["type"], "alerting");
  EXPECT_EQ(shown["labels"], Json({{"severity", "critical"}}));
  EXPECT_EQ(shown["lastEvaluation"], "0001-01-01T00:00:00Z");
  rule.alerts = {make_alert()};
  rule.error = "cannot read";
  rule.last_evaluation = kTime;
  rule.evaluation_time = std::chrono::microseconds{1500};
  out.clear();
  append_rules_json(out, std::vector{RuleGroupDocument{"g", "f.yml", seconds{15}, {rule}}});
  shown = Json::parse(out)["data"]["groups"][0]["rules"][0];
  EXPECT_EQ(shown["state"], "firing");
  EXPECT_EQ(shown["health"], "err");
  EXPECT_EQ(shown["lastError"], "cannot read");
  EXPECT_EQ(shown["evaluationTime"], 0.0015);
  EXPECT_EQ(shown["alerts"].size(), 1U);
}

TEST(SilenceDocument, IsReadAndWrittenAsAlertmanagersClientsDo) {
  // What amtool 0.25 sends.
  const auto silence = parse_silence_json(
      R"({"comment":"known","createdBy":"me","endsAt":"2026-05-28T22:26:40.000Z","matchers":[
      {"isEqual":true,"isRegex":false,"name":"alertname","value":"Hot"},{"isRegex":true,"name":"gpu_name","value":"H.*"}],
      "startsAt":"2026-05-28T22:26:40.000+02:00"})");
  ASSERT_TRUE(silence) << silence.error().message;
  EXPECT_EQ(silence->starts_at, kTime);
  EXPECT_EQ(silence->ends_at, kTime + std::chrono::hours{2});
  EXPECT_EQ(silence->created_by, "me");
  ASSERT_EQ(silence->matchers.size(), 2U);
  EXPECT_TRUE(silence->matchers[1].is_regex);
  EXPECT_TRUE(silence->matchers[1].is_equal);
  SilenceDocument shown = *silence;
  shown.id = "1";
  shown.state = "active";
  std::string out;
  append_silences_json(out, std::vector{shown});
  const Json document = Json::parse(out)[0];
  EXPECT_EQ(document["status"]["state"], "active");
  EXPECT_EQ(document["matchers"][0],
            Json::parse(R"({"isEqual":true,"isRegex":false,"name":"alertname","value":"Hot"})"));
  EXPECT_EQ(document["startsAt"], "2026-05-28T20:26:40.000000+00:00");
}

TEST(SilenceDocument, SaysWhatIsWrong) {
  const std::string times = R"("startsAt":"2026-05-28T20:26:40Z","endsAt":"2026-05-28T22:26:40Z")";
  for (const auto& [body, what] : std::vector<std::pair<std::string, std::string>>{
           {"", "no JSON object"},
           {"[]", "no JSON object"},
           {"{}", "createdBy is no text"},
           {R"({"createdBy":"me"})", "startsAt is no text"},
           {R"({"createdBy":"me","startsAt":"now"})", "startsAt is no time"},
           {"{\"createdBy\":\"me\"," + times + "}", "matchers is no list"},
           {"{\"createdBy\":\"me\",\"matchers\":[1]," + times + "}", "a matcher is no object"},
           {"{\"createdBy\":\"me\",\"matchers\":[{\"name\":\"a\"}]," + times + "}",
            "value is no text"},
           {"{\"createdBy\":\"me\",\"matchers\":[{\"name\":\"a\",\"value\":\"\",\"isRegex\":1}]," +
                times + "}",
            "isRegex is neither"}}) {
    const auto silence = parse_silence_json(body);
    ASSERT_FALSE(silence) << body;
    EXPECT_THAT(silence.error().message, HasSubstr(what));
  }
}

}  // namespace
}  // namespace gpuscope::wire
