// Evidence as a chat model is given it, the opinions it answers, and opinions as we show and keep
// them. docs/advise.md describes the documents.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/opinion.h"
#include "wire/json_writer.h"

namespace gpuscope::wire {

// Of a text from outside, no more than this is passed on.
inline constexpr std::size_t kMaxLabelBytes = 128;    // a name, to the model
inline constexpr std::size_t kMaxReasonBytes = 2000;  // a reason or recommendation, from it

// One object with what is known of a GPU, `id` standing for it. Without `names`, what people
// called things (pod, namespace, host) is left out.
void write_evidence(JsonWriter& json, std::string_view id, const model::UseEvidence& evidence,
                    bool names);

struct GivenOpinion {
  model::OpinionStatus status = model::OpinionStatus::kSuspicious;
  double confidence = 0;       // 0 to 1
  std::string reason;          // 1 to kMaxReasonBytes bytes of UTF-8 without control characters
  std::string recommendation;  // 0 to kMaxReasonBytes
  double adjusted_score = 0;   // 0 to 100
};

struct GivenOpinions {
  // The text is JSON of the form that was asked for; else all below fail for the same reason.
  bool readable = false;
  std::vector<base::Result<GivenOpinion>> by_id;  // as many as ids, in their order
};

// What a model said of the GPUs `ids`: an object, or an array of them, each with its id (which a
// lone object may leave out where one id was asked for); perhaps in a code fence with words around
// it, or behind a <think> part. Anything else fails, and is named: a GPU that is left out or comes
// twice, a value of the wrong type or out of range. Other ids and members are passed over.
GivenOpinions parse_opinions(std::string_view text, std::span<const std::string> ids);

// `status, confidence, reason, recommendation`: members of an object that is open.
void write_judgement(JsonWriter& json, const model::Opinion& opinion);
// `{gpu_id, status, confidence, reason, recommendation, raw_score, ai_adjusted_score}`: what
// `ai_analysis` of a result has been from the first version on.
void write_ai_analysis(JsonWriter& json, std::string_view gpu_id, const model::Opinion& opinion);
// `{status, confidence, verdict, reason, recommendation, given_by, given_at}`: `opinion` beside it.
void write_opinion(JsonWriter& json, const model::Opinion& opinion);

// An opinion with all it has, to be kept.
void write_kept_opinion(JsonWriter& json, const model::Opinion& opinion);
// kInvalidArgument: that is none.
base::Result<model::Opinion> parse_kept_opinion(std::string_view text);

// Text from outside as one may show it: control characters become blanks, what is not UTF-8 goes,
// and it ends before `max_bytes` on a whole character.
std::string tame_text(std::string_view text, std::size_t max_bytes);

// A number with so many decimals (0 to 6), or null where it is not finite.
void write_rounded(JsonWriter& json, double value, int decimals);

}  // namespace gpuscope::wire
