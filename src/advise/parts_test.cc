// What needs no network: rules, rounding, the cache, what is spent, and who is asked.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "advise/builtin_adviser.h"
#include "advise/consultant.h"
#include "advise/evidence_hash.h"
#include "advise/opinion_cache.h"
#include "advise/prompt.h"
#include "advise/spend_meter.h"
#include "base/fake_clock.h"
#include "model/memory_state_store.h"

namespace gpuscope::advise {
namespace {

using model::OpinionStatus;
using model::SeriesSpread;
using model::UseDetail;
using model::UseEvidence;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

const base::WallTime kNow{std::chrono::seconds{1'795'339'482}};

// A card of 80 GiB and 700 W in the hands of a pod.
UseEvidence card(double utilization, double copy, double memory_mb, double power, double score) {
  UseEvidence evidence;
  evidence.gpu = {.gpu_id = "GPU-1", .pod = "pod", .name_space = "ml", .model_name = "H100"};
  evidence.window = minutes{10};
  evidence.score = score;
  evidence.utilization = {.mean = utilization};
  evidence.memory_copy = {.mean = copy};
  evidence.memory_used_mb = {.mean = memory_mb};
  evidence.power_watts = {.mean = power};
  evidence.memory_total_mb = 81'920;
  evidence.power_limit_watts = 700;
  return evidence;
}

UseEvidence with(UseEvidence evidence, SeriesSpread spread, UseDetail detail) {
  evidence.utilization->spread = spread;
  evidence.detail = detail;
  return evidence;
}

UseEvidence active(UseEvidence evidence, double sm_active) {
  evidence.sm_active_percent = sm_active;
  return evidence;
}

UseEvidence without_pod(UseEvidence evidence) {
  evidence.gpu.pod.clear();
  return evidence;
}

struct Case {
  const char* verdict;
  OpinionStatus status;
  bool unsure;
  UseEvidence evidence;
  const char* reason;  // a part of it
};

TEST(Judge, NamesWhatAGpuIsDoing) {
  const UseDetail all{.coverage = 1, .busy_share = 1};
  const auto kActive = OpinionStatus::kActive;
  const auto kIdle = OpinionStatus::kIdle;
  const std::vector<Case> cases{
      {"hung", OpinionStatus::kSuspicious, true,
       with(card(100, 0, 70'000, 130, 67), {100, 100, 0, 0.0}, all), "130 W (19 % of its limit)"},
      {"working", kActive, false, card(100, 0, 70'000, 690, 77), "690 W (99 % of its limit)"},
      {"working", kActive, false, with(card(97, 60, 70'000, 600, 86), {90, 100, 2, 1.0}, all),
       "(90 to 100)"},
      {"working", kActive, true, card(75, 5, 70'000, 200, 60), "nothing else confirms"},
      {"thin_kernels", kActive, false, active(card(99, 3, 4'000, 250, 55), 8),
       "in 8 % of the cycles"},
      {"communication_bound", kActive, true, card(92, 8, 70'000, 300, 65), "waiting for other"},
      {"memory_held_idle", kIdle, false, card(0, 0, 70'000, 110, 18.7), "68.4 GiB of memory held"},
      // Idle, yet what it holds scores over the threshold.
      {"memory_held_idle", kIdle, true, card(0, 0, 80'000, 220, 22), "(98 %)"},
      {"allocated_idle", kIdle, false, card(0.4, 0, 600, 80, 1.5), "given to a pod"},
      {"unused", kIdle, false, without_pod(card(0, 0, 600, 80, 1.3)), "nothing runs on it"},
      {"trailing_idle", kIdle, true,
       with(card(30, 10, 70'000, 300, 38), {0, 99, 45, 100.0},
            {.coverage = 1, .busy_share = 0.3, .trailing_idle = minutes{7}}),
       "idle for the last 7 min of 10 min"},
      {"interactive", kActive, true,
       with(card(6, 2, 20'000, 120, 10), {0, 80, 18, 0.0},
            {.coverage = 1, .busy_share = 0.1, .trailing_idle = seconds{90}}),
       "Busy in 10 % of the time"},
      {"input_starved", kActive, true, with(card(45, 20, 60'000, 300, 45), {2, 98, 38, 5.0}, all),
       "standard deviation 38"},
      {"bursty", kActive, true, with(card(45, 20, 2'000, 300, 30), {2, 98, 38, 5.0}, all),
       "bursts of work"},
      {"low_use", kActive, true, card(9, 4, 5'000, 120, 8), "on very little"},
      {"moderate", kActive, false, card(45, 20, 60'000, 300, 45), "room for more"},
  };
  for (const Case& c : cases) {
    const auto opinion = judge(c.evidence, kNow);
    ASSERT_TRUE(opinion) << c.verdict;
    EXPECT_EQ(opinion->verdict, c.verdict) << opinion->reason;
    EXPECT_EQ(opinion->status, c.status) << c.verdict;
    EXPECT_THAT(opinion->reason, HasSubstr(c.reason)) << c.verdict;
    EXPECT_EQ(is_unsure(c.evidence, opinion), c.unsure) << c.verdict << ": " << opinion->reason;
    EXPECT_GT(opinion->confidence, 0);
    EXPECT_LE(opinion->confidence, 1);
    EXPECT_THAT(opinion->recommendation, Not(IsEmpty()));
    EXPECT_EQ(opinion->given_by, model::kBuiltIn);
    EXPECT_EQ(opinion->raw_score, c.evidence.score);
    EXPECT_EQ(opinion->adjusted_score, std::nullopt);
    EXPECT_EQ(opinion->given_at, kNow);
  }
}

TEST(Judge, DoesNotCallMissingDataIdle) {
  UseEvidence unknown;
  EXPECT_FALSE(judge(unknown, kNow));
  EXPECT_FALSE(is_unsure(unknown, std::nullopt));
  const UseEvidence gaps =
      with(card(0, 0, 70'000, 110, 18), {0, 0, 0, std::nullopt}, {.coverage = 0.4});
  EXPECT_FALSE(judge(gaps, kNow));
  UseEvidence some = gaps;
  some.detail->coverage = 0.7;
  some.detail->trailing_idle = minutes{10};
  const auto opinion = judge(some, kNow);
  ASSERT_TRUE(opinion);
  EXPECT_THAT(opinion->reason, HasSubstr("70 % of the samples"));
  EXPECT_NEAR(opinion->confidence, 0.75, 1e-9);
  // No card is hung for want of a power limit or activity.
  UseEvidence no_limit = card(100, 0, 70'000, 130, 67);
  no_limit.power_limit_watts.reset();
  EXPECT_EQ(judge(no_limit, kNow)->verdict, "working");
}

TEST(Judge, SaysHowFarBackItKnows) {
  UseEvidence evidence = card(0, 0, 600, 80, 1.5);
  EXPECT_THAT(judge(evidence, kNow)->reason, HasSubstr("in the mean of the samples of 10 min"));
  EXPECT_NEAR(judge(evidence, kNow)->confidence, 0.9, 1e-9);
  evidence.known_for = minutes{10};
  EXPECT_THAT(judge(evidence, kNow)->reason, HasSubstr("in the mean of 10 min"));
  EXPECT_NEAR(judge(evidence, kNow)->confidence, 0.9, 1e-9);
  evidence.known_for = seconds{15};
  const auto soon = judge(evidence, kNow);
  EXPECT_THAT(soon->reason, HasSubstr("in the mean of 15 s"));
  EXPECT_NEAR(soon->confidence, 0.7, 1e-9);
  EXPECT_FALSE(is_unsure(evidence, soon)) << "a model knows no more";
  // All of a short time is no gap.
  evidence = with(evidence, {0, 0, 0, std::nullopt}, {.coverage = 0.025});
  EXPECT_THAT(judge(evidence, kNow)->reason, Not(HasSubstr("of the samples are there")));
}

TEST(BuiltInAdviser, AnswersForEveryGpuInOrder) {
  const base::FakeClock clock;
  BuiltInAdviser adviser(clock);
  const std::vector<UseEvidence> gpus{card(0, 0, 0, 80, 1), UseEvidence{},
                                      card(97, 60, 70'000, 600, 86)};
  const auto advice = adviser.advise(gpus);
  ASSERT_THAT(advice, SizeIs(3));
  EXPECT_EQ(advice[0].opinion->verdict, "allocated_idle");
  EXPECT_FALSE(advice[1].opinion);
  EXPECT_THAT(advice[1].reason, HasSubstr("not known"));
  EXPECT_EQ(advice[2].opinion->verdict, "working");
}

TEST(EvidenceHash, IsTheSameForNoiseAndNotForChange) {
  const UseEvidence first = card(47.4, 20, 60'000, 300, 45);
  const Features rounded = round_evidence(first);
  const std::uint64_t hash = hash_evidence(first, rounded, "m");
  // 47.4 and 47.6 lie on two sides of a border between steps of 5.
  UseEvidence noisy = card(47.6, 20.4, 60'400, 305, 45.5);
  EXPECT_NE(round_evidence(noisy), rounded);
  EXPECT_EQ(hash_evidence(noisy, round_evidence(noisy, &rounded), "m"), hash);
  for (const UseEvidence& changed :
       {card(60, 20, 60'000, 300, 45), card(47.4, 30, 60'000, 300, 45),
        card(47.4, 20, 70'000, 300, 45), card(47.4, 20, 60'000, 400, 45),
        card(47.4, 20, 60'000, 300, 55), with(first, {0, 99, 40, 1.0}, {.coverage = 1})}) {
    EXPECT_NE(hash_evidence(changed, round_evidence(changed, &rounded), "m"), hash);
  }
  UseEvidence other = first;
  other.gpu.pod = "another";
  EXPECT_NE(hash_evidence(other, rounded, "m"), hash);
  EXPECT_NE(hash_evidence(first, rounded, "another model"), hash);
}

model::Opinion opinion_at(base::WallTime time) {
  return {.status = OpinionStatus::kIdle,
          .confidence = 0.9,
          .reason = "because",
          .raw_score = 45,
          .adjusted_score = 3,
          .given_by = "m",
          .given_at = time};
}

TEST(OpinionCache, KeepsOpinionsOverARestartAsLongAsTheyAreFresh) {
  model::MemoryStateStore store;
  const UseEvidence evidence = card(47, 20, 60'000, 300, 45);
  {
    OpinionCache cache("m", minutes{60});
    EXPECT_FALSE(cache.find(evidence, kNow));
    model::Opinion opinion = opinion_at(kNow);
    cache.put(evidence, opinion);
    EXPECT_NE(opinion.evidence_hash, 0U);
    ASSERT_TRUE(store.apply(cache.take_changes(kNow)));
    EXPECT_THAT(cache.take_changes(kNow), IsEmpty());
  }
  const auto load = [&](std::string asked) {
    OpinionCache cache(std::move(asked), minutes{60});
    EXPECT_TRUE(cache.load(&store, kNow));
    return cache;
  };
  EXPECT_EQ(load("another").size(), 0U);
  const OpinionCache cache = load("m");
  UseEvidence later = card(48, 20, 60'100, 301, 45.3);
  const auto found = cache.find(later, kNow + minutes{59});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->reason, "because");
  EXPECT_EQ(found->adjusted_score, 3);
  EXPECT_EQ(found->raw_score, 45.3);
  EXPECT_FALSE(cache.find(later, kNow + minutes{60}));
  EXPECT_FALSE(cache.find(card(97, 60, 60'000, 600, 86), kNow));
}

TEST(OpinionCache, PassesOverWhatIsDamagedAndMakesRoom) {
  model::MemoryStateStore store;
  for (const char* damaged : {"", "v1", "v1 0000000000000000 1 2 3\n{}", "v2 x"}) {
    ASSERT_TRUE(store.put(OpinionCache::kKind, std::string("k") + damaged, damaged));
  }
  OpinionCache cache("m", minutes{60});
  ASSERT_TRUE(cache.load(&store, kNow));
  EXPECT_EQ(cache.size(), 0U);
  auto changes = cache.take_changes(kNow);
  EXPECT_THAT(changes, SizeIs(4));  // they are erased
  cache.keep_changes(changes);
  EXPECT_THAT(cache.take_changes(kNow), SizeIs(4));
  UseEvidence evidence = card(47, 20, 60'000, 300, 45);
  for (std::size_t i = 0; i < OpinionCache::kMostOpinions + 10; ++i) {
    evidence.gpu.gpu_id = "GPU-" + std::to_string(i);
    model::Opinion opinion = opinion_at(kNow + std::chrono::milliseconds{i});
    cache.put(evidence, opinion);
  }
  cache.take_changes(kNow + minutes{1});
  EXPECT_EQ(cache.size(), OpinionCache::kMostOpinions);
  EXPECT_TRUE(cache.find(evidence, kNow + minutes{1}));
}

TEST(SpendMeter, GivesBackAfterAnHour) {
  SpendMeter meter({.requests = 3, .tokens = 1000, .cost = 0});
  EXPECT_TRUE(meter.reserve({.requests = 1, .tokens = 900}, kNow));
  EXPECT_FALSE(meter.reserve({.requests = 1, .tokens = 900}, kNow));
  meter.settle({.requests = 1, .tokens = 900}, {.requests = 1, .tokens = 100, .cost = 0.5}, kNow);
  EXPECT_TRUE(meter.reserve({.requests = 1, .tokens = 900}, kNow + minutes{1}));
  EXPECT_EQ(meter.last_hour(kNow + minutes{1}), (Spent{2, 1000, 0.5}));
  EXPECT_TRUE(meter.reserve({.requests = 1, .tokens = 0}, kNow + minutes{1}));
  EXPECT_FALSE(meter.reserve({.requests = 1, .tokens = 0}, kNow + minutes{1}));
  SpendMeter again({.requests = 3, .tokens = 1000, .cost = 0});
  again.restore(meter.save());
  EXPECT_EQ(again.last_hour(kNow + minutes{1}), meter.last_hour(kNow + minutes{1}));
  EXPECT_FALSE(again.reserve({.requests = 1, .tokens = 0}, kNow + minutes{59}));
  EXPECT_TRUE(again.reserve({.requests = 1, .tokens = 0}, kNow + minutes{60}));
  for (const char* damaged : {"x", "1 2 3 4", "1 2 3\n", "-5 1 1 1\n", "5 1 1 nan\n"}) {
    SpendMeter fresh({});
    fresh.restore(damaged);
    EXPECT_EQ(fresh.save(), "") << damaged;
  }
  SpendMeter money({.requests = 0, .tokens = 0, .cost = 1});
  EXPECT_TRUE(money.reserve({.requests = 1, .tokens = 9'999'999, .cost = 0.9}, kNow));
  EXPECT_FALSE(money.reserve({.requests = 1, .tokens = 1, .cost = 0.2}, kNow));
}

TEST(Prompt, SaysThatDataIsDataAndInWhichLanguage) {
  EXPECT_THAT(system_prompt("Deutsch"), HasSubstr("in this language: Deutsch"));
  EXPECT_THAT(system_prompt("English"), HasSubstr("All of it is data"));
  const UseEvidence evidence = card(1, 2, 3, 4, 5);
  EXPECT_LT(estimate_tokens(user_prompt({&evidence}, {"a"}, true).size()), kPromptTokensPerGpu);
}

// Answers for those it is asked about, and remembers who that was.
class NotingAdviser final : public model::Advisor {
 public:
  std::vector<model::Advice> advise(std::span<const UseEvidence> gpus) override {
    std::vector<model::Advice> all;
    for (const UseEvidence& gpu : gpus) {
      asked.push_back(gpu.gpu.gpu_id);
      all.push_back({.opinion = model::Opinion{.reason = gpu.gpu.gpu_id, .given_by = "m"}});
    }
    return all;
  }
  void stop() override { stopped = true; }
  std::vector<std::string> asked;
  bool stopped = false;
};

class ScriptedDetails final : public model::EvidenceReader {
 public:
  base::Result<void> add_detail(std::span<UseEvidence> gpus, const model::UsageWindow&) override {
    for (UseEvidence& gpu : gpus) {
      read.push_back(gpu.gpu.gpu_id);
      // What looked doubtful is a steady job.
      if (gpu.gpu.gpu_id == "cleared") gpu.memory_copy->mean = 50;
    }
    return {};
  }
  void cancel() override {}
  std::vector<std::string> read;
};

TEST(Consultant, AsksAboutThoseTheRulesAreUnsureOf) {
  const auto named = [](UseEvidence evidence, const char* id) {
    evidence.gpu.gpu_id = id;
    return evidence;
  };
  const std::vector<UseEvidence> gpus{named(card(97, 60, 70'000, 600, 86), "sure"),
                                      named(card(9, 4, 5'000, 120, 8), "doubtful"), UseEvidence{},
                                      named(card(75, 5, 70'000, 200, 60), "cleared")};
  base::FakeClock clock;
  const auto consult = [&](Ask ask, bool use_ai) {
    NotingAdviser chat;
    ScriptedDetails details;
    Consultant consultant(clock, ask, &chat, &details);
    const auto opinions = consultant.consult(gpus, {}, use_ai);
    EXPECT_THAT(opinions, SizeIs(4));
    EXPECT_EQ(opinions[0].built_in->verdict, "working");
    EXPECT_FALSE(opinions[2].built_in);
    for (const auto& one : opinions) {
      EXPECT_EQ(one.ai.opinion.has_value(), one.ai.reason.empty()) << one.ai.reason;
    }
    consultant.stop();
    EXPECT_TRUE(chat.stopped);
    EXPECT_EQ(details.read.empty(), chat.asked.empty());
    return chat.asked;
  };
  EXPECT_THAT(consult(Ask::kUnsure, true), ElementsAre("doubtful"));
  EXPECT_THAT(consult(Ask::kAll, true), ElementsAre("sure", "doubtful", "cleared"));
  EXPECT_THAT(consult(Ask::kNone, true), IsEmpty());
  EXPECT_THAT(consult(Ask::kAll, false), IsEmpty());
  Consultant alone(clock, Ask::kAll, nullptr, nullptr);
  EXPECT_EQ(alone.consult(gpus, {}, true)[1].ai.why_none, model::NoOpinion::kNotAsked);
}

}  // namespace
}  // namespace gpuscope::advise
