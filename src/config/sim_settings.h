// From text settings to simulated GPUs, for every program that simulates.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/duration.h"
#include "base/result.h"
#include "config/settings.h"
#include "device/sim/options.h"

namespace gpuscope::config {

// As somebody wrote them; an absent or empty one takes its default.
struct SimSettings {
  std::optional<std::string> gpus{};      // 1 to 10000; else the scenario's own number; else 3
  std::optional<std::string> seed{};      // 0 to 2^64-1; else 1
  std::optional<std::string> scenario{};  // a built-in name or a file; else none
  std::optional<std::string> time{};      // freezes the simulation: see parse_time()
};

// What each takes, for errors: "'x' is not …".
inline constexpr std::string_view kSimGpusTakes = "a whole number from 1 to 10000";
inline constexpr std::string_view kSimSeedTakes = "a whole number from 0 to 18446744073709551615";

std::optional<int> parse_sim_gpus(std::string_view text);
std::optional<std::uint64_t> parse_sim_seed(std::string_view text);

// Reads the scenario's file, if it is one. Errors name the setting and what it takes.
base::Result<device::sim::Options> sim_options(const SimSettings& settings);

// GPUSCOPE_SIM_GPUS, GPUSCOPE_SIM_SEED, GPUSCOPE_SIM_SCENARIO, GPUSCOPE_SIM_TIME; the errors name
// these.
base::Result<device::sim::Options> sim_options_from_environment(
    const Environment& environment = process_environment());

}  // namespace gpuscope::config
