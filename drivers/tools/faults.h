// Faults of the tools, on demand: see docs/simulated-tools.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gpuscope::tools {

enum class FaultKind : std::uint8_t {
  kHang,        // writes nothing and never ends
  kFlood,       // writes for ever
  kBinary,      // writes bytes that are no text, and ends well
  kSignal,      // ends by a signal
  kExit,        // ends with a status and without a word
  kVanish,      // a loop ends after its next sample, as if killed
  kJunk,        // a warning stands in front of the answer
  kCut,         // the answer ends after so many bytes
  kMismatch,    // library and driver differ
  kNotLoaded,   // the driver is not loaded
  kLost,        // one GPU keeps nvidia-smi from answering, unless others are asked for
  kReset,       // one GPU needs a reset
  kFailing,     // every cell reads Unknown Error
  kGpus,        // only so many GPUs are there
  kNotEnabled,  // dcgmi's health watches are not enabled
};

struct Fault {
  FaultKind kind = FaultKind::kHang;
  std::size_t amount = 0;  // signal, status, bytes, or GPU
};

// The first rule for `command` of `tool` in GPUSCOPE_SIM_TOOL_FAULTS or, before that, in the file
// that GPUSCOPE_SIM_TOOL_FAULTS_FILE names, which is read at each call. An error names the rule
// that is wrong.
base::Result<std::optional<Fault>> fault_of(std::string_view tool, std::string_view command);

// The same from a text.
base::Result<std::optional<Fault>> parse_faults(std::string_view rules, std::string_view tool,
                                                std::string_view command);

// Does what the fault says where that ends the program, or never ends.
void suffer(const Fault& fault);

// Writes all of an answer, as far as the fault lets it.
void answer(std::string text, const std::optional<Fault>& fault);

}  // namespace gpuscope::tools
