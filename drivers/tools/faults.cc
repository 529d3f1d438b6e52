#include "faults.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "base/text.h"

namespace gpuscope::tools {
namespace {

struct Name {
  std::string_view text;
  FaultKind kind;
  bool takes_number;
};
constexpr std::array kNames{
    Name{"hang", FaultKind::kHang, false},
    Name{"flood", FaultKind::kFlood, false},
    Name{"binary", FaultKind::kBinary, false},
    Name{"signal", FaultKind::kSignal, true},
    Name{"exit", FaultKind::kExit, true},
    Name{"vanish", FaultKind::kVanish, false},
    Name{"junk", FaultKind::kJunk, false},
    Name{"cut", FaultKind::kCut, true},
    Name{"mismatch", FaultKind::kMismatch, false},
    Name{"not_loaded", FaultKind::kNotLoaded, false},
    Name{"lost", FaultKind::kLost, true},
    Name{"reset", FaultKind::kReset, true},
    Name{"failing", FaultKind::kFailing, false},
    Name{"gpus", FaultKind::kGpus, true},
    Name{"not_enabled", FaultKind::kNotEnabled, false},
};

std::optional<Fault> parse_effect(std::string_view text) {
  const std::size_t colon = text.find(':');
  const auto* name = std::ranges::find(kNames, text.substr(0, colon), &Name::text);
  if (name == kNames.end() || name->takes_number != (colon != std::string_view::npos)) {
    return std::nullopt;
  }
  Fault fault{.kind = name->kind};
  if (!name->takes_number) return fault;
  const std::string_view digits = text.substr(colon + 1);
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), fault.amount);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return fault;
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

void write_all(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

[[noreturn]] void end(int status) {
  std::fflush(stdout);
  _exit(status);
}

}  // namespace

base::Result<std::optional<Fault>> parse_faults(std::string_view rules, std::string_view tool,
                                                std::string_view command) {
  std::optional<Fault> found;
  while (!rules.empty()) {
    const std::size_t length = std::min(rules.find_first_of(";\n"), rules.size());
    const std::string_view rule = base::trimmed(rules.substr(0, length));
    rules.remove_prefix(std::min(length + 1, rules.size()));
    if (rule.empty() || rule.starts_with('#')) continue;
    const std::size_t equals = rule.find('=');
    const auto fault = equals == std::string_view::npos
                           ? std::nullopt
                           : parse_effect(base::trimmed(rule.substr(equals + 1)));
    if (!fault) {
      return base::fail(base::ErrorKind::kInvalidArgument,
                        fmt::format("cannot use the fault '{}': it is not TARGET=EFFECT", rule));
    }
    const std::string_view target = base::trimmed(rule.substr(0, equals));
    if (!found && (target == "*" || target == tool || target == command)) found = fault;
  }
  return found;
}

base::Result<std::optional<Fault>> fault_of(std::string_view tool, std::string_view command) {
  if (const std::string path = variable("GPUSCOPE_SIM_TOOL_FAULTS_FILE"); !path.empty()) {
    std::ifstream file(path);
    const std::string rules{std::istreambuf_iterator<char>(file), {}};
    auto fault = parse_faults(rules, tool, command);
    if (!fault || *fault) return fault;
  }
  return parse_faults(variable("GPUSCOPE_SIM_TOOL_FAULTS"), tool, command);
}

void suffer(const Fault& fault) {
  switch (fault.kind) {
    case FaultKind::kHang:
      // As a tool that waits for a driver: it does not end for being asked to.
      std::signal(SIGTERM, SIG_IGN);
      std::signal(SIGINT, SIG_IGN);
      for (;;) pause();
    case FaultKind::kFlood:
      for (;;) write_all("There is no end to this line of words that nobody asked for.\n");
    case FaultKind::kBinary: {
      std::string bytes;
      for (int i = 0; i < 2000; ++i) bytes += static_cast<char>((i * 7919 + i / 256) & 0xff);
      write_all(bytes);
      end(0);
    }
    case FaultKind::kSignal:
      std::signal(static_cast<int>(fault.amount), SIG_DFL);
      std::raise(static_cast<int>(fault.amount));
      end(1);
    case FaultKind::kExit:
      end(static_cast<int>(fault.amount));
    case FaultKind::kMismatch:
      write_all(
          "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: "
          "525.00\n");
      end(18);
    case FaultKind::kNotLoaded:
      write_all(
          "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure "
          "that the latest NVIDIA driver is installed and running.\n\n");
      end(9);
    case FaultKind::kNotEnabled:
      write_all("Error: Health watches not enabled. Please enable watches. \n");
      end(226);
    default:
      return;  // these concern the answer
  }
}

void answer(std::string text, const std::optional<Fault>& fault) {
  if (fault && fault->kind == FaultKind::kJunk) {
    text.insert(0, "WARNING: infoROM is corrupted at gpu 0000:02:00.0\n");
  }
  if (fault && fault->kind == FaultKind::kCut) text.resize(std::min(fault->amount, text.size()));
  write_all(text);
}

}  // namespace gpuscope::tools
