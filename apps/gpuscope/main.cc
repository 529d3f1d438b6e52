#include <cstdio>
#include <exception>

#include "commands.h"

int main(int argc, char** argv) {
  // Our libraries do not throw; memory that is not there still can.
  try {
    const auto parsed = gpuscope::app::parse_command_line(argc, argv);
    if (const int* status = std::get_if<int>(&parsed)) return *status;
    return std::visit([](const auto& command) { return gpuscope::app::run(command); },
                      std::get<gpuscope::app::Command>(parsed));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gpuscope: cannot go on: %s\n", error.what());
  }
  return 1;
}
