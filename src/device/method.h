// The ways to read GPUs, by name.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "device/nvml/nvml_source.h"
#include "device/replay/options.h"
#include "device/sim/options.h"
#include "device/smi/smi_source.h"
#include "model/source.h"

namespace gpuscope::device {

enum class Method : std::uint8_t {
  kNvml,
  kSmi,  // NVIDIA's command-line tools; "bash" is its older name
  kSim,
  kAuto,  // the first of nvml and smi that finds a GPU
  kReplay,
};

// "nvml", "smi" (or "bash"), "sim", "auto", "replay"; nothing for any other word.
std::optional<Method> parse_method(std::string_view name);
// The name that documents and settings use: "smi" also for what was asked for as "bash".
std::string_view method_name(Method method);

struct DeviceOptions {
  sim::Options sim;
  nvml::Options nvml;
  smi::Options smi;
  std::optional<replay::Options> replay;  // none: nothing to replay was named
};

// A source of that method, not opened yet. kInvalidArgument for a name that parse_method() does not
// know; kUnavailable for a replay of nothing. `clock` must outlive the source.
base::Result<std::unique_ptr<model::Source>> make_source(std::string_view method,
                                                         const DeviceOptions& options,
                                                         const base::Clock& clock);

}  // namespace gpuscope::device
