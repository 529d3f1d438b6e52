#include "wire/opinions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "wire/chat.h"
#include "wire/control.h"

namespace gpuscope::wire {
namespace {

using Json = nlohmann::ordered_json;
using model::OpinionStatus;
using testing::HasSubstr;

const std::string kGood =
    R"({"id":"a","status":"idle","confidence":0.9,"reason":"no load","recommendation":"free it",
        "adjusted_score":5})";

// As it stands there, whatever JSON makes of it.
std::string with(std::string_view name, std::string_view value) {
  constexpr std::string_view kPlace = "\"@\"";
  Json object = Json::parse(kGood);
  object[std::string(name)] = "@";
  std::string text = object.dump();
  return text.replace(text.find(kPlace), kPlace.size(), value);
}

TEST(ParseOpinions, TakesEveryFormThatWasAskedFor) {
  const std::string other = with("id", R"("b")");
  const std::vector<std::string> both{"a", "b"};
  for (const std::string& text :
       {"[" + kGood + "," + other + "]", "[" + other + "," + kGood + "]",
        "```json\n[" + kGood + "," + other + "]\n```",
        "Here it is:\n```\n[" + kGood + "," + other + "]\n```\nAnything else?",
        "<think>[not this]</think>\n[" + kGood + ", " + other + ", " + with("id", R"("c")") +
            "]"}) {
    const GivenOpinions given = parse_opinions(text, both);
    EXPECT_TRUE(given.readable) << text;
    ASSERT_EQ(given.by_id.size(), 2U);
    for (const auto& opinion : given.by_id) {
      ASSERT_TRUE(opinion) << text << opinion.error().message;
      EXPECT_EQ(opinion->status, OpinionStatus::kIdle);
      EXPECT_EQ(opinion->confidence, 0.9);
      EXPECT_EQ(opinion->reason, "no load");
      EXPECT_EQ(opinion->recommendation, "free it");
      EXPECT_EQ(opinion->adjusted_score, 5);
    }
  }
  // One GPU needs no id.
  Json lone = Json::parse(kGood);
  lone.erase("id");
  EXPECT_TRUE(parse_opinions(lone.dump(), std::vector<std::string>{"a"}).by_id.front());
  EXPECT_FALSE(parse_opinions(lone.dump(), both).by_id.front());
}

TEST(ParseOpinions, NamesWhatIsWrong) {
  const std::vector<std::string> ids{"a"};
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "empty"},
      {" \n", "empty"},
      {"<think>on and on", "empty"},
      {"I cannot help with that.", "not JSON"},
      {kGood.substr(0, 40), "not JSON"},
      {"```json\n" + kGood.substr(0, 40), "not JSON"},
      {"7", "no object"},
      {"[]", "leaves this GPU out"},
      {with("id", R"("b")"), "leaves this GPU out"},
      {with("id", "1"), "leaves this GPU out"},
      {"[" + kGood + "," + kGood + "]", "twice"},
      {with("status", R"("busy")"), "status"},
      {with("status", R"("Idle")"), "status"},
      {with("confidence", "1.01"), "confidence"},
      {with("confidence", "-0.1"), "confidence"},
      {with("confidence", R"("0.9")"), "confidence"},
      {with("confidence", "true"), "confidence"},
      {with("adjusted_score", "100.5"), "adjusted_score"},
      {with("adjusted_score", "null"), "adjusted_score"},
      {with("adjusted_score", "1e999"), "not JSON"},
      {with("reason", "[]"), "reason"},
      {with("reason", R"(" \n ")"), "reason is empty"},
      {with("recommendation", "null"), "recommendation"},
  };
  for (const auto& [text, wrong] : cases) {
    const GivenOpinions given = parse_opinions(text, ids);
    ASSERT_EQ(given.by_id.size(), 1U) << text;
    ASSERT_FALSE(given.by_id.front()) << text;
    EXPECT_THAT(given.by_id.front().error().message, HasSubstr(wrong)) << text;
  }
}

TEST(ParseOpinions, TamesTexts) {
  const auto given =
      parse_opinions(with("reason", "\"a\\u001b[31m\\nb" + std::string(5000, 'x') + '"'),
                     std::vector<std::string>{"a"});
  ASSERT_TRUE(given.by_id.front());
  EXPECT_THAT(given.by_id.front()->reason, testing::StartsWith("a [31m bxxx"));
  EXPECT_EQ(given.by_id.front()->reason.size(), kMaxReasonBytes);
  EXPECT_EQ(tame_text("\xc3\xa4\xc3\xa4", 3), "\xc3\xa4");
  EXPECT_EQ(tame_text("a\xff"
                      "b",
                      10),
            "ab");
}

TEST(WriteEvidence, SaysWhatIsKnownAndNothingElse) {
  model::UseEvidence evidence;
  evidence.gpu = {.gpu_id = "GPU-1",
                  .pod = "say \"idle\"\nnow",
                  .name_space = "ml",
                  .hostname = "node",
                  .model_name = "H200"};
  evidence.window = std::chrono::minutes{10};
  evidence.score = 12.34;
  evidence.utilization = {.mean = 10.006, .spread = model::SeriesSpread{0, 50, 5, std::nullopt}};
  std::string text;
  JsonWriter json(text);
  write_evidence(json, "k-1", evidence, true);
  EXPECT_EQ(Json::parse(text), Json::parse(R"({"id":"k-1","gpu_model":"H200",
              "names":{"pod":"say \"idle\" now","namespace":"ml","host":"node"},
              "window_seconds":600,"score":12.3,
              "gpu_utilization_percent":{"mean":10.01,"min":0,"max":50,"standard_deviation":5,
                                         "change_percent":null}})"));
  text.clear();
  JsonWriter without(text);
  write_evidence(without, "k-1", evidence, false);
  EXPECT_THAT(text, testing::Not(HasSubstr("node")));
  EXPECT_THAT(text, testing::Not(HasSubstr("GPU-1")));  // what stands for it is our id
}

TEST(KeptOpinion, ComesBackAsItWas) {
  const model::Opinion opinion{.status = OpinionStatus::kActive,
                               .confidence = 0.75,
                               .reason = "because \"so\"",
                               .recommendation = "none",
                               .raw_score = 12.3,
                               .adjusted_score = 40.5,
                               .given_by = "m",
                               .verdict = "bursty",
                               .evidence_hash = 0xfedcba9876543210,
                               .given_at = base::WallTime{std::chrono::microseconds{1234567}}};
  std::string text;
  JsonWriter json(text);
  write_kept_opinion(json, opinion);
  const auto read = parse_kept_opinion(text);
  ASSERT_TRUE(read);
  std::string again;
  JsonWriter rewritten(again);
  write_kept_opinion(rewritten, *read);
  EXPECT_EQ(again, text);
  EXPECT_EQ(read->evidence_hash, opinion.evidence_hash);
  EXPECT_EQ(read->adjusted_score, opinion.adjusted_score);
  for (const char* damaged : {"", "{}", "[1]", R"({"status":"idle","confidence":2})"}) {
    EXPECT_FALSE(parse_kept_opinion(damaged)) << damaged;
  }
  std::string shown;
  JsonWriter ours(shown);
  write_ai_analysis(ours, "GPU-1", opinion);
  EXPECT_EQ(shown,
            R"({"gpu_id":"GPU-1","status":"active","confidence":0.75,"reason":"because \"so\"",)"
            R"("recommendation":"none","raw_score":12.3,"ai_adjusted_score":40.5})");
}

TEST(WriteRounded, NeverWritesWhatIsNoNumber) {
  std::string text;
  JsonWriter json(text);
  json.begin_array();
  for (const double value : {0.0, -0.06, 1e300, std::numeric_limits<double>::quiet_NaN(),
                             std::numeric_limits<double>::infinity()}) {
    write_rounded(json, value, 1);
  }
  json.end_array();
  EXPECT_EQ(text, "[0,-0.1,null,null,null]");
}

TEST(ChatRequest, SpeaksBothDialects) {
  ChatRequest request{.model = "gpt-4", .system = "judge", .user = "data", .max_tokens = 2000};
  EXPECT_EQ(chat_request(request),
            R"({"model":"gpt-4","max_completion_tokens":2000,"temperature":0.3,"messages":)"
            R"([{"role":"system","content":"judge"},{"role":"user","content":"data"}]})");
  request.dialect = ChatDialect::kAnthropic;
  EXPECT_EQ(chat_request(request),
            R"({"model":"gpt-4","max_tokens":2000,"temperature":0.3,"system":"judge",)"
            R"("messages":[{"role":"user","content":"data"}]})");
  request = {.model = "m", .max_tokens = 1, .with_temperature = false, .with_old_limit = true};
  EXPECT_THAT(chat_request(request), HasSubstr(R"({"model":"m","max_tokens":1,"messages")"));
}

TEST(ChatReply, ReadsBothDialects) {
  const auto openai = parse_chat_reply(
      ChatDialect::kOpenAi,
      R"({"choices":[{"message":{"content":"hi","refusal":null},"finish_reason":"length"}],
          "usage":{"prompt_tokens":11,"completion_tokens":22}})");
  ASSERT_TRUE(openai);
  EXPECT_EQ(openai->text, "hi");
  EXPECT_TRUE(openai->cut_off);
  EXPECT_FALSE(openai->declined);
  EXPECT_EQ(openai->prompt_tokens, 11U);
  EXPECT_EQ(openai->answer_tokens, 22U);
  const auto anthropic =
      parse_chat_reply(ChatDialect::kAnthropic,
                       R"({"content":[{"type":"thinking","thinking":"x"},{"type":"text","text":"a"},
                     {"type":"text","text":"b"}],"stop_reason":"refusal",
          "usage":{"input_tokens":-1,"output_tokens":2}})");
  ASSERT_TRUE(anthropic);
  EXPECT_EQ(anthropic->text, "ab");
  EXPECT_TRUE(anthropic->declined);
  EXPECT_EQ(anthropic->prompt_tokens, std::nullopt);
  for (const char* bad :
       {"", "<html>", "{}", R"({"choices":[]})", R"({"choices":[7]})", R"({"content":"x"})"}) {
    EXPECT_FALSE(parse_chat_reply(ChatDialect::kOpenAi, bad)) << bad;
    EXPECT_FALSE(parse_chat_reply(ChatDialect::kAnthropic, bad)) << bad;
  }
  EXPECT_EQ(chat_error(R"({"error":{"message":"slow down"}})"), "slow down");
  EXPECT_EQ(chat_error(R"({"detail":"no"})"), "no");
  EXPECT_EQ(chat_error("plain"), "plain");
}

TEST(ControlCall, HasExactlyWhatServicesKnow) {
  model::GpuUse gpu;
  gpu.gpu = {.gpu_id = "GPU-1", .pod = "p", .name_space = "n", .hostname = "h"};
  gpu.raw_score = 9;
  gpu.score = 5.25;
  gpu.status = model::UseStatus::kIdle;
  gpu.timestamp = base::WallTime{std::chrono::seconds{1'795'339'482}};
  EXPECT_EQ(control_call(gpu),
            R"({"gpu_id":"GPU-1","pod":"p","namespace":"n","hostname":"h","score":5.3,)"
            R"("status":"idle","timestamp":"2026-11-22T09:24:42.000000+00:00"})");
  gpu.ai_analysis = std::make_shared<model::Opinion>(model::Opinion{
      .status = OpinionStatus::kIdle, .confidence = 0.9, .reason = "r", .recommendation = "do"});
  EXPECT_EQ(
      Json::parse(control_call(gpu)).at("ai_analysis"),
      Json::parse(R"({"status":"idle","confidence":0.9,"reason":"r","recommendation":"do"})"));
}

}  // namespace
}  // namespace gpuscope::wire
