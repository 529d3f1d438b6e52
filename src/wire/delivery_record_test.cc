#include "wire/delivery_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "wire/notifications_document.h"
#include "wire/webhook_message.h"

namespace gpuscope::wire {
namespace {

using Json = nlohmann::ordered_json;
using model::AlertState;
using model::AlertStatus;
using model::Delivery;
using model::DeliveryState;
using testing::HasSubstr;

constexpr base::WallTime kMessageTime{std::chrono::seconds{1'780'000'000}};

model::AlertNotification message_of(double value = 91.3) {
  AlertStatus firing;
  firing.labels = {{"alertname", "Hot"}, {"gpu_index", "0"}, {"severity", "critical"}};
  firing.annotations = {{"summary", "<too> *hot* & more"}};
  firing.state = AlertState::kFiring;
  firing.active_since = kMessageTime - std::chrono::minutes{5};
  firing.fired_at = kMessageTime;
  firing.value = value;
  firing.rule = "Hot";
  firing.expression = "x > 1";
  firing.generator_url = "http://node:9555/";
  AlertStatus resolved = firing;
  resolved.labels[1].second = "1";
  resolved.state = AlertState::kResolved;
  resolved.resolved_at = kMessageTime + std::chrono::microseconds{1};
  return {.id = "1",
          .group_key = "g\"\n",
          .group_labels = {{"alertname", "Hot"}},
          .receiver = "critical",
          .time = kMessageTime,
          .alerts = {firing, resolved}};
}

TEST(DeliveryRecord, IsReadBackAsItWasWritten) {
  for (const double value : {91.3, 1e-300, -0.0, std::numeric_limits<double>::infinity()}) {
    Delivery delivery;
    delivery.key = "00000000000000000007";
    delivery.id = "1";
    delivery.group_key = "g\"\n";
    delivery.receiver = "email";
    delivery.to = "ops@example.org";
    delivery.thread = "0";
    delivery.subject = "hot \u00b0";
    delivery.state = DeliveryState::kSending;
    delivery.attempts = 3;
    delivery.error = "cannot";
    delivery.uncertain = true;
    delivery.created = kMessageTime;
    delivery.attempted = kMessageTime + std::chrono::microseconds{5};
    delivery.message = std::make_shared<model::AlertNotification>(message_of(value));
    const auto read = decode_delivery(delivery.key, encode_delivery(delivery));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(encode_delivery(*read), encode_delivery(delivery));
    EXPECT_EQ(*read->message, *delivery.message);
    EXPECT_EQ(read->attempted, delivery.attempted);
    EXPECT_TRUE(read->uncertain);
  }
}

TEST(DeliveryRecord, OfWhatIsDoneNeedsNoMessage) {
  Delivery delivery;
  delivery.state = DeliveryState::kSent;
  delivery.done = kMessageTime;
  const auto read = decode_delivery("1", encode_delivery(delivery));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->done, kMessageTime);
  delivery.state = DeliveryState::kQueued;
  EXPECT_FALSE(decode_delivery("1", encode_delivery(delivery)));
}

TEST(DeliveryRecord, IsRefusedWhereItIsDamaged) {
  Delivery delivery;
  delivery.message = std::make_shared<model::AlertNotification>(message_of());
  const std::string whole = encode_delivery(delivery);
  const Json good = Json::parse(whole);
  for (const auto& [name, value] : good.items()) {
    Json bad = good;
    bad[name] = Json::array({1});
    EXPECT_FALSE(decode_delivery("1", bad.dump())) << name;
    if (name == "attempted" || name == "done") continue;
    bad.erase(name);
    EXPECT_FALSE(decode_delivery("1", bad.dump())) << name;
  }
  for (const char* text : {"", "null", "[]", "{}", "{\"version\":1}", "\xff"}) {
    const auto read = decode_delivery("7", text);
    ASSERT_FALSE(read) << text;
    EXPECT_THAT(read.error().message, HasSubstr("cannot read the record of the message 7"));
  }
}

TEST(WebhookMessage, IsAlertmanagersVersion4) {
  std::string out;
  append_webhook_message(out, message_of(), {"webhook", "subject", "node-7", "http://n/", true});
  const Json json = Json::parse(out);
  EXPECT_EQ(json["version"], "4");
  EXPECT_EQ(json["status"], "firing");
  EXPECT_EQ(json["receiver"], "webhook");
  EXPECT_EQ(json["groupKey"], "g\"\n");
  EXPECT_EQ(json["truncatedAlerts"], 0);
  EXPECT_EQ(json["commonLabels"], (Json{{"alertname", "Hot"}, {"severity", "critical"}}));
  EXPECT_EQ(json["commonAnnotations"]["summary"], "<too> *hot* & more");
  EXPECT_EQ(json["alerts"][0]["endsAt"], "0001-01-01T00:00:00Z");
  EXPECT_EQ(json["alerts"][1]["status"], "resolved");
  EXPECT_EQ(json["alerts"][1]["endsAt"], "2026-05-28T20:26:40.000001+00:00");
  EXPECT_EQ(json["gpuscope"]["simulated"], true);
}

// As Prometheus's own library numbers it.
TEST(WebhookMessage, NumbersAlertsAsPrometheusDoes) {
  EXPECT_EQ(alert_fingerprint({}), "cbf29ce484222325");
  EXPECT_NE(alert_fingerprint({{"a", "bc"}}), alert_fingerprint({{"ab", "c"}}));
}

TEST(WebhookMessage, LeavesTextOfChatsText) {
  std::string slack;
  append_slack_message(slack, message_of(), {"slack", "s <!channel>", "node-7", "", false});
  const Json json = Json::parse(slack);
  EXPECT_EQ(json["text"], "s &lt;!channel&gt;");
  EXPECT_EQ(json["attachments"][0]["title"], "&lt;too&gt; *hot* &amp; more");
  EXPECT_EQ(json["attachments"][1]["color"], "#2e7d32");
  std::string teams;
  append_teams_message(teams, message_of(), {"teams", "[x](y)", "node-7", "http://n/", true});
  const Json card = Json::parse(teams)["attachments"][0]["content"];
  EXPECT_EQ(card["body"][0]["text"], "\\[x\\](y)");
  EXPECT_EQ(card["actions"][0]["url"], "http://n/");
}

TEST(AlertTexts, AreForPeople) {
  EXPECT_EQ(alert_value_text(91), "91");
  EXPECT_EQ(alert_value_text(91.34567891), "91.3457");
  EXPECT_EQ(alert_value_text(std::nan("")), "no value");
  EXPECT_EQ(alert_value_text(1'234'567), "1234567");
  EXPECT_EQ(alert_time_text(kMessageTime), "2026-05-28 20:26:40 UTC");
}

TEST(NotificationsDocument, SaysWhatThereIs) {
  Notifications all;
  all.receivers.push_back({.name = "email",
                           .server = "smtp://m:25",
                           .severities = "info",
                           .error = "cannot",
                           .queued = 1});
  all.deliveries.emplace_back();
  all.deliveries[0].key = "1";
  std::string out;
  append_notifications(out, all);
  const Json json = Json::parse(out);
  EXPECT_EQ(json["receivers"][0]["state"], "failing");
  EXPECT_EQ(json["notifications"][0]["state"], "queued");
  EXPECT_EQ(json["notifications"][0]["to"], nullptr);
  EXPECT_EQ(json["store_error"], nullptr);
}

}  // namespace
}  // namespace gpuscope::wire
