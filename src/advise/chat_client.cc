#include "advise/chat_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "advise/prompt.h"
#include "base/file.h"
#include "base/web_url.h"
#include "http/web_answer.h"

namespace gpuscope::advise {
namespace {

using base::ErrorKind;
using base::Result;
using std::chrono::milliseconds;

constexpr std::size_t kMaxKeyBytes = 65'536;
constexpr std::string_view kAnthropicVersion = "2023-06-01";

std::string_view cure(int status) {
  switch (status) {
    case 401:
    case 403:
      return "; see to AI_API_KEY";
    case 404:
    case 405:
      return "; see to AI_API_URL, the full address of requests such as "
             "https://api.openai.com/v1/chat/completions, and to AI_MODEL";
    default:
      return "";
  }
}

bool is_for_later(int status) {
  constexpr std::array kLater{408, 409, 425, 429};
  return status >= 500 || std::ranges::find(kLater, status) != kLater.end();
}

}  // namespace

wire::ChatDialect dialect_of(std::string_view url) {
  const std::string_view path = url.substr(0, url.find_first_of("?#"));
  return path.ends_with("/v1/messages") ? wire::ChatDialect::kAnthropic
                                        : wire::ChatDialect::kOpenAi;
}

Result<std::string> read_api_key(const ChatOptions& options) {
  std::string key = options.api_key;
  if (!options.api_key_file.empty()) {
    auto text = base::read_file(options.api_key_file, kMaxKeyBytes);
    if (!text) return text;
    key = std::move(*text);
  }
  while (!key.empty() && (key.back() == '\n' || key.back() == '\r' || key.back() == ' ')) {
    key.pop_back();
  }
  if (std::ranges::any_of(key, [](char c) { return static_cast<unsigned char>(c) < ' '; })) {
    return base::fail(ErrorKind::kInvalidArgument,
                      "cannot use the API key: it is not one line of text");
  }
  return key;
}

std::string without_key(std::string text, std::string_view key) {
  constexpr std::size_t kShortest = 4;  // what is shorter is no secret, and in many words
  constexpr std::string_view kHidden = "[key]";
  if (key.size() < kShortest) return text;
  for (std::size_t at = text.find(key); at != std::string::npos; at = text.find(key, at)) {
    text.replace(at, key.size(), kHidden);
    at += kHidden.size();
  }
  return text;
}

Result<std::unique_ptr<ChatClient>> ChatClient::create(base::Clock& clock,
                                                       const ChatOptions& options,
                                                       ChatQuirks& quirks) {
  auto client = http::WebClient::create(
      {.connect_timeout = options.timeout, .timeout = options.timeout, .ca_file = options.ca_file});
  if (!client) return std::unexpected(std::move(client.error()));
  return std::unique_ptr<ChatClient>(new ChatClient(clock, options, quirks, std::move(*client)));
}

ChatClient::ChatClient(base::Clock& clock, const ChatOptions& options, ChatQuirks& quirks,
                       std::unique_ptr<http::WebClient> client)
    : clock_(clock),
      options_(options),
      dialect_(dialect_of(options.url)),
      origin_(base::url_origin(options.url)),
      quirks_(quirks),
      client_(std::move(client)) {}

Exchange ChatClient::ask(const std::string& system, const std::string& user,
                         const std::string& key) {
  Exchange exchange;
  do {
    exchange = Exchange{.requests = exchange.requests};
    send(system, user, key, exchange);
  } while (learn(exchange));
  return exchange;
}

void ChatClient::send(const std::string& system, const std::string& user, const std::string& key,
                      Exchange& exchange) {
  const std::string body = wire::chat_request({.dialect = dialect_,
                                               .model = options_.model,
                                               .system = system,
                                               .user = user,
                                               .max_tokens = options_.max_tokens,
                                               .with_temperature = !quirks_.no_temperature,
                                               .with_old_limit = quirks_.old_limit});
  http::WebRequest request{.method = "POST", .url = options_.url, .body = body};
  request.headers.emplace_back("Content-Type", "application/json");
  if (dialect_ == wire::ChatDialect::kAnthropic) {
    request.headers.emplace_back("anthropic-version", kAnthropicVersion);
    if (!key.empty()) request.headers.emplace_back("x-api-key", key);
  } else if (!key.empty()) {
    request.headers.emplace_back("Authorization", "Bearer " + key);
  }
  const base::SteadyTime begin = clock_.steady_now();
  const auto response = client_->send(request);
  exchange.latency = std::chrono::duration_cast<milliseconds>(clock_.steady_now() - begin);
  ++exchange.requests;
  exchange.prompt_tokens = estimate_tokens(body.size());
  if (!response) {
    exchange.outcome = response.error().kind == ErrorKind::kInvalidArgument
                           ? Exchange::Outcome::kNever
                           : Exchange::Outcome::kLater;
    exchange.error = {response.error().kind, without_key(response.error().message, key)};
    // Slow models are the faster, the less they have to say.
    exchange.too_large = response.error().kind == ErrorKind::kDeadlineExceeded;
    return;
  }
  exchange.status = response->status;
  judge(*response, exchange);
  exchange.body = without_key(response->body, key);
  exchange.error.message = without_key(std::move(exchange.error.message), key);
}

void ChatClient::judge(const http::WebResponse& response, Exchange& exchange) const {
  if (response.status == 200) {
    auto reply = wire::parse_chat_reply(dialect_, response.body);
    if (!reply) {
      exchange.outcome = Exchange::Outcome::kUnreadable;
      exchange.error = {reply.error().kind, reply.error().message + " (" + origin_ + ")"};
      return;
    }
    exchange.outcome = Exchange::Outcome::kAnswered;
    exchange.too_large = reply->cut_off;
    exchange.prompt_tokens = reply->prompt_tokens.value_or(exchange.prompt_tokens);
    exchange.answer_tokens = reply->answer_tokens.value_or(estimate_tokens(reply->text.size()));
    exchange.reply = std::move(*reply);
    return;
  }
  exchange.prompt_tokens = 0;  // what is refused is not charged
  const std::string said = http::one_line(wire::chat_error(response.body));
  exchange.error = {
      ErrorKind::kUnavailable,
      fmt::format("cannot ask the model at {}: it answers {}{}{}{}", origin_, response.status,
                  said.empty() ? "" : ": ", said, cure(response.status))};
  exchange.too_large = response.status == 413 ||
                       (response.status == 400 && said.find("context") != std::string::npos);
  exchange.outcome = is_for_later(response.status) || exchange.too_large
                         ? Exchange::Outcome::kLater
                         : Exchange::Outcome::kNever;
  if (const auto after = response.header("retry-after")) {
    exchange.retry_after = http::parse_retry_after(*after, clock_.wall_now());
  }
}

bool ChatClient::learn(const Exchange& exchange) {
  if (exchange.status != 400 && exchange.status != 422) return false;
  const auto names = [&](std::string_view parameter) {
    return exchange.body.find(parameter) != std::string::npos;
  };
  if (dialect_ == wire::ChatDialect::kOpenAi && names("max_completion_tokens")) {
    return !quirks_.old_limit.exchange(true);
  }
  return names("temperature") && !quirks_.no_temperature.exchange(true);
}

}  // namespace gpuscope::advise
