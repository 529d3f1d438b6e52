// The settings of the fleet's analysis: of the service `gpuscope fleet`, and those of them that an
// agent has, too.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>

#include "act/options.h"
#include "advise/options.h"
#include "analyze/options.h"
#include "base/log.h"
#include "base/result.h"
#include "config/settings.h"
#include "http/server.h"
#include "prom/options.h"

namespace gpuscope::config {

struct FleetSettings {
  http::Options http;
  prom::ReaderOptions reader;
  analyze::Options analysis;
  advise::Options opinions;
  act::Options control;
  std::size_t max_workers = 8;
  std::string data_dir;          // empty: there is none
  std::string data_dir_trouble;  // why, and the cure
  base::LogLevel log_level = base::LogLevel::kInfo;
  base::LogFormat log_format = base::LogFormat::kText;
  Values values;  // all that somebody gave, from which the above was made
};

// Every setting of the service, in the order in which people are told of them.
std::span<const Setting> fleet_settings_table();
// How use is judged, and when: what an agent that analyses its own history takes, too.
std::span<const Setting> analysis_settings_table();
// What those come to, second opinions and acting on them among it. kInvalidArgument for settings
// that do not go together.
struct AnalysisSettings {
  analyze::Options analysis;
  advise::Options opinions;
  act::Options control;
};
base::Result<AnalysisSettings> analysis_from(const Values& values);

// Flags over environment over the file over defaults. The file is the one that --config or
// GPUSCOPE_CONFIG names, else config.yaml in the working directory where there is one. An error has
// everything that is wrong with the file, a line each.
base::Result<FleetSettings> load_fleet_settings(const std::map<std::string, std::string>& flags,
                                                const Environment& environment, bool is_root);

// Whether values that are each fine go together. Errors as of load_fleet_settings().
base::Result<void> check_fleet_values(const Values& values);

}  // namespace gpuscope::config
