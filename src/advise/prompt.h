// What a chat model is told.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "model/opinion.h"

namespace gpuscope::advise {

// Counts up with every change of what is asked, so that older opinions are not taken for answers.
inline constexpr int kPromptVersion = 1;

// What it is to do, and that data is data.
std::string system_prompt(std::string_view language);

// The data: one JSON document, `{"gpus": [{"id": …}]}`. `gpus` and `ids` are as many.
std::string user_prompt(const std::vector<const model::UseEvidence*>& gpus,
                        const std::vector<std::string>& ids, bool names);

// About, and rather too many: a token is three bytes here, four in most texts.
std::size_t estimate_tokens(std::size_t bytes);
// What an opinion takes of an answer, and the evidence of one GPU of a prompt.
inline constexpr std::size_t kAnswerTokensPerGpu = 250;
inline constexpr std::size_t kPromptTokensPerGpu = 400;

}  // namespace gpuscope::advise
