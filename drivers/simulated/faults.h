// Faults on demand: which calls fail, are slow or never return, and when.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "device/nvml/abi.h"

namespace gpuscope::simulated {

using Milliseconds = std::chrono::milliseconds;

// One call, as faults see it.
struct CallSite {
  std::string_view function;       // "nvmlDeviceGetTemperature"; "field/186" within a batch
  std::optional<std::size_t> gpu;  // none: the call is not about a GPU
  bool init = false;               // one of the nvmlInit family
};

// What becomes of a call.
struct Outcome {
  nvmlReturn_t error = NVML_SUCCESS;
  Milliseconds delay{0};
  bool blocked = false;  // it does not return while this is so
};

// One rule, for any time and anything that it fits.
struct FaultRule {
  enum class Target { kInit, kFunction, kGpu };
  Target target = Target::kGpu;
  std::optional<std::size_t> gpu;  // of kGpu; none: every GPU
  std::string function;            // a trailing '*' stands for any ending
  Outcome outcome;
  Milliseconds from{0};
  std::optional<Milliseconds> until;  // exclusive; none: for ever
};

// Immutable once parsed.
class FaultPlan {
 public:
  // The syntax is that of docs/simulated-driver.md; empty text is a plan without faults. An error
  // names the rule that is wrong.
  static base::Result<FaultPlan> parse(std::string_view text);

  // `since` the plan came into force. The first error that fits wins, and the longest delay.
  Outcome at(const CallSite& call, Milliseconds since) const;
  bool empty() const { return rules_.empty(); }
  const std::vector<FaultRule>& rules() const { return rules_; }

 private:
  std::vector<FaultRule> rules_;
};

}  // namespace gpuscope::simulated
