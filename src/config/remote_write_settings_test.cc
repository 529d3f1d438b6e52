#include "config/remote_write_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "config/settings_testing.h"

namespace gpuscope::config {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(RemoteWriteSettings, AreOffByDefault) {
  const auto settings = load_agent({});
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->remote_write.url, "");
  EXPECT_EQ(settings->remote_write.interval.count(), 0);
}

TEST(RemoteWriteSettings, BecomeOptions) {
  const auto settings = load_agent({{"remote-write-url", "https://h/api/v1/write"},
                                    {"remote-write-interval", "15s"},
                                    {"remote-write-from", "start"},
                                    {"remote-write-labels", "rack = 7, cluster=a b ,job="},
                                    {"remote-write-user", "me"},
                                    {"remote-write-password-file", "/p"},
                                    {"remote-write-headers", "X-One: 1\n\nX-Two:2"},
                                    {"remote-write-ca-file", "/ca"}});
  ASSERT_TRUE(settings) << settings.error().message;
  const prom::RemoteWriteOptions& options = settings->remote_write;
  EXPECT_EQ(options.url, "https://h/api/v1/write");
  EXPECT_EQ(options.interval, std::chrono::seconds{15});
  EXPECT_TRUE(options.from_start);
  EXPECT_EQ(options.labels, (std::vector<std::pair<std::string, std::string>>{
                                {"cluster", "a b"}, {"job", ""}, {"rack", "7"}}));
  EXPECT_EQ(options.credentials.user, "me");
  EXPECT_EQ(options.credentials.password.file, "/p");
  EXPECT_EQ(options.credentials.headers.text, "X-One: 1\n\nX-Two:2");
  EXPECT_FALSE(options.credentials.token.is_given());
  EXPECT_EQ(options.ca_file, "/ca");
}

TEST(RemoteWriteSettings, AreCheckedOneByOne) {
  const std::pair<const char*, const char*> table[] = {
      {"remote-write-url", "prometheus:9090"},
      {"remote-write-url", "http://me:pass@h/"},
      {"remote-write-interval", "50ms"},
      {"remote-write-interval", "2h"},
      {"remote-write-from", "yesterday"},
      {"remote-write-labels", "a"},
      {"remote-write-labels", "a=1,,b=2"},
      {"remote-write-labels", "1a=1"},
      {"remote-write-labels", "a=1,a=2"},
      {"remote-write-labels", "__name__=x"},
      {"remote-write-labels", "a-b=1"},
      {"remote-write-headers", "no colon here"},
      {"remote-write-headers", ": no name"},
      {"remote-write-password", ""},
      {"remote-write-token", ""},
  };
  for (const auto& [flag, value] : table) {
    const auto settings = load_agent({{flag, value}});
    ASSERT_FALSE(settings) << flag << "=" << value;
    EXPECT_THAT(settings.error().message, HasSubstr(std::string("cannot use --") + flag));
    EXPECT_THAT(settings.error().message, Not(HasSubstr("me:pass")));
    EXPECT_THAT(settings.error().message, Not(HasSubstr("no colon here")));
  }
}

TEST(RemoteWriteSettings, AreCheckedTogether) {
  using Flags = std::map<std::string, std::string>;
  const std::pair<Flags, const char*> table[] = {
      {{{"remote-write-password", "a"}}, "without a user"},
      {{{"remote-write-password-file", "a"}}, "without a user"},
      {{{"remote-write-user", "a"}, {"remote-write-token", "b"}}, "give one of them"},
      {{{"remote-write-user", "a"}, {"remote-write-token-file", "b"}}, "give one of them"},
      {{{"remote-write-token", "a"}, {"remote-write-token-file", "b"}}, "give one of them"},
      {{{"remote-write-headers", "a: b"}, {"remote-write-headers-file", "b"}}, "give one of them"},
      {{{"remote-write-url", "http://h/"}, {"history", "off"}}, "its queue is the history"},
  };
  for (const auto& [flags, message] : table) {
    const auto settings = load_agent(flags);
    ASSERT_FALSE(settings) << message;
    EXPECT_THAT(settings.error().message, HasSubstr(message));
  }
}

TEST(AgentSettings, AreSecretWhereTheyHoldSecrets) {
  constexpr std::array<std::string_view, 10> kSecrets{"remote-write-password",
                                                      "remote-write-token",
                                                      "remote-write-headers",
                                                      "smtp-password",
                                                      "webhook-url",
                                                      "webhook-token",
                                                      "webhook-headers",
                                                      "slack-url",
                                                      "teams-url",
                                                      "ai-api-key"};
  for (const Setting& row : agent_settings_table()) {
    EXPECT_EQ(row.secret, std::ranges::find(kSecrets, row.flag) != kSecrets.end()) << row.flag;
  }
}

}  // namespace
}  // namespace gpuscope::config
