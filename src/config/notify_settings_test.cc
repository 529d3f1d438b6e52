#include "config/notify_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <variant>

namespace gpuscope::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Values given(const std::map<std::string, std::string>& flags) {
  auto values = settings_from_flags(notify_settings_table(), flags);
  EXPECT_TRUE(values) << values.error().message;
  return values ? *values : Values{};
}

std::string refusal(const std::map<std::string, std::string>& flags) {
  const auto values = settings_from_flags(notify_settings_table(), flags);
  if (!values) return values.error().message;
  const auto settings = notify_from(*values);
  return settings ? "" : settings.error().message;
}

const std::map<std::string, std::string> kMail{
    {"smtp-host", "mail.example.org"},
    {"smtp-from", "GPU alerts <gpus@example.org>"},
    {"email-to", "ops@example.org, me@example.org"},
};
std::map<std::string, std::string> mail_and(const std::map<std::string, std::string>& more) {
  auto all = kMail;
  for (const auto& [flag, text] : more) all[flag] = text;
  return all;
}

TEST(NotifySettings, TellNobodyWithoutAWordFromAnybody) {
  const auto settings = notify_from({});
  ASSERT_TRUE(settings);
  EXPECT_TRUE(settings->options.receivers.empty());
  EXPECT_TRUE(settings->options.alertmanager.urls.empty());
}

TEST(NotifySettings, SendMailToWhomASeverityConcerns) {
  const auto settings = notify_from(given(mail_and(
      {{"email-to-emergency", "boss@example.org"}, {"email-severities", "critical,emergency"}})));
  ASSERT_TRUE(settings) << settings.error().message;
  ASSERT_EQ(settings->options.receivers.size(), 1U);
  const notify::Receiver& receiver = settings->options.receivers[0];
  EXPECT_EQ(receiver.name, "email");
  EXPECT_THAT(receiver.severities, ElementsAre("critical", "emergency"));
  const auto& email = std::get<notify::EmailOptions>(receiver.how);
  EXPECT_EQ(email.host, "mail.example.org");
  EXPECT_EQ(email.port, 587);
  EXPECT_EQ(email.tls, notify::Tls::kStartTls);
  EXPECT_EQ(email.from, "gpus@example.org");
  EXPECT_EQ(email.from_name, "GPU alerts");
  EXPECT_THAT(email.to.at("critical"), ElementsAre("ops@example.org", "me@example.org"));
  EXPECT_THAT(email.to.at("emergency"), ElementsAre("boss@example.org"));
}

TEST(NotifySettings, KnowThePortThatIsTlsFromTheFirstByte) {
  const auto tls = [](const std::map<std::string, std::string>& more) {
    return std::get<notify::EmailOptions>(
               notify_from(given(mail_and(more)))->options.receivers.at(0).how)
        .tls;
  };
  EXPECT_EQ(tls({{"smtp-host", "mail.example.org:465"}}), notify::Tls::kTls);
  EXPECT_EQ(tls({{"smtp-host", "[::1]:25"}, {"smtp-tls", "none"}}), notify::Tls::kNone);
}

TEST(NotifySettings, KnowWebhooksChatsAndAlertmanagers) {
  const auto settings = notify_from(given({{"webhook-url", "https://hooks.example.org/x"},
                                           {"webhook-format", "slack"},
                                           {"webhook-token", "t"},
                                           {"webhook-headers", "X-Team: gpus"},
                                           {"slack-url-file", "/run/slack"},
                                           {"teams-url", "https://teams.example.org/secret"},
                                           {"teams-severities", "none"},
                                           {"alertmanager-url", "http://a:9093/, http://b:9093"},
                                           {"alertmanager-interval", "30s"},
                                           {"notify-give-up", "2h"}}));
  ASSERT_TRUE(settings) << settings.error().message;
  const auto& receivers = settings->options.receivers;
  ASSERT_EQ(receivers.size(), 3U);
  const auto& webhook = std::get<notify::WebhookOptions>(receivers[0].how);
  EXPECT_EQ(webhook.format, notify::WebhookFormat::kSlack);
  EXPECT_EQ(webhook.token.text, "t");
  EXPECT_EQ(std::get<notify::WebhookOptions>(receivers[1].how).url.file, "/run/slack");
  EXPECT_EQ(std::get<notify::WebhookOptions>(receivers[2].how).format,
            notify::WebhookFormat::kTeams);
  EXPECT_TRUE(receivers[2].severities.empty());
  EXPECT_THAT(settings->options.alertmanager.urls, ElementsAre("http://a:9093", "http://b:9093"));
  EXPECT_EQ(settings->options.alertmanager.interval, std::chrono::seconds{30});
  EXPECT_EQ(settings->options.retry.give_up, std::chrono::hours{2});
}

TEST(NotifySettings, SayWhatIsMissing) {
  EXPECT_THAT(refusal({{"email-to", "a@b"}}), HasSubstr("give SMTP_HOST"));
  EXPECT_THAT(refusal({{"smtp-host", "m:25"}, {"smtp-from", "a@b"}}), HasSubstr("give EMAIL_TO"));
  EXPECT_THAT(refusal({{"smtp-host", "m:25"}, {"email-to", "a@b"}}), HasSubstr("give SMTP_FROM"));
  EXPECT_THAT(refusal(mail_and({{"smtp-user", "u"}})), HasSubstr("give both or none"));
  EXPECT_THAT(refusal(mail_and({{"smtp-password", "p"}})), HasSubstr("give both or none"));
  EXPECT_THAT(
      refusal(mail_and({{"smtp-user", "u"}, {"smtp-password", "p"}, {"smtp-password-file", "f"}})),
      HasSubstr("together: give one of them"));
}

TEST(NotifySettings, RefuseWhatMakesNoSense) {
  const std::map<std::string, std::string> wrong{{"smtp-host", "mail.example.org:0"},
                                                 {"smtp-from", "nobody"},
                                                 {"smtp-tls", "yes"},
                                                 {"email-to", "ops@example.org\r\nBcc: x@y"},
                                                 {"email-to-info", "a@b,,c@d"},
                                                 {"email-severities", "critical,bad"},
                                                 {"webhook-format", "xml"},
                                                 {"alertmanager-url", "http://a:9093,b"},
                                                 {"alertmanager-interval", "1s"},
                                                 {"notify-give-up", "1s"},
                                                 {"webhook-headers", "no colon"},
                                                 {"external-url", "node-7:9555"}};
  for (const auto& [flag, text] : wrong) {
    EXPECT_NE(refusal({{flag, text}}), "") << flag;
    EXPECT_THAT(refusal({{flag, text}}), HasSubstr(flag)) << flag;
  }
  EXPECT_THAT(refusal({{"slack-url", "hunter2"}}), testing::Not(HasSubstr("hunter2")));
}

TEST(NotifySettings, AreSecretWhereTheyHoldSecrets) {
  for (const Setting& row : notify_settings_table()) {
    const bool expected = row.flag == "smtp-password" || row.flag == "webhook-url" ||
                          row.flag == "webhook-token" || row.flag == "webhook-headers" ||
                          row.flag == "slack-url" || row.flag == "teams-url";
    EXPECT_EQ(row.secret, expected) << row.flag;
  }
}

}  // namespace
}  // namespace gpuscope::config
