#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>
#include <iostream>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "alert/options.h"
#include "alert/rule_set.h"
#include "commands.h"
#include "config/agent_settings.h"
#include "config/fleet_settings.h"
#include "config/rule_file.h"
#include "config/settings.h"

namespace gpuscope::app {
namespace {

// Which of a file's settings a running agent takes, and which the next start.
void tell_when(const std::string& file, const config::Values& values) {
  for (const bool live : {true, false}) {
    std::vector<std::string_view> keys;
    for (const config::Setting& row : config::agent_settings_table()) {
      if (row.live == live && values.contains(row.flag)) keys.push_back(row.key);
    }
    if (keys.empty()) continue;
    std::cout << fmt::format("{}: a running agent takes {}: {}\n", file,
                             live ? "at once" : "when it is started again", fmt::join(keys, ", "));
  }
}

// Whose settings a file has is never said: it is the fleet's where that leaves fewer unknown keys.
int check_settings(const std::string& file) {
  const auto agent = config::read_settings(config::agent_settings_table(), file);
  const auto fleet = config::read_settings(config::fleet_settings_table(), file);
  if (!agent || !fleet) {
    std::cout << fmt::format("{}: {}\n", file, (agent ? fleet : agent).error().message);
    return 1;
  }
  const bool is_fleet = fleet->unknown < agent->unknown;
  const config::FileSettings& found = is_fleet ? *fleet : *agent;
  if (!found.mistakes.empty()) {
    for (const std::string& mistake : found.mistakes) std::cout << mistake << '\n';
    return 1;
  }
  if (is_fleet) {
    if (const auto fits = config::check_fleet_values(found.values); !fits) {
      std::cout << fmt::format("{}: {}\n", file, fits.error().message);
      return 1;
    }
    std::cout << fmt::format("{}: ok: of gpuscope fleet, which takes it when it is started\n",
                             file);
    return 0;
  }
  std::cout << fmt::format("{}: ok\n", file);
  tell_when(file, found.values);
  return 0;
}

}  // namespace

int run(const CheckConfigCommand& command) {
  int status = 0;
  for (const std::string& file : command.files) status = std::max(status, check_settings(file));
  return status;
}

int run(const CheckRulesCommand& command) {
  int status = 0;
  for (const std::string& path : command.files) {
    const auto file = config::read_rule_file(path);
    if (!file) {
      std::cout << fmt::format("{}: {}\n", path, file.error().message);
      status = 1;
      continue;
    }
    std::vector<alert::RuleMistake> mistakes = file->mistakes;
    std::size_t rules = 0;
    if (const auto made = alert::make_rule_set(file->groups, alert::AlertingOptions{}.interval)) {
      for (const alert::ReadyGroup& group : *made) rules += group.rules.size();
    } else {
      mistakes.insert(mistakes.end(), made.error().begin(), made.error().end());
    }
    std::ranges::sort(mistakes, {}, [](const alert::RuleMistake& mistake) {
      return std::tie(mistake.line, mistake.what);
    });
    for (const alert::RuleMistake& mistake : mistakes) {
      std::cout << config::describe(mistake) << '\n';
    }
    if (mistakes.empty()) {
      std::cout << fmt::format("{}: ok: {} rules\n", path, rules);
    } else {
      status = 1;
    }
  }
  return status;
}

}  // namespace gpuscope::app
