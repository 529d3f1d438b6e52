// Regular expressions as Prometheus has them: RE2's, anchored at both ends. For query/ alone.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/labelled_series.h"

namespace re2 {
class RE2;
}

namespace gpuscope::query {

// kInvalidArgument says what is wrong with it.
base::Result<std::shared_ptr<const re2::RE2>> compile(const std::string& regex);

base::Result<model::LabelMatcher> make_matcher(std::string label, model::LabelMatcher::Kind kind,
                                               std::string value);

// `replacement` with $1, ${1} and ${name} standing for what the groups matched, as Go expands them;
// none: the expression does not match all of `text`.
std::optional<std::string> replace(const re2::RE2& regex, std::string_view text,
                                   std::string_view replacement);

}  // namespace gpuscope::query
