// The labels of a series or an alert.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"

namespace gpuscope::model {

// Names and values: by name, none twice; an empty value is no label.
using Labels = std::vector<std::pair<std::string, std::string>>;
using LabelsPtr = std::shared_ptr<const Labels>;  // never null

constexpr bool is_label_name(std::string_view name) {
  return !name.empty() && !base::is_digit(name.front()) &&
         std::ranges::all_of(name, base::is_name_char);
}

// The value of a label; empty: there is none.
inline std::string_view label_value(const Labels& labels, std::string_view name) {
  const auto at = std::ranges::lower_bound(
      labels, name, {}, [](const auto& label) { return std::string_view(label.first); });
  return at != labels.end() && at->first == name ? std::string_view(at->second)
                                                 : std::string_view();
}

}  // namespace gpuscope::model
