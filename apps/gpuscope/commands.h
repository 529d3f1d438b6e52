// What the program can be told to do, and the functions that do it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "wire/query_document.h"

namespace gpuscope::app {

// Flags that were given, without dashes: what is not in it comes from elsewhere.
using Flags = std::map<std::string, std::string>;

struct AgentCommand {
  Flags flags;
};

struct QueryCommand {
  std::optional<std::string>
      method;  // "nvml", "bash" or "sim"; none: nvml, or a recording's replay
  wire::Query query;
  Flags flags;  // of the simulation
};

struct CheckConfigCommand {
  std::vector<std::string> files;
};

using Command = std::variant<AgentCommand, QueryCommand, CheckConfigCommand>;

// What the command line asks for; or the program's exit status, when a usage text, the version or a
// mistake has been printed and nothing is left to do.
std::variant<Command, int> parse_command_line(int argc, char** argv);

// Each runs one command to its end and returns the program's exit status. Results go to standard
// output, all else to standard error.
int run(const AgentCommand& command);
int run(const QueryCommand& command);
int run(const CheckConfigCommand& command);

}  // namespace gpuscope::app
