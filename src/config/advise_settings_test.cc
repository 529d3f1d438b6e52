#include "config/advise_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace gpuscope::config {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Values values_of(const std::string& yaml) {
  auto file = parse_settings(advise_settings_table(), "fleet.yaml", yaml);
  EXPECT_THAT(file.mistakes, IsEmpty());
  return std::move(file.values);
}

TEST(AdviseSettings, HasTheDefaultsThatPeopleRelyOn) {
  const auto options = advise_from({});
  ASSERT_TRUE(options);
  EXPECT_FALSE(options->enabled);
  EXPECT_EQ(options->ask, advise::Ask::kUnsure);
  EXPECT_EQ(options->chat.model, "gpt-4");
  EXPECT_EQ(options->chat.max_tokens, 2000);
  EXPECT_EQ(options->chat.attempts, 3);
  EXPECT_EQ(options->chat.retry_delay, seconds{2});
  EXPECT_EQ(options->chat.timeout, seconds{30});
  EXPECT_EQ(options->chat.threshold, 0.7);
  const auto control = control_from({}, seconds{300});
  ASSERT_TRUE(control);
  EXPECT_FALSE(control->enabled);
  EXPECT_EQ(control->timeout, seconds{5});
  EXPECT_EQ(control->cool_down, seconds{240});
}

TEST(AdviseSettings, TakesEverySetting) {
  const auto options = advise_from(values_of(R"(ai:
  enabled: true
  api_url: http://llm:8000/v1/chat/completions
  api_key_file: /run/key
  ca_file: /etc/ca.pem
  model: qwen
  max_tokens: 900
  retry_times: 2
  retry_delay: 0.5
  timeout: 60
  threshold: 0.85
  ask: all
  language: Deutsch
  names: false
  keep: 90m
  max_requests_per_hour: 5
  max_tokens_per_hour: 1500000000
  max_cost_per_hour: 1.5
  price_prompt: 2.5
  price_answer: 10
)"));
  ASSERT_TRUE(options) << options.error().message;
  const advise::ChatOptions& chat = options->chat;
  EXPECT_TRUE(options->enabled);
  EXPECT_EQ(options->ask, advise::Ask::kAll);
  EXPECT_EQ(chat.url, "http://llm:8000/v1/chat/completions");
  EXPECT_EQ(chat.api_key_file, "/run/key");
  EXPECT_EQ(chat.ca_file, "/etc/ca.pem");
  EXPECT_EQ(chat.model, "qwen");
  EXPECT_EQ(chat.max_tokens, 900);
  EXPECT_EQ(chat.attempts, 2);
  EXPECT_EQ(chat.retry_delay, milliseconds{500});
  EXPECT_EQ(chat.timeout, seconds{60});
  EXPECT_EQ(chat.threshold, 0.85);
  EXPECT_EQ(chat.language, "Deutsch");
  EXPECT_FALSE(chat.names);
  EXPECT_EQ(chat.keep, std::chrono::minutes{90});
  EXPECT_EQ(chat.limits.requests, 5U);
  EXPECT_EQ(chat.limits.tokens, 1'500'000'000U);
  EXPECT_EQ(chat.limits.cost, 1.5);
  EXPECT_EQ(chat.prices.prompt, 2.5);
  EXPECT_EQ(chat.prices.answer, 10);
  const auto control = control_from(values_of(R"(control:
  enabled: yes
  api_url: http://c/act
  timeout: 2.5
  dry_run: true
  max_per_run: 7
  cool_down: 1h
)"),
                                    seconds{300});
  ASSERT_TRUE(control);
  EXPECT_TRUE(control->enabled && control->dry_run);
  EXPECT_EQ(control->url, "http://c/act");
  EXPECT_EQ(control->timeout, milliseconds{2500});
  EXPECT_EQ(control->most_per_run, 7U);
  EXPECT_EQ(control->cool_down, seconds{3600});
}

TEST(AdviseSettings, RefusesWhatCannotBeUsedByItsName) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"AI_ENABLED", "maybe"},      {"AI_API_URL", "llm:8000"},     {"AI_THRESHOLD", "1.1"},
      {"AI_THRESHOLD", "high"},     {"AI_MAX_TOKENS", "0"},         {"AI_MAX_TOKENS", "1.5"},
      {"AI_RETRY_TIMES", "eleven"}, {"AI_RETRY_DELAY", "-1"},       {"AI_ASK", "some"},
      {"AI_KEEP", "25h"},           {"CONTROL_API", "ftp://x"},     {"CONTROL_TIMEOUT", "0"},
      {"AI_LANGUAGE", "a\nb"},      {"AI_PRICE_PROMPT", "nan"},     {"CONTROL_MAX_PER_RUN", "0"},
      {"CONTROL_COOL_DOWN", "5"},   {"AI_MAX_COST_PER_HOUR", "1e9"}};
  for (const auto& [name, value] : cases) {
    const auto given = settings_from_environment(
        advise_settings_table(), [&](const std::string& asked) -> std::optional<std::string> {
          if (asked == name) return value;
          return std::nullopt;
        });
    ASSERT_FALSE(given) << name << "=" << value;
    EXPECT_THAT(given.error().message, HasSubstr(name)) << value;
  }
}

TEST(AdviseSettings, RefusesWhatDoesNotGoTogether) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"ai: {enabled: true}", "AI_API_URL takes"},
      {"ai: {api_key: sk-1, api_key_file: /k}", "give one of them"},
      {"ai: {max_cost_per_hour: 1}", "AI_PRICE_PROMPT"}};
  for (const auto& [yaml, wrong] : cases) {
    const auto options = advise_from(values_of(yaml));
    ASSERT_FALSE(options) << yaml;
    EXPECT_THAT(options.error().message, HasSubstr(wrong));
    EXPECT_THAT(options.error().message, HasSubstr("fleet.yaml:1"));
  }
  const auto control = control_from(values_of("control: {enabled: true}"), seconds{300});
  ASSERT_FALSE(control);
  EXPECT_THAT(control.error().message, HasSubstr("CONTROL_API takes"));
}

TEST(AdviseSettings, DoesNotRepeatTheKey) {
  for (const Setting& row : advise_settings_table()) {
    EXPECT_EQ(row.secret, row.flag == "ai-api-key") << row.flag;
    EXPECT_FALSE(row.env.empty() || row.key.empty()) << row.flag;
  }
}

}  // namespace
}  // namespace gpuscope::config
