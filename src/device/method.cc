#include "device/method.h"

#include <utility>
#include <vector>

#include <fmt/format.h>

#include "device/auto_source.h"
#include "device/replay/replay_source.h"
#include "device/sim/sim_source.h"

namespace gpuscope::device {
namespace {

using Made = base::Result<std::unique_ptr<model::Source>>;

}  // namespace

std::optional<Method> parse_method(std::string_view name) {
  if (name == "nvml") return Method::kNvml;
  if (name == "smi" || name == "bash") return Method::kSmi;
  if (name == "sim") return Method::kSim;
  if (name == "auto") return Method::kAuto;
  if (name == "replay") return Method::kReplay;
  return std::nullopt;
}

std::string_view method_name(Method method) {
  switch (method) {
    case Method::kNvml:
      return "nvml";
    case Method::kSmi:
      return "smi";
    case Method::kSim:
      return "sim";
    case Method::kAuto:
      return "auto";
    case Method::kReplay:
      return "replay";
  }
  return "nvml";
}

Made make_source(std::string_view name, const DeviceOptions& options, const base::Clock& clock) {
  const std::optional<Method> method = parse_method(name);
  if (!method) {
    return base::fail(
        base::ErrorKind::kInvalidArgument,
        fmt::format(
            "cannot read GPUs by the method '{}': it is one of nvml, smi, bash, sim, replay, auto",
            name));
  }
  switch (*method) {
    case Method::kNvml:
      return nvml::make_nvml_source(options.nvml, clock);
    case Method::kSmi:
      return smi::make_smi_source(options.smi, clock);
    case Method::kSim:
      return sim::make_sim_source(options.sim);
    case Method::kAuto: {
      std::vector<Candidate> candidates;
      candidates.push_back({"nvml", nvml::make_nvml_source(options.nvml, clock)});
      candidates.push_back({"smi", smi::make_smi_source(options.smi, clock)});
      return make_auto_source(std::move(candidates));
    }
    case Method::kReplay:
      if (options.replay) return replay::make_replay_source(*options.replay);
      return base::fail(
          base::ErrorKind::kUnavailable,
          "cannot replay GPUs: no recording is named; start the program with --replay "
          "FILE");
  }
  return base::fail(base::ErrorKind::kInternal, "cannot make a source of no known method");
}

}  // namespace gpuscope::device
