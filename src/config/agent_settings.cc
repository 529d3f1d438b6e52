#include "config/agent_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "config/fleet_settings.h"
#include "config/listen.h"
#include "config/notify_settings.h"
#include "config/remote_write_settings.h"
#include "config/scenario.h"
#include "config/server_credentials.h"
#include "config/setting_value.h"
#include "config/sim_settings.h"
#include "config/size.h"

namespace gpuscope::config {
namespace {

using base::ErrorKind;
using base::fail;
using base::kTimeTakes;
using std::chrono::milliseconds;

constexpr std::size_t kMaxStreamListeners = 100'000;
constexpr std::chrono::hours kMinKeep{1};
constexpr double kMaxSimSpeed = 1000;
constexpr std::uint64_t kMinHistoryBytes = std::uint64_t{16} << 20;

std::optional<milliseconds> parse_interval(std::string_view text) {
  return parse_within(text, milliseconds{100}, std::chrono::seconds{60});
}

std::optional<milliseconds> parse_window(std::string_view text) {
  return parse_within(text, std::chrono::seconds{1}, std::chrono::minutes{10});
}

std::string check_method(const Setting& row, std::string_view value) {
  constexpr std::array<std::string_view, 6> kMethods{"auto", "nvml", "smi",
                                                     "bash", "sim",  "replay"};
  return std::ranges::find(kMethods, value) == kMethods.end() ? is_not(row, value) : "";
}

std::string check_hostname_label(const Setting& row, std::string_view value) {
  return value == "Hostname" || value == "hostname" ? "" : is_not(row, value);
}

std::optional<std::chrono::hours> parse_keep(std::string_view text) {
  const auto parsed = parse_within(text, kMinKeep);
  if (!parsed) return std::nullopt;
  return std::chrono::floor<std::chrono::hours>(*parsed);
}

std::optional<std::uint64_t> parse_history_size(std::string_view text) {
  const auto size = parse_size(text);
  return size.value_or(0) >= kMinHistoryBytes ? size : std::nullopt;
}

// Nullopt for what is no speed; within it, nullopt for "max".
std::optional<std::optional<double>> parse_replay_speed(std::string_view text) {
  if (text == "max") return std::optional<double>{};
  const auto speed = parse_number(text, device::replay::kMinSpeed, device::replay::kMaxSpeed);
  if (!speed) return std::nullopt;
  return std::make_optional(speed);
}

std::optional<std::size_t> parse_stream_listeners(std::string_view text) {
  return parse_number<std::size_t>(text, 0, kMaxStreamListeners);
}

// A file is read here and again when the options are built: a mistake in it belongs to the setting.
std::string check_sim_scenario(const Setting&, std::string_view value) {
  const auto scenario = load_scenario(std::string(value));
  return scenario ? "" : scenario.error().message;
}

std::optional<double> parse_sim_speed(std::string_view text) {
  return parse_number(text, 1.0, kMaxSimSpeed);
}

constexpr std::size_t kDeviceSettings = 7;
constexpr auto kAgentTable = std::to_array<Setting>({
    {"config", "", "GPUSCOPE_CONFIG", "FILE", "the name of a YAML file", "",
     "where all other settings are read from", check_present},
    {"method", "method", "GPUSCOPE_METHOD", "NAME", "one of auto, nvml, smi, bash, sim, replay",
     "auto, or replay where a recording is named",
     "how GPUs are read: auto takes what works here, bash is another name of smi", check_method},
    {"listen", "listen", "GPUSCOPE_LISTEN", "HOST:PORT",
     "an address such as 127.0.0.1:9555, [::1]:9555 or 0.0.0.0:9555", "127.0.0.1:9555",
     "where it serves; port 0 takes any that is free", check_by<parse_listen>},
    {"interval", "interval", "GPUSCOPE_INTERVAL", "DURATION",
     "a duration from 100ms to 60s, such as 1s", "1s", "how often GPUs are read",
     check_by<parse_interval>, true},
    {"window", "window", "GPUSCOPE_WINDOW", "DURATION", "a duration from 1s to 10m, such as 30s",
     "30s", "how far back the minimum, mean and maximum in /metrics reach", check_by<parse_window>,
     true},
    {"hostname", "hostname", "GPUSCOPE_HOSTNAME", "NAME", "a name",
     "NODE_NAME, else the machine's own", "what this machine is called in /metrics", check_present},
    {"dcgm-names", "dcgm_names", "GPUSCOPE_DCGM_NAMES", "WHICH", "one of old, new, both", "old",
     "whose names DCGM's metrics have in /metrics: those before DCGM 4.6, or those since",
     check_by<model::parse_dcgm_names>, true},
    {"dcgm-hostname-label", "dcgm_hostname_label", "GPUSCOPE_DCGM_HOSTNAME_LABEL", "LABEL",
     "Hostname or hostname", "Hostname", "the label in /metrics that says which machine it is",
     check_hostname_label, true},
    {"dcgm-counters", "dcgm_counters", "GPUSCOPE_DCGM_COUNTERS", "FILE", "the name of a CSV file",
     "", "dcgm-exporter's list of counters: the DCGM metrics that /metrics has", check_present,
     true},
    {"data-dir", "data_dir", "GPUSCOPE_DATA_DIR", "DIR", "the name of a directory",
     "/var/lib/gpuscope as root, else ~/.local/state/gpuscope",
     "where it keeps what must outlive it; one agent at a time uses it", check_present},
    {"history", "history", "GPUSCOPE_HISTORY", "WHETHER", "on or off",
     "on; off for what is replayed",
     "whether what is read is kept in gpuscope.db in the data directory; --no-history is off",
     check_by<parse_switch>},
    {"history-keep", "history_keep", "GPUSCOPE_HISTORY_KEEP", "DURATION",
     "a duration from 1h on, such as 15d", "15d", "how long the history keeps every tick",
     check_by<parse_keep>, true},
    {"history-keep-rollups", "history_keep_rollups", "GPUSCOPE_HISTORY_KEEP_ROLLUPS", "DURATION",
     "a duration from 1h on, such as 365d", "365d",
     "how long the history keeps its minutes and hours", check_by<parse_keep>, true},
    {"history-size", "history_size", "GPUSCOPE_HISTORY_SIZE", "SIZE",
     "a size from 16MiB on, such as 500MB or 2GiB", "2GiB",
     "how large the history may become; then the oldest goes", check_by<parse_history_size>, true},
    {"analysis", "analysis", "GPUSCOPE_ANALYSIS", "WHETHER", "on or off", "on",
     "whether the agent judges how well its GPUs are used; needs the history",
     check_by<parse_switch>},
    {"remote-write-url", "remote_write_url", "GPUSCOPE_REMOTE_WRITE_URL", "URL",
     "a URL such as http://prometheus:9090/api/v1/write", "",
     "where every tick is sent by Prometheus's remote write; needs the history", check_url},
    {"remote-write-interval", "remote_write_interval", "GPUSCOPE_REMOTE_WRITE_INTERVAL", "DURATION",
     "a duration from 100ms to 1h, such as 15s", "every tick",
     "how far apart the ticks are that remote write sends", check_remote_write_interval},
    {"remote-write-from", "remote_write_from", "GPUSCOPE_REMOTE_WRITE_FROM", "WHERE",
     "one of now, start", "now",
     "where remote write begins in a history that it has sent nothing of yet",
     check_remote_write_from},
    {"remote-write-labels", "remote_write_labels", "GPUSCOPE_REMOTE_WRITE_LABELS", "LABELS",
     "labels such as cluster=a,rack=7", "job=gpuscope and instance=HOSTNAME:PORT",
     "what remote write puts on every series, beside or instead of those two",
     check_remote_write_labels},
    {"remote-write-user", "remote_write_user", "GPUSCOPE_REMOTE_WRITE_USER", "NAME", "a name", "",
     "who it is to the server, with a password", check_present},
    {"remote-write-password", "remote_write_password", "GPUSCOPE_REMOTE_WRITE_PASSWORD", "TEXT",
     "a password", "", "the password; better in a file", check_secret, false, true},
    {"remote-write-password-file", "remote_write_password_file",
     "GPUSCOPE_REMOTE_WRITE_PASSWORD_FILE", "FILE", "the name of a file", "",
     "the file with the password", check_present},
    {"remote-write-token", "remote_write_token", "GPUSCOPE_REMOTE_WRITE_TOKEN", "TEXT", "a token",
     "", "a bearer token for the server; better in a file", check_secret, false, true},
    {"remote-write-token-file", "remote_write_token_file", "GPUSCOPE_REMOTE_WRITE_TOKEN_FILE",
     "FILE", "the name of a file", "", "the file with the token; read again for every request",
     check_present},
    {"remote-write-headers", "remote_write_headers", "GPUSCOPE_REMOTE_WRITE_HEADERS", "LINES",
     "a header such as 'X-Scope-OrgID: gpus'", "",
     "further headers for the server, a line each; better in a file", check_headers, false, true},
    {"remote-write-headers-file", "remote_write_headers_file", "GPUSCOPE_REMOTE_WRITE_HEADERS_FILE",
     "FILE", "the name of a file", "", "the file with further headers", check_present},
    {"remote-write-ca-file", "remote_write_ca_file", "GPUSCOPE_REMOTE_WRITE_CA_FILE", "FILE",
     "the name of a PEM file", "those that the system trusts",
     "who may vouch for the server of an https URL", check_present},
    {"alerts", "alerts.enabled", "GPUSCOPE_ALERTS", "WHETHER", "on or off",
     "on, where there is a history", "whether rules are evaluated and people are told",
     check_by<parse_switch>},
    {"alert-rules", "alerts.rules", "GPUSCOPE_ALERT_RULES", "FILES",
     "names of rule files, with commas between them", "the rules that are built in",
     "what people are alerted of, in Prometheus's format", check_present},
    {"alert-interval", "alerts.interval", "GPUSCOPE_ALERT_INTERVAL", "DURATION",
     "a duration from 1s to 1h, such as 15s", "15s",
     "how often groups of rules without an interval of their own are evaluated",
     check_alert_interval},
    {"alert-group-wait", "alerts.group_wait", "GPUSCOPE_ALERT_GROUP_WAIT", "DURATION",
     "a duration from 0s to 1h, such as 10s", "10s, emergencies 5s",
     "how long a group's first message waits for other alerts", check_alert_wait},
    {"alert-group-interval", "alerts.group_interval", "GPUSCOPE_ALERT_GROUP_INTERVAL", "DURATION",
     "a duration from 1s to 1h, such as 30s", "30s",
     "how far apart a group's messages are at least", check_alert_interval},
    {"alert-repeat-interval", "alerts.repeat_interval", "GPUSCOPE_ALERT_REPEAT_INTERVAL",
     "DURATION", "a duration from 1m to 30d, such as 4h", "4h",
     "after which time people are told again of what lasts", check_alert_repeat},
    {"log-level", "log_level", "GPUSCOPE_LOG_LEVEL", "LEVEL", "one of debug, info, warning, error",
     "info", "what is logged: this and what is worse", check_by<base::parse_log_level>, true},
    {"log-format", "log_format", "GPUSCOPE_LOG_FORMAT", "FORMAT", "text or json", "text",
     "how a line of the log looks", check_by<base::parse_log_format>, true},
    {"record", "record", "GPUSCOPE_RECORD", "FILE", "the name of a file", "",
     "where all that is read of the GPUs is recorded, to be replayed", check_present},
    {"replay-speed", "replay_speed", "GPUSCOPE_REPLAY_SPEED", "FACTOR",
     "a factor from 0.001 to 100000, or max", "1",
     "how fast a recording is replayed; max: one recorded tick at every tick",
     check_by<parse_replay_speed>},
    {"replay-loop", "replay_loop", "GPUSCOPE_REPLAY_LOOP", "WHETHER", "on or off", "off",
     "whether a recording begins again behind its last tick", check_by<parse_on_off>},
    {"stream-listeners", "stream_listeners", "GPUSCOPE_STREAM_LISTENERS", "N",
     "a whole number from 0 to 100000", "2000", "how many may listen to the live stream at once",
     check_by<parse_stream_listeners>},
    {"gpm", "gpm", "GPUSCOPE_GPM", "WHETHER", "on or off", "on",
     "whether NVML's profiling metrics are read where a GPU gives them (Hopper and newer)",
     check_by<parse_on_off>},
    {"sim-speed", "sim.speed", "GPUSCOPE_SIM_SPEED", "FACTOR", "a factor from 1 to 1000", "1",
     "how fast time passes where GPUs are simulated, to try what takes long",
     check_by<parse_sim_speed>},
    {"replay", "replay", "GPUSCOPE_REPLAY", "FILE", "the name of a recording", "",
     "what the method replay shows; where no method is given, it is that one", check_present},
    {"nvidia-smi", "nvidia_smi", "GPUSCOPE_NVIDIA_SMI", "FILE", "the name of a program",
     "nvidia-smi, as found in PATH", "the tool that the method smi reads GPUs through",
     check_present},
    {"dcgmi", "dcgmi", "GPUSCOPE_DCGMI", "FILE", "the name of a program", "dcgmi, as found in PATH",
     "the tool whose verdict on health the method smi carries; it need not be there",
     check_present},
    {"sim-gpus", "sim.gpus", "GPUSCOPE_SIM_GPUS", "N", kSimGpusTakes,
     "3, or what the scenario says", "how many GPUs are simulated", check_by<parse_sim_gpus>},
    {"sim-seed", "sim.seed", "GPUSCOPE_SIM_SEED", "N", kSimSeedTakes, "1",
     "the same seed gives the same values at the same time", check_by<parse_sim_seed>},
    {"sim-scenario", "sim.scenario", "GPUSCOPE_SIM_SCENARIO", "SCENARIO",
     "the name of a built-in scenario or of a scenario file", "",
     "what simulated GPUs do; none: the three default GPUs wander around their base",
     check_sim_scenario},
    {"sim-time", "sim.time", "GPUSCOPE_SIM_TIME", "TIME", kTimeTakes, "",
     "freezes the simulation at one instant", check_by<base::parse_time>},
});

base::Result<device::sim::Options> sim_from(const Values& values) {
  SimSettings settings;
  settings.gpus = text_of(values, "sim-gpus");
  settings.seed = text_of(values, "sim-seed");
  settings.scenario = text_of(values, "sim-scenario");
  settings.time = text_of(values, "sim-time");
  return sim_options(settings);
}

base::Result<DeviceSettings> devices_from(const Values& values) {
  auto sim = sim_from(values);
  if (!sim) return std::unexpected(std::move(sim.error()));
  DeviceSettings settings;
  settings.sim = std::move(*sim);
  take(values, "nvidia-smi", settings.smi.nvidia_smi);
  take(values, "dcgmi", settings.smi.dcgmi);
  if (auto path = text_of(values, "replay")) {
    settings.replay = device::replay::Options{.path = std::move(*path)};
  }
  return settings;
}

void take_recordings(const Values& values, AgentSettings& settings) {
  settings.record = text_of(values, "record");
  if (!settings.replay) return;
  take(values, "replay-speed", settings.replay->speed, parse_replay_speed);
  take(values, "replay-loop", settings.replay->loop, parse_on_off);
}

void take_history(const Values& values, AgentSettings& settings) {
  settings.history.enabled = settings.method != "replay";
  take(values, "history", settings.history.enabled, parse_switch);
  take(values, "history-keep", settings.history.keep_ticks, parse_keep);
  take(values, "history-keep-rollups", settings.history.keep_rollups, parse_keep);
  take(values, "history-size", settings.history.max_bytes, parse_history_size);
}

base::Result<AgentSettings> agent_settings_of(const Values& values, const Environment& environment,
                                              bool is_root) {
  AgentSettings settings;
  settings.values = values;
  settings.method =
      text_of(values, "method").value_or(values.contains("replay") ? "replay" : "auto");
  if (settings.method == "replay" && !values.contains("replay")) {
    return fail(ErrorKind::kInvalidArgument,
                "cannot replay GPUs: no recording is named; give --replay FILE");
  }
  take_listen(values, "listen", settings.http);
  take(values, "stream-listeners", settings.http.max_streams, parse_stream_listeners);
  take(values, "interval", settings.collect.interval, parse_interval);
  take(values, "window", settings.collect.window, parse_window);
  take(values, "dcgm-names", settings.dcgm_names, model::parse_dcgm_names);
  take(values, "dcgm-hostname-label", settings.dcgm_hostname_label);
  take(values, "dcgm-counters", settings.dcgm_counters);
  // As dcgm-exporter is told its node's name in a cluster.
  settings.hostname =
      text_of(values, "hostname").value_or(environment("NODE_NAME").value_or(std::string()));
  take(values, "log-level", settings.log_level, base::parse_log_level);
  take(values, "log-format", settings.log_format, base::parse_log_format);
  auto devices = devices_from(values);
  if (!devices) return std::unexpected(std::move(devices.error()));
  settings.sim = std::move(devices->sim);
  take(values, "gpm", settings.nvml.gpm, parse_on_off);
  settings.smi = std::move(devices->smi);
  settings.smi.interval = settings.collect.interval;
  settings.replay = std::move(devices->replay);
  take_recordings(values, settings);
  take_history(values, settings);
  settings.alerts = alerts_from(values);
  take(values, "sim-speed", settings.sim_speed, parse_sim_speed);
  if (settings.sim_speed != 1 && settings.method != "sim") {
    return fail(ErrorKind::kInvalidArgument,
                "cannot let time pass faster for GPUs that are real; give --method sim, or leave "
                "sim.speed out");
  }
  take(values, "analysis", settings.analysis_enabled, parse_switch);
  auto chosen = analysis_from(values);
  if (!chosen) return std::unexpected(std::move(chosen.error()));
  settings.analysis = chosen->analysis;
  settings.analysis.live = true;
  settings.opinions = std::move(chosen->opinions);
  settings.control = std::move(chosen->control);
  auto remote_write = remote_write_from(values);
  if (!remote_write) return std::unexpected(std::move(remote_write.error()));
  settings.remote_write = std::move(*remote_write);
  auto notify = notify_from(values);
  if (!notify) return std::unexpected(std::move(notify.error()));
  settings.notify = std::move(*notify);
  if (!settings.remote_write.url.empty() && !settings.history.enabled) {
    return fail(ErrorKind::kInvalidArgument,
                "cannot send by remote write what is not kept: its queue is the history; say "
                "--history on, or leave remote_write_url out");
  }
  if (auto data_dir = data_dir_from(values, environment, is_root)) {
    settings.data_dir = std::move(*data_dir);
  } else {
    settings.data_dir_trouble = std::move(data_dir.error().message);
  }
  return settings;
}

}  // namespace

// Those of the devices stay last.
std::span<const Setting> agent_settings_table() {
  static const std::vector<Setting> table = [] {
    const std::span all(kAgentTable);
    const std::span own = all.first(all.size() - kDeviceSettings);
    std::vector<Setting> rows(own.begin(), own.end());
    std::ranges::copy(analysis_settings_table(), std::back_inserter(rows));
    std::ranges::copy(notify_settings_table(), std::back_inserter(rows));
    std::ranges::copy(device_settings_table(), std::back_inserter(rows));
    return rows;
  }();
  return table;
}

std::span<const Setting> device_settings_table() {
  return std::span(kAgentTable).last(kDeviceSettings);
}

base::Result<AgentSettings> load_agent_settings(const std::map<std::string, std::string>& flags,
                                                const Environment& environment, bool is_root) {
  auto values = settings_given(agent_settings_table(), flags, environment);
  if (!values) return std::unexpected(std::move(values.error()));
  if (const auto path = text_of(*values, "config")) {
    auto file = settings_from_file(agent_settings_table(), *path);
    if (!file) return std::unexpected(std::move(file.error()));
    *values = overlay(std::move(*values), std::move(*file));
  }
  return agent_settings_of(*values, environment, is_root);
}

base::Result<DeviceSettings> load_device_settings(const std::map<std::string, std::string>& flags,
                                                  const Environment& environment) {
  const auto values = settings_given(device_settings_table(), flags, environment);
  if (!values) return std::unexpected(values.error());
  return devices_from(*values);
}

base::Result<std::string> data_dir_from(const Values& values, const Environment& environment,
                                        bool is_root) {
  if (auto given = text_of(values, "data-dir")) return *std::move(given);
  return default_data_dir(environment, is_root);
}

base::Result<std::string> default_data_dir(const Environment& environment, bool is_root) {
  if (is_root) return "/var/lib/gpuscope";
  // Both are absolute where they mean anything (XDG Base Directory Specification).
  if (const auto state = environment("XDG_STATE_HOME"); state && state->starts_with('/')) {
    return *state + "/gpuscope";
  }
  if (const auto home = environment("HOME"); home && home->starts_with('/')) {
    return *home + "/.local/state/gpuscope";
  }
  return fail(ErrorKind::kNotFound,
              "cannot tell where to keep data: HOME is not set; give --data-dir");
}

}  // namespace gpuscope::config
