// A stand-in for nvidia-smi over simulated GPUs: see docs/simulated-tools.md.
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "faults.h"
#include "machine.h"
#include "smi_document.h"
#include "smi_query.h"

namespace gpuscope::tools {
namespace {

constexpr std::string_view kTool = "nvidia-smi";

struct Request {
  bool document = false;  // -q -x
  bool list = false;      // -L
  bool help = false;      // --help-query-gpu
  std::string query;      // --query-gpu=
  bool header = true;
  bool units = true;
  std::chrono::milliseconds loop{0};
  std::string ids;
};

// The value of "--name=value", or of "-n value", which takes the next argument away.
std::optional<std::string> value_of(const std::vector<std::string>& arguments, std::size_t& at,
                                    std::string_view brief, std::string_view name) {
  const std::string& argument = arguments[at];
  if (argument == brief && at + 1 < arguments.size()) return arguments[++at];
  if (argument.starts_with(name) && argument.size() > name.size() && argument[name.size()] == '=') {
    return argument.substr(name.size() + 1);
  }
  return std::nullopt;
}

long number(const std::string& text) { return std::strtol(text.c_str(), nullptr, 10); }

std::optional<Request> parse(const std::vector<std::string>& arguments) {
  Request request;
  bool xml = false;
  bool query_text = false;
  for (std::size_t at = 0; at < arguments.size(); ++at) {
    const std::string& argument = arguments[at];
    if (argument == "-q" || argument == "--query") {
      query_text = true;
    } else if (argument == "-x" || argument == "--xml-format") {
      xml = true;
    } else if (argument == "-L" || argument == "--list-gpus") {
      request.list = true;
    } else if (argument == "--help-query-gpu") {
      request.help = true;
    } else if (const auto format = value_of(arguments, at, "", "--format")) {
      request.header = format->find("noheader") == std::string::npos;
      request.units = format->find("nounits") == std::string::npos;
    } else if (const auto query = value_of(arguments, at, "", "--query-gpu")) {
      request.query = *query;
    } else if (const auto ids = value_of(arguments, at, "-i", "--id")) {
      request.ids = *ids;
    } else if (const auto every = value_of(arguments, at, "-lms", "--loop-ms")) {
      request.loop = std::chrono::milliseconds(number(*every));
    } else if (const auto seconds = value_of(arguments, at, "-l", "--loop")) {
      request.loop = std::chrono::seconds(number(*seconds));
    } else {
      return std::nullopt;
    }
  }
  request.document = xml && query_text;
  const int asked = (request.document ? 1 : 0) + (request.list ? 1 : 0) + (request.help ? 1 : 0) +
                    (request.query.empty() ? 0 : 1);
  if (asked != 1) return std::nullopt;
  return request;
}

std::string_view command_of(const Request& request) {
  if (request.document) return "xml";
  if (request.list) return "list";
  return request.help ? "help" : "query";
}

std::string listing(const Machine& machine, const std::vector<std::size_t>& gpus) {
  std::string text;
  for (const std::size_t gpu : gpus) {
    const model::GpuInfo& info = machine.info(gpu);
    text += fmt::format("GPU {}: {} (UUID: {})\n", gpu, info.name(), info.uuid());
    const auto& instances = machine.sample(gpu).mig_instances;
    for (std::size_t i = 0; i < instances.size(); ++i) {
      text += fmt::format("  MIG {:<11} Device {:>2}: (UUID: {})\n", instances[i].profile, i,
                          instances[i].uuid);
    }
  }
  return text;
}

// Those that are there.
void thin_out(std::vector<std::size_t>& gpus, const std::optional<Fault>& fault) {
  if (!fault || fault->kind != FaultKind::kGpus) return;
  std::erase_if(gpus, [&](std::size_t gpu) { return gpu >= fault->amount; });
}

// A GPU that is lost, or needs a reset, as the fault says.
bool strikes(const std::optional<Fault>& fault, FaultKind kind, std::size_t gpu) {
  return fault && fault->kind == kind && fault->amount == gpu;
}

// Words in place of the whole answer, where one lost GPU is among those that were asked for.
std::string refusal(const Machine& machine, const std::vector<std::size_t>& gpus,
                    const std::optional<Fault>& fault) {
  for (const std::size_t gpu : gpus) {
    if (!strikes(fault, FaultKind::kLost, gpu)) continue;
    return fmt::format(
        "Unable to determine the device handle for GPU {}: GPU is lost.  Reboot the system to "
        "recover this GPU\n",
        machine.info(gpu).fact(model::Fact::kPciBusId).value.substr(4));
  }
  return {};
}

std::string sample_lines(const GpuQuery& query, const Machine& machine,
                         const std::vector<std::size_t>& gpus, const std::optional<Fault>& fault) {
  std::string text;
  for (const std::size_t gpu : gpus) {
    std::string line = query.line(machine, gpu);
    const bool failing = fault && fault->kind == FaultKind::kFailing;
    if (failing || strikes(fault, FaultKind::kReset, gpu)) {
      // Index and UUID stay, and a memory of zero.
      std::string broken;
      std::size_t cells = 0;
      for (std::size_t begin = 0; begin < line.size(); ++cells) {
        const std::size_t end = std::min(line.find_first_of(",\n", begin), line.size());
        const std::string cell = line.substr(begin, end - begin);
        const char* words = failing ? "[Unknown Error]" : "[GPU requires reset]";
        broken += (cells == 0 ? "" : ", ") +
                  (cells < 2 ? cell.substr(cells == 0 ? 0 : 1) : std::string(words));
        begin = end + 1;
      }
      line = broken + "\n";
    }
    text += line;
  }
  return text;
}

int run_query(Machine& machine, const Request& request, const std::vector<std::size_t>& gpus,
              std::optional<Fault> fault) {
  const auto query = GpuQuery::parse(request.query, request.units);
  if (!query) {
    answer(query.error(), std::nullopt);
    return 2;
  }
  if (request.header) answer(query->header(), std::nullopt);
  auto next = std::chrono::steady_clock::now();
  for (;;) {
    if (fault) suffer(*fault);
    std::vector<std::size_t> present = gpus;
    thin_out(present, fault);
    if (const std::string words = refusal(machine, present, fault); !words.empty()) {
      answer(words, std::nullopt);
      return 15;
    }
    answer(sample_lines(*query, machine, present, fault), fault);
    if (request.loop.count() <= 0) return 0;
    if (fault && fault->kind == FaultKind::kVanish) std::_Exit(0);
    next += request.loop;
    std::this_thread::sleep_until(next);
    machine.look();
    auto now = fault_of(kTool, "query");
    fault = now ? *now : std::nullopt;
  }
}

int run(const std::vector<std::string>& arguments) {
  const auto request = parse(arguments);
  if (!request) {
    std::fputs("Invalid combination of input arguments. Please run 'nvidia-smi -h' for help.\n",
               stdout);
    return 2;
  }
  const auto complain = [](const base::Error& error) {
    std::fprintf(stderr, "nvidia-smi (simulated): %s\n", error.message.c_str());
    return 2;
  };
  const auto found = fault_of(kTool, command_of(*request));
  if (!found) return complain(found.error());
  const std::optional<Fault> fault = *found;
  if (fault) suffer(*fault);
  if (request->help) {
    answer(query_help(), fault);
    return 0;
  }
  auto machine = Machine::from_environment();
  if (!machine) return complain(machine.error());
  machine->look();
  auto gpus = machine->select(request->ids);
  if (!gpus) {
    std::fputs("No devices were found\n", stdout);
    return 6;
  }
  if (!request->query.empty()) return run_query(*machine, *request, *gpus, fault);
  thin_out(*gpus, fault);
  if (const std::string words = refusal(*machine, *gpus, fault); !words.empty()) {
    answer(words, std::nullopt);
    return 15;
  }
  if (request->list) {
    answer(listing(*machine, *gpus), fault);
    return 0;
  }
  const char* schema = std::getenv("GPUSCOPE_SIM_SMI_SCHEMA");
  const bool v12 = schema != nullptr && std::string_view(schema) == "v12";
  answer(smi_document(*machine, *gpus, v12 ? Schema::kV12 : Schema::kV13), fault);
  return 0;
}

}  // namespace
}  // namespace gpuscope::tools

int main(int argc, char** argv) { return gpuscope::tools::run({argv + 1, argv + argc}); }
