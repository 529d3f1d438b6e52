// The agent's settings: the table of what there is, and what it becomes.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "act/options.h"
#include "advise/options.h"
#include "analyze/options.h"
#include "base/log.h"
#include "base/result.h"
#include "collect/collector.h"
#include "config/alert_settings.h"
#include "config/notify_settings.h"
#include "config/settings.h"
#include "device/nvml/nvml_source.h"
#include "device/replay/options.h"
#include "device/sim/options.h"
#include "device/smi/smi_source.h"
#include "http/server.h"
#include "model/naming.h"
#include "prom/options.h"

namespace gpuscope::config {

// How GPUs are read, for other commands than the agent.
struct DeviceSettings {
  device::sim::Options sim;
  device::smi::Options smi;
  std::optional<device::replay::Options> replay;
};

// How the agent remembers.
struct HistorySettings {
  bool enabled = true;  // without a word from anybody: not for what is replayed
  std::chrono::hours keep_ticks{24 * 15};
  std::chrono::hours keep_rollups{24 * 365};
  std::uint64_t max_bytes = std::uint64_t{2} << 30;
};

struct AgentSettings {
  std::string method;  // "nvml", "smi", "bash", "sim", "auto", or, with `replay`, "replay"
  http::Options http;
  collect::Options collect;
  device::nvml::Options nvml;
  device::sim::Options sim;
  device::smi::Options smi;
  std::optional<device::replay::Options> replay;
  std::optional<std::string> record;  // the file that is recorded to
  // How /metrics looks: whose names, under which label the host stands, what it is called (empty:
  // as the system says), and dcgm-exporter's list of counters (empty: none).
  model::DcgmNames dcgm_names = model::DcgmNames::kOld;
  std::string dcgm_hostname_label = "Hostname";
  std::string hostname;
  std::string dcgm_counters;
  HistorySettings history;
  AlertSettings alerts;
  NotifySettings notify;
  double sim_speed = 1;          // how fast time passes; not 1 for the method "sim" alone
  bool analysis_enabled = true;  // whether use is judged, from the history
  analyze::Options analysis;
  advise::Options opinions;
  act::Options control;
  prom::RemoteWriteOptions remote_write;  // but for the file of the position
  std::string data_dir;                   // empty: there is none
  std::string data_dir_trouble;           // why, and the cure
  base::LogLevel log_level = base::LogLevel::kInfo;
  base::LogFormat log_format = base::LogFormat::kText;
  Values values;  // all that somebody gave, from which the above was made
};

// Every setting of the agent, in the order in which people are told of them.
std::span<const Setting> agent_settings_table();
// Those of DeviceSettings, which other commands take too: a part of the same table.
std::span<const Setting> device_settings_table();

// Flags over environment over the file that --config or GPUSCOPE_CONFIG names over defaults. An
// error has everything that is wrong with the file, a line each.
base::Result<AgentSettings> load_agent_settings(const std::map<std::string, std::string>& flags,
                                                const Environment& environment, bool is_root);

// DeviceSettings alone, flags over environment over defaults.
base::Result<DeviceSettings> load_device_settings(const std::map<std::string, std::string>& flags,
                                                  const Environment& environment);

// Where the agent keeps what must outlive it when nobody says: /var/lib/gpuscope for root, else
// $XDG_STATE_HOME/gpuscope or ~/.local/state/gpuscope. kNotFound when there is no home either.
base::Result<std::string> default_data_dir(const Environment& environment, bool is_root);

// What the setting data-dir says, else that.
base::Result<std::string> data_dir_from(const Values& values, const Environment& environment,
                                        bool is_root);

}  // namespace gpuscope::config
