// What is sent to a chat model and what comes back: OpenAI's chat completions, which many servers
// speak, and Anthropic's Messages. docs/advise.md shows both.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gpuscope::wire {

enum class ChatDialect : std::uint8_t { kOpenAi, kAnthropic };

struct ChatRequest {
  ChatDialect dialect = ChatDialect::kOpenAi;
  std::string_view model{};
  std::string_view system{};  // what it is to do
  std::string_view user{};    // with what
  int max_tokens = 0;         // of the answer
  // Servers differ; these are for those who refuse the usual: a temperature of 0.3, and OpenAI's
  // max_completion_tokens.
  bool with_temperature = true;
  bool with_old_limit = false;  // max_tokens in its place
};

std::string chat_request(const ChatRequest& request);

struct ChatReply {
  std::string text{};     // what the model says; may be empty
  bool cut_off = false;   // it had more to say than max_tokens
  bool declined = false;  // it or a filter before it refused
  // What the server counts, where it says so.
  std::optional<std::uint64_t> prompt_tokens{};
  std::optional<std::uint64_t> answer_tokens{};
};

// The body of an answer with status 200. kInvalidArgument: it is not such a document.
base::Result<ChatReply> parse_chat_reply(ChatDialect dialect, std::string_view body);

// What the body of another answer says, as `{"error": {"message": …}}`; else the body.
std::string chat_error(std::string_view body);

}  // namespace gpuscope::wire
