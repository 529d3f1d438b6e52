// What an engine is asked about a fleet: selectors and expressions in PromQL.
#pragma once

#include <array>
#include <cstddef>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/usage.h"
#include "prom/options.h"

namespace gpuscope::prom {

// One name under which a metric is served, and by what it is multiplied to get UsageMetric's unit.
struct ServedName {
  std::string name;
  double factor = 1;
};
// Names of one kind: DCGM's, old and new, then our own, each best first.
struct ServedNames {
  std::vector<ServedName> dcgm;
  std::vector<ServedName> own;
};
// All names under which a metric may be found.
ServedNames served_names(model::UsageMetric metric);
// Those to ask for, where only `there` exist: DCGM's, else our own, else DCGM's as if they existed.
std::vector<ServedName> names_to_ask(model::UsageMetric metric, const std::set<std::string>& there);

// One condition on a label, as it stands in a selector: `pod`, `!=`, `""` with its quotes.
struct Matcher {
  std::string label;
  std::string op;
  std::string value;
};
// What stands between the braces of a selector: `{pod!="",Hostname=~"a.*"}`, `{}`, or nothing.
// kInvalidArgument says where it goes wrong.
base::Result<std::vector<Matcher>> parse_condition(std::string_view text);
// `label op value,…` without braces.
std::string join(std::span<const Matcher> matchers);

// A part of all GPUs by the last two hexadecimal digits of their UUIDs: from `begin` to before
// `end`, of kUuidBuckets. A UUID that ends otherwise is in the first.
inline constexpr std::size_t kUuidBuckets = 256;
struct UuidRange {
  std::size_t begin = 0;
  std::size_t end = kUuidBuckets;
};
// Part `page` of `pages` of a shard; with at most as many pages as the shard has buckets.
UuidRange page_of(const Shard& shard, std::size_t page, std::size_t pages);
// A condition on the label UUID that holds for these alone; empty for all.
std::string uuid_matcher(const UuidRange& range);

// How one metric of one page is asked for.
struct UsageQuery {
  model::UsageMetric metric = model::UsageMetric::kGpuUtil;
  std::vector<ServedName> names;
  std::string matchers;      // without braces
  bool finite_only = false;  // leaves samples out that are not numbers
};
// The mean over the window, by identity; of kGpuUtil by host and model, too.
std::string expression(const UsageQuery& query, const model::UsageWindow& window);

}  // namespace gpuscope::prom
