#include "config/advise_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "base/duration.h"
#include "base/text.h"
#include "config/setting_value.h"

namespace gpuscope::config {
namespace {

using base::ErrorKind;
using base::fail;
using std::chrono::milliseconds;
using std::chrono::seconds;

std::optional<bool> parse_any_switch(std::string_view text) {
  constexpr std::array<std::string_view, 4> kOn{"true", "on", "yes", "1"};
  constexpr std::array<std::string_view, 4> kOff{"false", "off", "no", "0"};
  const std::string word = base::lower(text);
  if (std::ranges::find(kOn, word) != kOn.end()) return true;
  if (std::ranges::find(kOff, word) != kOff.end()) return false;
  return std::nullopt;
}

std::string check_line(const Setting& row, std::string_view value) {
  const bool one_line =
      std::ranges::none_of(value, [](char c) { return static_cast<unsigned char>(c) < ' '; });
  return value.empty() || !one_line ? is_not(row, value) : "";
}

std::optional<advise::Ask> parse_ask(std::string_view text) {
  if (text == "all") return advise::Ask::kAll;
  if (text == "unsure") return advise::Ask::kUnsure;
  if (text == "none") return advise::Ask::kNone;
  return std::nullopt;
}

std::optional<seconds> parse_span(std::string_view text) {
  constexpr std::chrono::hours kMost{24};  // what pauses may be kept for
  const auto parsed = base::parse_duration(text);
  if (!parsed || *parsed > kMost) return std::nullopt;
  return std::chrono::floor<seconds>(*parsed);
}

constexpr int kMillion = 1'000'000;
constexpr std::string_view kSwitch = "true or false";
constexpr std::string_view kSpan = "a duration up to 24h, such as 6h";
constexpr std::string_view kSeconds = "seconds from 1 to 600, such as 5";
constexpr std::string_view kAmount = "a number from 0 to 1000000; 0: no limit";
constexpr std::string_view kPrice = "a number from 0 to 1000000";

constexpr auto kAdviseTable = std::to_array<Setting>({
    {"ai-enabled", "ai.enabled", "AI_ENABLED", "WHETHER", kSwitch, "false",
     "whether a chat model is asked for second opinions", check_by<parse_any_switch>},
    {"ai-api-url", "ai.api_url", "AI_API_URL", "URL",
     "the full address of requests, such as https://api.openai.com/v1/chat/completions or "
     "https://api.anthropic.com/v1/messages",
     "", "where the chat model is asked", check_url},
    {"ai-api-key", "ai.api_key", "AI_API_KEY", "TEXT", "a key", "",
     "the key for the chat model; better in a file", check_secret, false, true},
    {"ai-api-key-file", "ai.api_key_file", "AI_API_KEY_FILE", "FILE", "the name of a file", "",
     "the file with the key; read again for every run", check_line},
    {"ai-ca-file", "ai.ca_file", "AI_CA_FILE", "FILE", "the name of a PEM file",
     "those that the system trusts", "who may vouch for the chat model's server", check_line},
    {"ai-model", "ai.model", "AI_MODEL", "NAME", "a name", "gpt-4", "which model is asked",
     check_line},
    {"ai-max-tokens", "ai.max_tokens", "AI_MAX_TOKENS", "N", "a whole number from 1 to 1000000",
     "2000", "how long an answer may be; about 250 tokens are for each GPU",
     check_number<1, kMillion>},
    {"ai-retry-times", "ai.retry_times", "AI_RETRY_TIMES", "N", "a whole number from 1 to 10", "3",
     "how often a question is asked, the first time included", check_number<1, 10>},
    {"ai-retry-delay", "ai.retry_delay", "AI_RETRY_DELAY", "SECONDS", "seconds from 0 to 600",
     "2.0", "how long it waits before the second attempt; twice as long before each further one",
     check_number<0.0, 600.0>},
    {"ai-timeout", "ai.timeout", "AI_TIMEOUT", "SECONDS", kSeconds, "30",
     "how long an answer may take", check_number<1.0, 600.0>},
    {"ai-threshold", "ai.threshold", "AI_THRESHOLD", "CONFIDENCE", "a number from 0 to 1", "0.7",
     "how sure an opinion must be to adjust a score", check_number<0.0, 1.0>},
    {"ai-ask", "ai.ask", "AI_ASK", "WHOM", "one of all, unsure, none", "unsure",
     "which GPUs the model is asked about: unsure are those that rules leave open",
     check_by<parse_ask>},
    {"ai-language", "ai.language", "AI_LANGUAGE", "LANGUAGE", "the name of a language", "English",
     "the language of the model's reasons", check_line},
    {"ai-names", "ai.names", "AI_NAMES", "WHETHER", kSwitch, "true",
     "whether the model is told the names of pods, namespaces and hosts",
     check_by<parse_any_switch>},
    {"ai-keep", "ai.keep", "AI_KEEP", "DURATION", kSpan, "6h",
     "how long an opinion serves while its evidence does not change", check_by<parse_span>},
    {"ai-max-requests-per-hour", "ai.max_requests_per_hour", "AI_MAX_REQUESTS_PER_HOUR", "N",
     "a whole number from 0 to 1000000; 0: no limit", "600", "how many requests an hour may have",
     check_number<0, kMillion>},
    {"ai-max-tokens-per-hour", "ai.max_tokens_per_hour", "AI_MAX_TOKENS_PER_HOUR", "N",
     "a whole number from 0 to 2000000000; 0: no limit", "2000000",
     "how many tokens, of prompts and answers, an hour may have", check_number<0, 2000 * kMillion>},
    {"ai-max-cost-per-hour", "ai.max_cost_per_hour", "AI_MAX_COST_PER_HOUR", "AMOUNT", kAmount, "0",
     "what an hour may cost, by the prices below", check_number<0.0, kMillion * 1.0>},
    {"ai-price-prompt", "ai.price_prompt", "AI_PRICE_PROMPT", "AMOUNT", kPrice, "0",
     "what a million tokens of prompts cost", check_number<0.0, kMillion * 1.0>},
    {"ai-price-answer", "ai.price_answer", "AI_PRICE_ANSWER", "AMOUNT", kPrice, "0",
     "what a million tokens of answers cost", check_number<0.0, kMillion * 1.0>},
    {"control-enabled", "control.enabled", "CONTROL_API_ENABLED", "WHETHER", kSwitch, "false",
     "whether a control service is called for GPUs that are used little",
     check_by<parse_any_switch>},
    {"control-api-url", "control.api_url", "CONTROL_API", "URL",
     "a URL such as http://control:8000/gpus", "", "where the control service is called",
     check_url},
    {"control-timeout", "control.timeout", "CONTROL_TIMEOUT", "SECONDS", kSeconds, "5",
     "how long a call may take", check_number<1.0, 600.0>},
    {"control-dry-run", "control.dry_run", "CONTROL_DRY_RUN", "WHETHER", kSwitch, "false",
     "whether calls are only written down", check_by<parse_any_switch>},
    {"control-max-per-run", "control.max_per_run", "CONTROL_MAX_PER_RUN", "N",
     "a whole number from 1 to 1000000", "100", "how many calls a run may make",
     check_number<1, kMillion>},
    {"control-cool-down", "control.cool_down", "CONTROL_COOL_DOWN", "DURATION", kSpan,
     "four fifths of the interval", "how long nobody is called for again", check_by<parse_span>},
});

void take_seconds(const Values& values, std::string_view flag, milliseconds& to) {
  double given = std::chrono::duration<double>(to).count();
  take_number(values, flag, given);
  to = milliseconds{std::llround(given * 1000)};
}

// Where a setting is that must be there, too.
std::string place_of(const Values& values, std::string_view flag) { return values.at(flag).origin; }

}  // namespace

std::span<const Setting> advise_settings_table() { return kAdviseTable; }

base::Result<advise::Options> advise_from(const Values& values) {
  advise::Options options;
  advise::ChatOptions& chat = options.chat;
  take(values, "ai-enabled", options.enabled, parse_any_switch);
  take(values, "ai-api-url", chat.url);
  take(values, "ai-api-key", chat.api_key);
  take(values, "ai-api-key-file", chat.api_key_file);
  take(values, "ai-ca-file", chat.ca_file);
  take(values, "ai-model", chat.model);
  take(values, "ai-language", chat.language);
  take(values, "ai-names", chat.names, parse_any_switch);
  take_number(values, "ai-max-tokens", chat.max_tokens);
  take_number(values, "ai-retry-times", chat.attempts);
  take_seconds(values, "ai-retry-delay", chat.retry_delay);
  take_seconds(values, "ai-timeout", chat.timeout);
  take_number(values, "ai-threshold", chat.threshold);
  take_number(values, "ai-max-requests-per-hour", chat.limits.requests);
  take_number(values, "ai-max-tokens-per-hour", chat.limits.tokens);
  take_number(values, "ai-max-cost-per-hour", chat.limits.cost);
  take_number(values, "ai-price-prompt", chat.prices.prompt);
  take_number(values, "ai-price-answer", chat.prices.answer);
  take(values, "ai-keep", chat.keep, parse_span);
  take(values, "ai-ask", options.ask, parse_ask);
  if (options.enabled && chat.url.empty()) {
    return fail(ErrorKind::kInvalidArgument,
                fmt::format("cannot use {}: no chat model is named; AI_API_URL takes the full "
                            "address of requests, such as "
                            "https://api.openai.com/v1/chat/completions",
                            place_of(values, "ai-enabled")));
  }
  constexpr std::array<std::pair<std::string_view, std::string_view>, 1> kEither{
      {{"ai-api-key", "ai-api-key-file"}}};
  if (auto refused = refuse_both(values, kEither); !refused) {
    return std::unexpected(std::move(refused.error()));
  }
  if (chat.limits.cost > 0 && chat.prices.prompt <= 0 && chat.prices.answer <= 0) {
    return fail(ErrorKind::kInvalidArgument,
                fmt::format("cannot use {} without prices; give AI_PRICE_PROMPT and "
                            "AI_PRICE_ANSWER",
                            place_of(values, "ai-max-cost-per-hour")));
  }
  return options;
}

base::Result<act::Options> control_from(const Values& values, seconds interval) {
  act::Options options;
  take(values, "control-enabled", options.enabled, parse_any_switch);
  take(values, "control-api-url", options.url);
  take(values, "control-dry-run", options.dry_run, parse_any_switch);
  take_seconds(values, "control-timeout", options.timeout);
  take_number(values, "control-max-per-run", options.most_per_run);
  options.cool_down = interval * 4 / 5;
  take(values, "control-cool-down", options.cool_down, parse_span);
  if (options.enabled && options.url.empty()) {
    return fail(ErrorKind::kInvalidArgument,
                fmt::format("cannot use {}: no control service is named; CONTROL_API takes a URL "
                            "such as http://control:8000/gpus",
                            place_of(values, "control-enabled")));
  }
  return options;
}

}  // namespace gpuscope::config
