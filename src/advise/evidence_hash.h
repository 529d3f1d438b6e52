// Evidence, rounded so that what did not really change is the same.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "model/opinion.h"

namespace gpuscope::advise {

// The values of a piece of evidence in coarse steps: 5 points of a percentage or a score, a
// twentieth of the memory, 8 % of the power, a twelfth of the window.
inline constexpr std::size_t kFeatures = 22;
using Features = std::array<std::int32_t, kFeatures>;

// A value stays on the step it was on `before`, when given, until it has left it by a quarter of a
// step: noise around the border of two steps does not change it.
Features round_evidence(const model::UseEvidence& evidence, const Features* before = nullptr);

// Of the rounded values, of who the GPU is and of `asked`, which says how it is asked (the model,
// the language, …): what an opinion depends on. The same in every process (FNV-1a, 64 bit).
std::uint64_t hash_evidence(const model::UseEvidence& evidence, const Features& features,
                            std::string_view asked);

// Of a text; FNV-1a, too.
std::uint64_t hash_text(std::string_view text);

// Who the GPU is, and for whom it works.
std::string evidence_key(const model::UseEvidence& evidence);

}  // namespace gpuscope::advise
