// What an engine has of what the analysis asks for.
#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "prom/engine.h"
#include "prom/usage_query.h"

namespace gpuscope::prom {

struct Discovered {
  std::set<std::string> names;  // of metrics; empty where the engine cannot tell
  // The condition by the labels that the engine has: a scrape that keeps its own pod's labels
  // stores the workload's as exported_….
  std::vector<Matcher> condition;
};

// Two requests. An engine that refuses them has the usual names; kUnavailable and
// kDeadlineExceeded where it does not answer.
base::Result<Discovered> discover(Engine& engine, std::span<const Matcher> condition,
                                  base::WallTime time);

}  // namespace gpuscope::prom
