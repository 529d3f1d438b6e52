#include "query/grid.h"

#include <algorithm>
#include <memory>

namespace gpuscope::query {
namespace {

using base::Result;

std::unexpected<base::Error> same_labels() {
  return base::fail(base::ErrorKind::kInvalidArgument,
                    "cannot evaluate the expression: vector cannot contain metrics with the same "
                    "labelset");
}

bool names_it(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

template <typename Keep>
LabelsPtr filtered(const Labels& labels, Keep keep) {
  auto kept = std::make_shared<Labels>();
  kept->reserve(labels.size());
  for (const auto& label : labels) {
    if (keep(label.first)) kept->push_back(label);
  }
  return kept;
}

}  // namespace

std::size_t Grid::add(LabelsPtr of) {
  labels.push_back(std::move(of));
  values.resize(labels.size() * steps);
  present.resize(labels.size() * steps);
  return labels.size() - 1;
}

void Grid::pop() {
  labels.pop_back();
  values.resize(labels.size() * steps);
  present.resize(labels.size() * steps);
}

std::size_t LabelsHash::operator()(const Labels* labels) const {
  constexpr std::size_t kPrime = 0x9e3779b97f4a7c15;
  std::size_t hash = labels->size();
  for (const auto& [name, value] : *labels) {
    hash = (hash ^ std::hash<std::string_view>{}(name)) * kPrime;
    hash = (hash ^ std::hash<std::string_view>{}(value)) * kPrime;
    hash ^= hash >> 29;
  }
  return hash;
}

LabelsPtr no_labels() {
  static const LabelsPtr none = std::make_shared<const Labels>();
  return none;
}

LabelsPtr without_name(const LabelsPtr& labels) {
  if (model::label_value(*labels, model::kNameLabel).empty()) return labels;
  return filtered(*labels, [](std::string_view name) { return name != model::kNameLabel; });
}

LabelsPtr keep_labels(const Labels& labels, const std::vector<std::string>& names) {
  return filtered(labels, [&](std::string_view name) { return names_it(names, name); });
}

LabelsPtr drop_labels(const Labels& labels, const std::vector<std::string>& names) {
  return filtered(labels, [&](std::string_view name) {
    return name != model::kNameLabel && !names_it(names, name);
  });
}

std::vector<std::size_t> Signatures::of(const Grid& grid) {
  std::vector<std::size_t> numbers;
  numbers.reserve(grid.size());
  for (const LabelsPtr& labels : grid.labels) {
    key_.clear();
    for (const auto& [name, value] : *labels) {
      const bool named = names_it(names_, name);
      if (on_ ? !named : (named || name == model::kNameLabel)) continue;
      // No byte of UTF-8 is 0xff.
      key_.append(name).append(1, '\xff').append(value).append(1, '\xff');
    }
    numbers.push_back(known_.try_emplace(key_, known_.size()).first->second);
  }
  return numbers;
}

Result<void> merge_same(Grid& grid) {
  if (grid.size() < 2) return {};
  LabelsMap known;
  known.reserve(grid.size());
  std::vector<std::size_t> target(grid.size());
  for (std::size_t i = 0; i < grid.size(); ++i) {
    target[i] = known.try_emplace(grid.labels[i].get(), known.size()).first->second;
  }
  if (known.size() == grid.size()) return {};
  Grid merged(grid.steps);
  for (std::size_t i = 0; i < grid.size(); ++i) {
    if (target[i] == merged.size()) merged.add(grid.labels[i]);
    for (std::size_t step = 0; step < grid.steps; ++step) {
      if (grid.has(i)[step] == 0) continue;
      if (merged.has(target[i])[step] != 0) return same_labels();
      merged.has(target[i])[step] = 1;
      merged.row(target[i])[step] = grid.row(i)[step];
    }
  }
  grid = std::move(merged);
  return {};
}

Result<void> check_unique(const Grid& grid) {
  if (grid.size() < 2) return {};
  LabelsMap known;
  known.reserve(grid.size());
  for (std::size_t i = 0; i < grid.size(); ++i) {
    // A series of which nothing is left is none.
    if (std::find(grid.has(i), grid.has(i) + grid.steps, 1) == grid.has(i) + grid.steps) continue;
    if (!known.try_emplace(grid.labels[i].get(), 0).second) return same_labels();
  }
  return {};
}

}  // namespace gpuscope::query
