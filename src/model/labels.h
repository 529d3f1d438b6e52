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

// The label whose value is the metric's name.
inline constexpr std::string_view kNameLabel = "__name__";

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

// An empty value takes the label away.
inline void set_label(Labels& labels, std::string_view name, std::string value) {
  const auto at = std::ranges::lower_bound(
      labels, name, {}, [](const auto& label) { return std::string_view(label.first); });
  const bool there = at != labels.end() && at->first == name;
  if (value.empty()) {
    if (there) labels.erase(at);
  } else if (there) {
    at->second = std::move(value);
  } else {
    labels.emplace(at, std::string(name), std::move(value));
  }
}

}  // namespace gpuscope::model
