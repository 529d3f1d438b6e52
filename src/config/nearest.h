// "Did you mean …?"
#pragma once

#include <span>
#include <string_view>

namespace gpuscope::config {

// The candidate that is fewest single-letter edits away from `word`, or empty when none is close
// (more than a third of its letters differ).
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace gpuscope::config
