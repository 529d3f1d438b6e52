// What the program can be told to do, and the functions that do it.
#pragma once

#include <cstdint>
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

struct FleetCommand {
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

struct CheckRulesCommand {
  std::vector<std::string> files;
};

// What is left empty was not given.
struct HistoryCommand {
  enum class Action : std::uint8_t { kExport, kInfo, kVacuum, kImport, kRecord };
  Action action = Action::kInfo;
  std::string data_dir;
  std::string db;  // stronger
  // export
  std::string out;
  std::string from;
  std::string to;
  std::string step;
  std::string format = "csv";
  std::vector<std::string> labels;  // NAME=VALUE
  bool all = false;
  // info
  std::string gap = "1m";
  // import
  std::string file;
  std::string ahead_of_utc;
  // record
  std::string host;
  std::string method;
  std::string interval = "15s";
};

struct NotifyTestCommand {
  std::string receiver;  // empty: all of them
  Flags flags;
};

using Command = std::variant<AgentCommand, FleetCommand, QueryCommand, CheckConfigCommand,
                             CheckRulesCommand, HistoryCommand, NotifyTestCommand>;

// What the command line asks for; or the program's exit status, when a usage text, the version or a
// mistake has been printed and nothing is left to do.
std::variant<Command, int> parse_command_line(int argc, char** argv);

// Each runs one command to its end and returns the program's exit status. Results go to standard
// output, all else to standard error.
int run(const AgentCommand& command);
int run(const FleetCommand& command);
int run(const QueryCommand& command);
int run(const CheckConfigCommand& command);
int run(const CheckRulesCommand& command);
int run(const HistoryCommand& command);
int run(const NotifyTestCommand& command);

}  // namespace gpuscope::app
