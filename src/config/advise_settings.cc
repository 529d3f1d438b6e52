#include "config/advise_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "base/duration.h"
#include "base/text.h"
#include "base/web_url.h"

namespace gpuscope::config {
namespace {

using base::ErrorKind;
using base::fail;
using std::chrono::milliseconds;
using std::chrono::seconds;

// All of `text` is a number from `least` to `most`.
std::optional<double> number(std::string_view text, double least, double most) {
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc{} || end != text.data() + text.size() || !(value >= least) ||
      !(value <= most)) {
    return std::nullopt;
  }
  return value;
}

template <int kLeast, int kMost>
std::string check_number(const Setting& row, std::string_view value) {
  return number(value, kLeast, kMost) ? "" : is_not(row, value);
}

template <int kLeast, int kMost>
std::string check_whole(const Setting& row, std::string_view value) {
  const auto given = number(value, kLeast, kMost);
  return given && *given == std::floor(*given) && value.find('.') == std::string_view::npos
             ? ""
             : is_not(row, value);
}

std::optional<bool> parse_switch(std::string_view text) {
  constexpr std::array<std::string_view, 4> kOn{"true", "on", "yes", "1"};
  constexpr std::array<std::string_view, 4> kOff{"false", "off", "no", "0"};
  const std::string word = base::lower(text);
  if (std::ranges::find(kOn, word) != kOn.end()) return true;
  if (std::ranges::find(kOff, word) != kOff.end()) return false;
  return std::nullopt;
}

std::string check_switch(const Setting& row, std::string_view value) {
  return parse_switch(value) ? "" : is_not(row, value);
}

std::string check_url(const Setting&, std::string_view value) { return base::check_web_url(value); }

std::string check_text(const Setting& row, std::string_view value) {
  const bool one_line =
      std::ranges::none_of(value, [](char c) { return static_cast<unsigned char>(c) < ' '; });
  return value.empty() || !one_line ? is_not(row, value) : "";
}

std::string check_key(const Setting& row, std::string_view value) {
  return value.empty() ? fmt::format("it is not {}", row.takes) : "";
}

std::string check_ask(const Setting& row, std::string_view value) {
  return value == "all" || value == "unsure" || value == "none" ? "" : is_not(row, value);
}

std::optional<seconds> parse_span(std::string_view text) {
  constexpr std::chrono::hours kMost{24};  // what pauses may be kept for
  const auto parsed = base::parse_duration(text);
  if (!parsed || *parsed > kMost) return std::nullopt;
  return std::chrono::floor<seconds>(*parsed);
}

std::string check_span(const Setting& row, std::string_view value) {
  return parse_span(value) ? "" : is_not(row, value);
}

constexpr int kMillion = 1'000'000;
constexpr std::string_view kSwitch = "true or false";
constexpr std::string_view kSpan = "a duration up to 24h, such as 6h";
constexpr std::string_view kSeconds = "seconds from 1 to 600, such as 5";
constexpr std::string_view kAmount = "a number from 0 to 1000000; 0: no limit";
constexpr std::string_view kPrice = "a number from 0 to 1000000";

constexpr auto kTable = std::to_array<Setting>({
    {"ai-enabled", "ai.enabled", "AI_ENABLED", "WHETHER", kSwitch, "false",
     "whether a chat model is asked for second opinions", check_switch},
    {"ai-api-url", "ai.api_url", "AI_API_URL", "URL",
     "the full address of requests, such as https://api.openai.com/v1/chat/completions or "
     "https://api.anthropic.com/v1/messages",
     "", "where the chat model is asked", check_url},
    {"ai-api-key", "ai.api_key", "AI_API_KEY", "TEXT", "a key", "",
     "the key for the chat model; better in a file", check_key, false, true},
    {"ai-api-key-file", "ai.api_key_file", "AI_API_KEY_FILE", "FILE", "the name of a file", "",
     "the file with the key; read again for every run", check_text},
    {"ai-ca-file", "ai.ca_file", "AI_CA_FILE", "FILE", "the name of a PEM file",
     "those that the system trusts", "who may vouch for the chat model's server", check_text},
    {"ai-model", "ai.model", "AI_MODEL", "NAME", "a name", "gpt-4", "which model is asked",
     check_text},
    {"ai-max-tokens", "ai.max_tokens", "AI_MAX_TOKENS", "N", "a whole number from 1 to 1000000",
     "2000", "how long an answer may be; about 250 tokens are for each GPU",
     check_whole<1, kMillion>},
    {"ai-retry-times", "ai.retry_times", "AI_RETRY_TIMES", "N", "a whole number from 1 to 10", "3",
     "how often a question is asked, the first time included", check_whole<1, 10>},
    {"ai-retry-delay", "ai.retry_delay", "AI_RETRY_DELAY", "SECONDS", "seconds from 0 to 600",
     "2.0", "how long it waits before the second attempt; twice as long before each further one",
     check_number<0, 600>},
    {"ai-timeout", "ai.timeout", "AI_TIMEOUT", "SECONDS", kSeconds, "30",
     "how long an answer may take", check_number<1, 600>},
    {"ai-threshold", "ai.threshold", "AI_THRESHOLD", "CONFIDENCE", "a number from 0 to 1", "0.7",
     "how sure an opinion must be to adjust a score", check_number<0, 1>},
    {"ai-ask", "ai.ask", "AI_ASK", "WHOM", "one of all, unsure, none", "unsure",
     "which GPUs the model is asked about: unsure are those that rules leave open", check_ask},
    {"ai-language", "ai.language", "AI_LANGUAGE", "LANGUAGE", "the name of a language", "English",
     "the language of the model's reasons", check_text},
    {"ai-names", "ai.names", "AI_NAMES", "WHETHER", kSwitch, "true",
     "whether the model is told the names of pods, namespaces and hosts", check_switch},
    {"ai-keep", "ai.keep", "AI_KEEP", "DURATION", kSpan, "6h",
     "how long an opinion serves while its evidence does not change", check_span},
    {"ai-max-requests-per-hour", "ai.max_requests_per_hour", "AI_MAX_REQUESTS_PER_HOUR", "N",
     "a whole number from 0 to 1000000; 0: no limit", "600", "how many requests an hour may have",
     check_whole<0, kMillion>},
    {"ai-max-tokens-per-hour", "ai.max_tokens_per_hour", "AI_MAX_TOKENS_PER_HOUR", "N",
     "a whole number from 0 to 2000000000; 0: no limit", "2000000",
     "how many tokens, of prompts and answers, an hour may have", check_whole<0, 2000 * kMillion>},
    {"ai-max-cost-per-hour", "ai.max_cost_per_hour", "AI_MAX_COST_PER_HOUR", "AMOUNT", kAmount, "0",
     "what an hour may cost, by the prices below", check_number<0, kMillion>},
    {"ai-price-prompt", "ai.price_prompt", "AI_PRICE_PROMPT", "AMOUNT", kPrice, "0",
     "what a million tokens of prompts cost", check_number<0, kMillion>},
    {"ai-price-answer", "ai.price_answer", "AI_PRICE_ANSWER", "AMOUNT", kPrice, "0",
     "what a million tokens of answers cost", check_number<0, kMillion>},
    {"control-enabled", "control.enabled", "CONTROL_API_ENABLED", "WHETHER", kSwitch, "false",
     "whether a control service is called for GPUs that are used little", check_switch},
    {"control-api-url", "control.api_url", "CONTROL_API", "URL",
     "a URL such as http://control:8000/gpus", "", "where the control service is called",
     check_url},
    {"control-timeout", "control.timeout", "CONTROL_TIMEOUT", "SECONDS", kSeconds, "5",
     "how long a call may take", check_number<1, 600>},
    {"control-dry-run", "control.dry_run", "CONTROL_DRY_RUN", "WHETHER", kSwitch, "false",
     "whether calls are only written down", check_switch},
    {"control-max-per-run", "control.max_per_run", "CONTROL_MAX_PER_RUN", "N",
     "a whole number from 1 to 1000000", "100", "how many calls a run may make",
     check_whole<1, kMillion>},
    {"control-cool-down", "control.cool_down", "CONTROL_COOL_DOWN", "DURATION", kSpan,
     "four fifths of the interval", "how long nobody is called for again", check_span},
});

std::optional<std::string> text_of(const Values& values, std::string_view flag) {
  const auto found = values.find(flag);
  return found == values.end() ? std::nullopt : std::optional(found->second.text);
}

void apply(const Values& values, std::string_view flag, std::string& to) {
  to = text_of(values, flag).value_or(std::move(to));
}

void apply(const Values& values, std::string_view flag, bool& to) {
  if (const auto text = text_of(values, flag)) to = parse_switch(*text).value_or(to);
}

template <typename Number>
void apply_number(const Values& values, std::string_view flag, Number& to) {
  constexpr double kAny = 1e12;
  if (const auto text = text_of(values, flag)) {
    to = static_cast<Number>(number(*text, 0, kAny).value_or(static_cast<double>(to)));
  }
}

void apply_seconds(const Values& values, std::string_view flag, milliseconds& to) {
  double given = std::chrono::duration<double>(to).count();
  apply_number(values, flag, given);
  to = milliseconds{std::llround(given * 1000)};
}

// Where a setting is that must be there, too.
std::string place_of(const Values& values, std::string_view flag) { return values.at(flag).origin; }

}  // namespace

std::span<const Setting> advise_settings_table() { return kTable; }

base::Result<advise::Options> advise_from(const Values& values) {
  advise::Options options;
  advise::ChatOptions& chat = options.chat;
  apply(values, "ai-enabled", options.enabled);
  apply(values, "ai-api-url", chat.url);
  apply(values, "ai-api-key", chat.api_key);
  apply(values, "ai-api-key-file", chat.api_key_file);
  apply(values, "ai-ca-file", chat.ca_file);
  apply(values, "ai-model", chat.model);
  apply(values, "ai-language", chat.language);
  apply(values, "ai-names", chat.names);
  apply_number(values, "ai-max-tokens", chat.max_tokens);
  apply_number(values, "ai-retry-times", chat.attempts);
  apply_seconds(values, "ai-retry-delay", chat.retry_delay);
  apply_seconds(values, "ai-timeout", chat.timeout);
  apply_number(values, "ai-threshold", chat.threshold);
  apply_number(values, "ai-max-requests-per-hour", chat.limits.requests);
  apply_number(values, "ai-max-tokens-per-hour", chat.limits.tokens);
  apply_number(values, "ai-max-cost-per-hour", chat.limits.cost);
  apply_number(values, "ai-price-prompt", chat.prices.prompt);
  apply_number(values, "ai-price-answer", chat.prices.answer);
  if (const auto text = text_of(values, "ai-keep")) {
    chat.keep = parse_span(*text).value_or(chat.keep);
  }
  if (const auto text = text_of(values, "ai-ask")) {
    options.ask = *text == "all"    ? advise::Ask::kAll
                  : *text == "none" ? advise::Ask::kNone
                                    : advise::Ask::kUnsure;
  }
  if (options.enabled && chat.url.empty()) {
    return fail(ErrorKind::kInvalidArgument,
                fmt::format("cannot use {}: no chat model is named; AI_API_URL takes the full "
                            "address of requests, such as "
                            "https://api.openai.com/v1/chat/completions",
                            place_of(values, "ai-enabled")));
  }
  if (!chat.api_key.empty() && !chat.api_key_file.empty()) {
    return fail(ErrorKind::kInvalidArgument,
                fmt::format("cannot use {} and {} together: give one of them",
                            place_of(values, "ai-api-key"), place_of(values, "ai-api-key-file")));
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
  apply(values, "control-enabled", options.enabled);
  apply(values, "control-api-url", options.url);
  apply(values, "control-dry-run", options.dry_run);
  apply_seconds(values, "control-timeout", options.timeout);
  apply_number(values, "control-max-per-run", options.most_per_run);
  options.cool_down = interval * 4 / 5;
  if (const auto text = text_of(values, "control-cool-down")) {
    options.cool_down = parse_span(*text).value_or(options.cool_down);
  }
  if (options.enabled && options.url.empty()) {
    return fail(ErrorKind::kInvalidArgument,
                fmt::format("cannot use {}: no control service is named; CONTROL_API takes a URL "
                            "such as http://control:8000/gpus",
                            place_of(values, "control-enabled")));
  }
  return options;
}

}  // namespace gpuscope::config
