#include "wire/chat.h"

#include "wire/json_members.h"
#include "wire/json_writer.h"

namespace gpuscope::wire {
namespace {

std::optional<std::uint64_t> count_of(const Json& value) {
  constexpr std::uint64_t kMost =
      1'000'000'000;  // no answer has more; a larger number is a mistake
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > kMost) return std::nullopt;
  return value.get<std::uint64_t>();
}

// A text, or the texts of an array of parts.
std::string content_of(const Json& content) {
  if (!content.is_array()) return text_of(content);
  std::string text;
  for (const Json& part : content) {
    if (text_of(member(part, "type")) == "text") text += text_of(member(part, "text"));
  }
  return text;
}

base::Result<ChatReply> no_reply() {
  return base::fail(base::ErrorKind::kInvalidArgument,
                    "cannot read the answer: it is not a document of a chat model");
}

base::Result<ChatReply> openai_reply(const Json& body) {
  const Json& choices = member(body, "choices");
  if (!choices.is_array() || choices.empty()) return no_reply();
  const Json& message = member(choices.front(), "message");
  if (!message.is_object()) return no_reply();
  const std::string finish = text_of(member(choices.front(), "finish_reason"));
  const Json& usage = member(body, "usage");
  return ChatReply{
      .text = content_of(member(message, "content")),
      .cut_off = finish == "length",
      .declined = finish == "content_filter" || !text_of(member(message, "refusal")).empty(),
      .prompt_tokens = count_of(member(usage, "prompt_tokens")),
      .answer_tokens = count_of(member(usage, "completion_tokens"))};
}

base::Result<ChatReply> anthropic_reply(const Json& body) {
  const Json& content = member(body, "content");
  if (!content.is_array()) return no_reply();
  const std::string stop = text_of(member(body, "stop_reason"));
  const Json& usage = member(body, "usage");
  return ChatReply{.text = content_of(content),
                   .cut_off = stop == "max_tokens",
                   .declined = stop == "refusal",
                   .prompt_tokens = count_of(member(usage, "input_tokens")),
                   .answer_tokens = count_of(member(usage, "output_tokens"))};
}

void write_message(JsonWriter& json, std::string_view role, std::string_view content) {
  json.begin_object().key("role").string(role).key("content").string(content).end_object();
}

}  // namespace

std::string chat_request(const ChatRequest& request) {
  const bool anthropic = request.dialect == ChatDialect::kAnthropic;
  std::string text;
  JsonWriter json(text);
  json.begin_object().key("model").string(request.model);
  json.key(anthropic || request.with_old_limit ? "max_tokens" : "max_completion_tokens");
  json.number(request.max_tokens);
  if (request.with_temperature) json.key("temperature").number(3, 1);
  if (anthropic) json.key("system").string(request.system);
  json.key("messages").begin_array();
  if (!anthropic) write_message(json, "system", request.system);
  write_message(json, "user", request.user);
  json.end_array().end_object();
  return text;
}

base::Result<ChatReply> parse_chat_reply(ChatDialect dialect, std::string_view body) {
  const Json document = Json::parse(body, nullptr, false);
  return dialect == ChatDialect::kAnthropic ? anthropic_reply(document) : openai_reply(document);
}

std::string chat_error(std::string_view body) {
  const Json document = Json::parse(body, nullptr, false);
  const Json& error = member(document, "error");
  std::string said = error.is_string() ? text_of(error) : text_of(member(error, "message"));
  if (said.empty()) said = text_of(member(document, "message"));
  if (said.empty()) said = text_of(member(document, "detail"));
  return said.empty() ? std::string(body) : said;
}

}  // namespace gpuscope::wire
