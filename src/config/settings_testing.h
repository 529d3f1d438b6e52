// For tests of settings: an environment that has what it is given, and an agent's settings in it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "config/agent_settings.h"

namespace gpuscope::config {

using Variables = std::map<std::string, std::string>;

inline Environment environment(Variables variables = {{"HOME", "/home/ada"}}) {
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}

inline base::Result<AgentSettings> load_agent(const Variables& flags) {
  return load_agent_settings(flags, environment(), false);
}

}  // namespace gpuscope::config
