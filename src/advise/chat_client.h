// One exchange with a chat model: a request, its answer, and what that means.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "advise/options.h"
#include "advise/spend_meter.h"
#include "base/clock.h"
#include "base/result.h"
#include "http/web_client.h"
#include "wire/chat.h"

namespace gpuscope::advise {

// The dialect of a request address: Anthropic's where its path ends in /v1/messages.
wire::ChatDialect dialect_of(std::string_view url);

// The key of the options, or of its file. kInvalidArgument: it cannot stand in a header.
base::Result<std::string> read_api_key(const ChatOptions& options);

// `text` without the key, wherever a server repeats it.
std::string without_key(std::string text, std::string_view key);

// What a server was found not to take; shared by all clients. Thread-safe.
struct ChatQuirks {
  std::atomic<bool> no_temperature = false;
  std::atomic<bool> old_limit = false;
};

struct Exchange {
  enum class Outcome : std::uint8_t {
    kAnswered,    // `reply`
    kUnreadable,  // status 200, and no document of a chat model
    kLater,       // the server, or the way to it, is not as it should be: try again
    kNever,       // the same request will always be refused
  };
  Outcome outcome = Outcome::kNever;
  wire::ChatReply reply{};
  base::Error error{};     // where there is no reply
  bool too_large = false;  // asking for less at a time may help
  std::optional<std::chrono::milliseconds> retry_after{};
  int status = 0;      // of HTTP; 0: none came
  std::string body{};  // of the answer, without the key
  std::uint64_t requests = 0;
  std::uint64_t prompt_tokens = 0;  // as the server counts, else as estimated
  std::uint64_t answer_tokens = 0;
  std::chrono::milliseconds latency{0};  // of the last request
};

// One thread at a time, but for cancel().
class ChatClient {
 public:
  // `clock` and `quirks` outlive it.
  static base::Result<std::unique_ptr<ChatClient>> create(base::Clock& clock,
                                                          const ChatOptions& options,
                                                          ChatQuirks& quirks);

  // Sends once, and at once again where the server does not take a parameter of the request.
  Exchange ask(const std::string& system, const std::string& user, const std::string& key);
  // Ends ask() soon, and for good. Any thread.
  void cancel() { client_->cancel(); }

 private:
  ChatClient(base::Clock& clock, const ChatOptions& options, ChatQuirks& quirks,
             std::unique_ptr<http::WebClient> client);
  void send(const std::string& system, const std::string& user, const std::string& key,
            Exchange& exchange);
  void judge(const http::WebResponse& response, Exchange& exchange) const;
  // The server named a parameter that it does not take, and we can do without.
  bool learn(const Exchange& exchange);

  base::Clock& clock_;
  const ChatOptions options_;
  const wire::ChatDialect dialect_;
  const std::string origin_;
  ChatQuirks& quirks_;
  const std::unique_ptr<http::WebClient> client_;
};

}  // namespace gpuscope::advise
