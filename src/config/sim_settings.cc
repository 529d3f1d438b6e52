#include "config/sim_settings.h"

#include <fmt/format.h>

#include <limits>
#include <utility>

#include "config/scenario.h"
#include "config/setting_value.h"

namespace gpuscope::config {
namespace {

using base::ErrorKind;

struct Names {
  std::string_view gpus, seed, scenario, time;
};

// Reads one setting with its parser; one that was not given leaves `out` as it is.
template <typename T, typename Out>
base::Result<void> read(const std::optional<std::string>& text, std::string_view name,
                        std::optional<T> (*parse)(std::string_view), std::string_view takes,
                        Out& out) {
  if (!text || text->empty()) return {};
  const std::optional<T> value = parse(*text);
  if (!value) {
    return base::fail(ErrorKind::kInvalidArgument,
                      fmt::format("cannot use {}: '{}' is not {}", name, *text, takes));
  }
  out = *value;
  return {};
}

base::Result<device::sim::Options> make(const SimSettings& settings, const Names& names) {
  device::sim::Options options;
  if (settings.scenario && !settings.scenario->empty()) {
    auto scenario = load_scenario(*settings.scenario);
    if (!scenario) {
      return base::fail(scenario.error().kind,
                        fmt::format("cannot use {}: {}", names.scenario, scenario.error().message));
    }
    options.scenario = *std::move(scenario);
    options.gpus = options.scenario->gpus.value_or(options.gpus);
  }
  if (auto ok = read(settings.gpus, names.gpus, parse_sim_gpus, kSimGpusTakes, options.gpus); !ok) {
    return std::unexpected(ok.error());
  }
  if (auto ok = read(settings.seed, names.seed, parse_sim_seed, kSimSeedTakes, options.seed); !ok) {
    return std::unexpected(ok.error());
  }
  if (auto ok =
          read(settings.time, names.time, base::parse_time, base::kTimeTakes, options.frozen_at);
      !ok) {
    return std::unexpected(ok.error());
  }
  return options;
}

}  // namespace

std::optional<int> parse_sim_gpus(std::string_view text) {
  return parse_number<int>(text, 1, device::sim::kMaxGpus);
}

std::optional<std::uint64_t> parse_sim_seed(std::string_view text) {
  return parse_number<std::uint64_t>(text, 0, std::numeric_limits<std::uint64_t>::max());
}

base::Result<device::sim::Options> sim_options(const SimSettings& settings) {
  return make(settings, {"the number of GPUs", "the seed", "the scenario", "the simulated time"});
}

base::Result<device::sim::Options> sim_options_from_environment(const Environment& environment) {
  constexpr Names kNames{"GPUSCOPE_SIM_GPUS", "GPUSCOPE_SIM_SEED", "GPUSCOPE_SIM_SCENARIO",
                         "GPUSCOPE_SIM_TIME"};
  const auto get = [&](std::string_view name) { return environment(std::string(name)); };
  return make({get(kNames.gpus), get(kNames.seed), get(kNames.scenario), get(kNames.time)}, kNames);
}

}  // namespace gpuscope::config
