#include "advise/testing/scripted_chat.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace gpuscope::advise {

using base::MutexLock;
using http::ScriptedAnswer;
using Json = nlohmann::json;

namespace {

std::string reply(bool anthropic, const std::string& text, bool cut_off) {
  if (anthropic) {
    return Json{{"content", {{{"type", "text"}, {"text", text}}}},
                {"stop_reason", cut_off ? "max_tokens" : "end_turn"},
                {"usage", {{"input_tokens", 1000}, {"output_tokens", 100}}}}
        .dump();
  }
  return Json{{"choices",
               {{{"message", {{"role", "assistant"}, {"content", text}}},
                 {"finish_reason", cut_off ? "length" : "stop"}}}},
              {"usage", {{"prompt_tokens", 1000}, {"completion_tokens", 100}}}}
      .dump();
}

ChatSeen look(const http::ScriptedRequest& request, const Json& body, const Json& gpus,
              bool anthropic) {
  ChatSeen seen{.head = request.head, .model = body.value("model", "")};
  seen.system = anthropic ? body.value("system", "") : body["messages"][0].value("content", "");
  seen.temperature = body.value("temperature", -1.0);
  seen.max_tokens = body.value("max_tokens", body.value("max_completion_tokens", -1));
  for (const Json& gpu : gpus) {
    seen.ids.push_back(gpu.at("id"));
    seen.pods.push_back(gpu.at("names").value("pod", ""));
  }
  return seen;
}

}  // namespace

ScriptedChat::ScriptedChat()
    : server_([this](const http::ScriptedRequest& request) { return respond(request); }) {}

ScriptedAnswer ScriptedChat::respond(const http::ScriptedRequest& request) {
  const bool anthropic = request.head.find(" /v1/messages") != std::string::npos;
  const Json body = Json::parse(request.body);
  const std::string user = body["messages"].back()["content"];
  Json gpus = Json::parse(user)["gpus"];
  MutexLock lock(mutex_);
  seen_.push_back(look(request, body, gpus, anthropic));
  for (const std::string& name : script_.refused) {
    if (!body.contains(name)) continue;
    return ScriptedAnswer::status(
        400, "", Json{{"error", {{"message", "Unsupported parameter: '" + name + "'"}}}}.dump());
  }
  Planned planned{Planned::What::kSay, "", {}};
  const bool has_plan = !script_.planned.empty();
  if (has_plan) {
    planned = script_.planned.front();
    script_.planned.pop_front();
    if (planned.what == Planned::What::kAnswer) return planned.answer;
  }
  Json opinions = Json::array();
  for (const Json& gpu : gpus) {
    Json opinion{{"id", gpu.at("id")},
                 {"status", "idle"},
                 {"confidence", 0.9},
                 {"reason", "scripted"},
                 {"recommendation", "free it"},
                 {"adjusted_score", gpu.at("gpu_utilization_percent").at("mean")}};
    for (const auto& [name, json] : script_.members) opinion[name] = Json::parse(json);
    opinions.push_back(std::move(opinion));
  }
  if (has_plan && planned.what == Planned::What::kLeaveOut) opinions.erase(opinions.size() - 1);
  if (script_.reversed) std::ranges::reverse(opinions);
  std::string text = (opinions.size() == 1 && gpus.size() == 1 ? opinions[0] : opinions).dump();
  text = script_.before + text + script_.after;
  const bool cut_off = gpus.size() > script_.most;
  if (cut_off) text.resize(text.size() / 2);
  if (has_plan && planned.what == Planned::What::kSay) text = planned.text;
  ScriptedAnswer answer = ScriptedAnswer::status(200, script_.close ? "Connection: close\r\n" : "",
                                                 reply(anthropic, text, cut_off));
  if (script_.close) answer.then = ScriptedAnswer::Then::kClose;
  return answer;
}

std::vector<ChatSeen> ScriptedChat::requests() {
  MutexLock lock(mutex_);
  return std::exchange(seen_, {});
}

void ScriptedChat::reset() {
  MutexLock lock(mutex_);
  seen_.clear();
  script_ = {};
}

void ScriptedChat::say(const std::string& text, int times) {
  MutexLock lock(mutex_);
  for (int i = 0; i < times; ++i) script_.planned.push_back({Planned::What::kSay, text, {}});
}

void ScriptedChat::answer(const ScriptedAnswer& answer, int times) {
  MutexLock lock(mutex_);
  for (int i = 0; i < times; ++i) script_.planned.push_back({Planned::What::kAnswer, "", answer});
}

void ScriptedChat::leave_out_last(int times) {
  MutexLock lock(mutex_);
  for (int i = 0; i < times; ++i) script_.planned.push_back({Planned::What::kLeaveOut, "", {}});
}

void ScriptedChat::set(const std::string& name, const std::string& json) {
  MutexLock lock(mutex_);
  script_.members[name] = json;
}

void ScriptedChat::reverse_order() {
  MutexLock lock(mutex_);
  script_.reversed = true;
}

void ScriptedChat::cut_off_above(std::size_t gpus) {
  MutexLock lock(mutex_);
  script_.most = gpus;
}

void ScriptedChat::wrap(std::string before, std::string after) {
  MutexLock lock(mutex_);
  script_.before = std::move(before);
  script_.after = std::move(after);
}

void ScriptedChat::refuse_parameter(const std::string& name) {
  MutexLock lock(mutex_);
  script_.refused.insert(name);
}

void ScriptedChat::close_connections() {
  MutexLock lock(mutex_);
  script_.close = true;
}

}  // namespace gpuscope::advise
