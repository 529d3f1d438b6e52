#include "advise/consultant.h"

#include <cstddef>
#include <utility>

#include "base/log.h"

namespace gpuscope::advise {

using model::NoOpinion;
using model::SecondOpinions;
using model::UseEvidence;

std::vector<SecondOpinions> Consultant::consult(std::vector<UseEvidence> gpus,
                                                const model::UsageWindow& window, bool use_ai) {
  const base::WallTime now = clock_.wall_now();
  std::vector<SecondOpinions> all(gpus.size());
  // Of the GPUs that a model may be asked about.
  std::vector<std::size_t> open;
  std::vector<UseEvidence> evidence;
  const bool asks = use_ai && chat_ != nullptr && ask_ != Ask::kNone;
  for (std::size_t i = 0; i < gpus.size(); ++i) {
    all[i].built_in = judge(gpus[i], now);
    if (!all[i].built_in) {
      all[i].ai.reason = "its utilization is not known";
      continue;
    }
    all[i].ai.why_none = NoOpinion::kNotAsked;
    all[i].ai.reason = asks ? "the rules are sure of it" : "no chat model is asked";
    if (!asks || (ask_ == Ask::kUnsure && !is_unsure(gpus[i], all[i].built_in))) continue;
    open.push_back(i);
    evidence.push_back(std::move(gpus[i]));
  }
  if (open.empty()) return all;
  if (details_ != nullptr && !stopping_) {
    // Without them it is judged by the means.
    if (const auto read = details_->add_detail(evidence, window); !read) {
      base::log(base::LogLevel::kWarning, read.error().message);
    }
  }
  std::vector<std::size_t> asked;
  std::vector<UseEvidence> questions;
  for (std::size_t i = 0; i < open.size(); ++i) {
    SecondOpinions& opinions = all[open[i]];
    if (auto closer = judge(evidence[i], now)) opinions.built_in = std::move(closer);
    if (ask_ == Ask::kUnsure && !is_unsure(evidence[i], opinions.built_in)) continue;
    asked.push_back(open[i]);
    questions.push_back(std::move(evidence[i]));
  }
  auto answers = chat_->advise(questions);
  for (std::size_t i = 0; i < asked.size(); ++i) all[asked[i]].ai = std::move(answers[i]);
  return all;
}

void Consultant::stop() {
  stopping_ = true;
  if (details_ != nullptr) details_->cancel();
  if (chat_ != nullptr) chat_->stop();
}

}  // namespace gpuscope::advise
