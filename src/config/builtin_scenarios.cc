#include <array>

#include "config/scenario.h"

// Written by the build from src/device/sim/scenarios/*.yaml.
namespace gpuscope::embedded {
extern const std::string_view scenario_ecc_failing;
extern const std::string_view scenario_fallen_off_bus;
extern const std::string_view scenario_hung_collective;
extern const std::string_view scenario_idle_with_memory;
extern const std::string_view scenario_inference;
extern const std::string_view scenario_mig;
extern const std::string_view scenario_overheating;
extern const std::string_view scenario_throttled;
extern const std::string_view scenario_training;
extern const std::string_view scenario_unified_memory;
extern const std::string_view scenario_vgpu_host;
}  // namespace gpuscope::embedded

namespace gpuscope::config {

std::span<const BuiltinScenario> builtin_scenarios() {
  static const std::array kScenarios{
      BuiltinScenario{"ecc_failing", embedded::scenario_ecc_failing},
      BuiltinScenario{"fallen_off_bus", embedded::scenario_fallen_off_bus},
      BuiltinScenario{"hung_collective", embedded::scenario_hung_collective},
      BuiltinScenario{"idle_with_memory", embedded::scenario_idle_with_memory},
      BuiltinScenario{"inference", embedded::scenario_inference},
      BuiltinScenario{"mig", embedded::scenario_mig},
      BuiltinScenario{"overheating", embedded::scenario_overheating},
      BuiltinScenario{"throttled", embedded::scenario_throttled},
      BuiltinScenario{"training", embedded::scenario_training},
      BuiltinScenario{"unified_memory", embedded::scenario_unified_memory},
      BuiltinScenario{"vgpu_host", embedded::scenario_vgpu_host},
  };
  return kScenarios;
}

}  // namespace gpuscope::config
