#include "prom/discovery.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace gpuscope::prom {
namespace {

using base::ErrorKind;
using base::Result;
using model::UsageMetric;

std::vector<std::string> all_names(UsageMetric metric) {
  const ServedNames names = served_names(metric);
  std::vector<std::string> all;
  for (const std::vector<ServedName>& kind : {names.dcgm, names.own}) {
    for (const ServedName& each : kind) all.push_back(each.name);
  }
  return all;
}

std::string any_of(const std::vector<std::string>& names) {
  return fmt::format("{{__name__=~\"{}\"}}", fmt::join(names, "|"));
}

void use_exported(std::vector<Matcher>& condition, const std::vector<std::string>& labels) {
  for (Matcher& each : condition) {
    if (each.label != "pod" && each.label != "namespace") continue;
    std::string exported = "exported_" + each.label;
    if (std::ranges::find(labels, exported) != labels.end()) each.label = std::move(exported);
  }
}

}  // namespace

Result<Discovered> discover(Engine& engine, std::span<const Matcher> condition,
                            base::WallTime time) {
  std::vector<std::string> candidates;
  for (std::size_t i = 0; i < model::kUsageMetricCount; ++i) {
    std::ranges::move(all_names(static_cast<UsageMetric>(i)), std::back_inserter(candidates));
  }
  Discovered found{.names = {}, .condition = {condition.begin(), condition.end()}};
  // An engine that refuses this is asked by the usual names; one that does not answer is not asked.
  auto names = engine.metric_names(any_of(candidates), time);
  if (!names && names.error().kind != ErrorKind::kInvalidArgument) {
    return std::unexpected(std::move(names.error()));
  }
  if (names) found.names = {names->begin(), names->end()};
  std::vector<std::string> of_use;
  for (const ServedName& each : names_to_ask(UsageMetric::kGpuUtil, found.names)) {
    of_use.push_back(each.name);
  }
  auto labels = engine.label_names(any_of(of_use), time);
  if (!labels && labels.error().kind != ErrorKind::kInvalidArgument) {
    return std::unexpected(std::move(labels.error()));
  }
  if (labels) use_exported(found.condition, *labels);
  return found;
}

}  // namespace gpuscope::prom
