// A stand-in for dcgmi over simulated GPUs: see docs/simulated-tools.md.
#include <fmt/format.h>

#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "faults.h"
#include "machine.h"

namespace gpuscope::tools {
namespace {

using model::Metric;

constexpr std::string_view kTool = "dcgmi";
constexpr std::string_view kRule =
    "+--------+----------------------------------------------------------------------+\n";
constexpr std::size_t kChunk = 54;

std::string discovery(const Machine& machine) {
  std::string text =
      fmt::format("{} GPU{} found.\n", machine.size(), machine.size() == 1 ? "" : "s");
  text += kRule;
  text += fmt::format("| {:<6} | {:<68} |\n", "GPU ID", "Device Information");
  text += kRule;
  for (std::size_t gpu = 0; gpu < machine.size(); ++gpu) {
    const model::GpuInfo& info = machine.info(gpu);
    const auto row = [&](std::string_view id, const std::string& value) {
      text += fmt::format("| {:<6} | {:<68} |\n", id, value);
    };
    // Not nvidia-smi's order: whoever takes these numbers for its indices is wrong.
    row(std::to_string(machine.size() - 1 - gpu), "Name: " + info.name());
    row("", "PCI Bus ID: " + info.fact(model::Fact::kPciBusId).value);
    row("", "Device UUID: " + info.uuid());
    text += kRule;
  }
  text += "0 NvSwitches found.\n+-----------+\n| Switch ID |\n+-----------+\n+-----------+\n";
  return text;
}

struct Incident {
  const char* system;
  const char* value;
  std::string message;
};

// A few of DCGM's rules, far from all: it has seen nothing of a recovery action.
std::vector<Incident> incidents_of(const model::DeviceSample& sample, std::size_t id) {
  std::vector<Incident> found;
  const auto set = [&](Metric metric) {
    const model::Reading reading = sample.at(metric);
    return reading.present() && reading.value > 0;
  };
  if (set(Metric::kEccUncorrectedVolatile)) {
    found.push_back({"Memory system", "Failure",
                     fmt::format("A DBE (double-bit error) has been detected in GPU {}. Run a "
                                 "field diagnostic on the GPU.",
                                 id)});
  }
  if (set(Metric::kClockEventHwThermalSlowdown)) {
    found.push_back({"Thermal system", "Warning",
                     fmt::format("Detected clocks event due to thermal violation in GPU {}. Verify "
                                 "that the cooling on this machine is functional.",
                                 id)});
  }
  if (set(Metric::kClockEventSwPowerCap)) {
    found.push_back({"Power system", "Warning",
                     fmt::format("Detected clocks event due to power violation in GPU {}. Monitor "
                                 "the power conditions. This GPU can still perform workload.",
                                 id)});
  }
  return found;
}

// The message, cut at blanks into pieces that fit a cell of the table.
std::string chunks_of(std::string_view message) {
  std::string text;
  while (!message.empty()) {
    std::size_t length = message.size();
    if (length > kChunk) {
      const std::size_t blank = message.rfind(' ', kChunk);
      length = blank == std::string_view::npos ? kChunk : blank;
    }
    text += fmt::format("{}\"{}\"", text.empty() ? "" : ", ", message.substr(0, length));
    message.remove_prefix(length);
    if (message.starts_with(' ')) message.remove_prefix(1);
  }
  return text;
}

std::string health(const Machine& machine) {
  std::string gpus;
  std::string overall = "Healthy";
  for (std::size_t gpu = 0; gpu < machine.size(); ++gpu) {
    const std::size_t id = machine.size() - 1 - gpu;
    const auto incidents = incidents_of(machine.sample(gpu), id);
    if (incidents.empty()) continue;
    std::string worst = "Warning";
    std::string errors;
    for (const Incident& incident : incidents) {
      if (std::string_view(incident.value) == "Failure") worst = "Failure";
      errors += fmt::format(R"({}"{}" : {{ "value" : "{}", "overflow" : [ {} ] }})",
                            errors.empty() ? "" : ", ", incident.system, incident.value,
                            chunks_of(incident.message));
    }
    if (overall != "Failure") overall = worst;
    gpus += fmt::format(
        R"({}"{}" : {{ "value" : "{}", "children" : {{ "Errors" : {{ "children" : {{ {} }} }} }} }})",
        gpus.empty() ? "" : ", ", id, worst, errors);
  }
  const std::string children =
      gpus.empty() ? "" : fmt::format("\"GPU\" : {{ \"children\" : {{ {} }} }},\n\t\t", gpus);
  return fmt::format(
      "{{\n\t\"body\" : \n\t{{\n\t\t{}\"Overall Health\" : \n\t\t{{\n\t\t\t\"value\" : \"{}\"\n"
      "\t\t}}\n\t}},\n\t\"header\" : \n\t[\n\t\t\"Health Monitor Report\"\n\t]\n}}\n",
      children, overall);
}

int run(const std::vector<std::string>& arguments) {
  const std::string command = arguments.empty() ? "" : arguments.front();
  const bool known = arguments == std::vector<std::string>{"discovery", "-l"} ||
                     arguments == std::vector<std::string>{"health", "-c", "-j"};
  if (!known) {
    std::fputs("dcgmi (simulated): knows 'discovery -l' and 'health -c -j'\n", stderr);
    return 1;
  }
  auto fault = fault_of(kTool, command);
  auto machine = Machine::from_environment();
  if (!fault || !machine) {
    const base::Error& error = !fault ? fault.error() : machine.error();
    std::fprintf(stderr, "dcgmi (simulated): %s\n", error.message.c_str());
    return 1;
  }
  const std::optional<Fault> struck = *fault;
  if (struck) suffer(*struck);
  machine->look();
  answer(command == "health" ? health(*machine) : discovery(*machine), struck);
  return 0;
}

}  // namespace
}  // namespace gpuscope::tools

int main(int argc, char** argv) { return gpuscope::tools::run({argv + 1, argv + argc}); }
