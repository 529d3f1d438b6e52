// Scenario files: what simulated GPUs do, written by people (docs/formats/scenario.md).
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "device/sim/scenario.h"

namespace gpuscope::config {

// A file that is longer is refused.
inline constexpr std::size_t kMaxScenarioBytes = 1'048'576;

// Reads the YAML text of a scenario. `file` is its name for errors and for Scenario::name. The
// error has everything that is wrong with it, a line each: "FILE:LINE: KEY: 'x' is not …".
base::Result<device::sim::Scenario> parse_scenario(std::string_view file, const std::string& text);

// A scenario that comes with the program, by its name, or else the file at that path.
base::Result<device::sim::Scenario> load_scenario(const std::string& name_or_path);

struct BuiltinScenario {
  std::string_view name;
  std::string_view text;
};
// Those that come with the program, in the order of their names.
std::span<const BuiltinScenario> builtin_scenarios();

}  // namespace gpuscope::config
