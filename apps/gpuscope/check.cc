#include <fmt/format.h>
#include <fmt/ranges.h>

#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "commands.h"
#include "config/agent_settings.h"
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

}  // namespace

int run(const CheckConfigCommand& command) {
  int status = 0;
  for (const std::string& file : command.files) {
    const auto found = config::read_settings(config::agent_settings_table(), file);
    if (!found) {
      std::cout << fmt::format("{}: {}\n", file, found.error().message);
      status = 1;
    } else if (found->mistakes.empty()) {
      std::cout << fmt::format("{}: ok\n", file);
      tell_when(file, found->values);
    } else {
      for (const std::string& mistake : found->mistakes) std::cout << mistake << '\n';
      status = 1;
    }
  }
  return status;
}

}  // namespace gpuscope::app
