#include <fmt/format.h>

#include <iostream>

#include "commands.h"
#include "config/agent_settings.h"
#include "config/settings.h"

namespace gpuscope::app {

int run(const CheckConfigCommand& command) {
  int status = 0;
  for (const std::string& file : command.files) {
    const auto found = config::read_settings(config::agent_settings_table(), file);
    if (!found) {
      std::cout << fmt::format("{}: {}\n", file, found.error().message);
      status = 1;
    } else if (found->mistakes.empty()) {
      std::cout << fmt::format("{}: ok\n", file);
    } else {
      for (const std::string& mistake : found->mistakes) std::cout << mistake << '\n';
      status = 1;
    }
  }
  return status;
}

}  // namespace gpuscope::app
