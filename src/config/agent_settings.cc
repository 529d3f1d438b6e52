#include "config/agent_settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "config/fleet_settings.h"
#include "config/listen.h"
#include "config/remote_write_settings.h"
#include "config/scenario.h"
#include "config/sim_settings.h"
#include "config/size.h"

namespace gpuscope::config {
namespace {

using base::ErrorKind;
using base::fail;
using base::kTimeTakes;
using base::parse_duration;
using std::chrono::milliseconds;

constexpr milliseconds kMinInterval{100};
constexpr milliseconds kMaxInterval{60'000};
constexpr std::size_t kMaxStreamListeners = 100'000;
constexpr milliseconds kMinWindow{1000};
constexpr milliseconds kMaxWindow{600'000};
constexpr std::chrono::hours kMinKeep{1};
constexpr double kMaxSimSpeed = 1000;
constexpr std::uint64_t kMinHistoryBytes = std::uint64_t{16} << 20;

std::optional<milliseconds> parse_interval(std::string_view text) {
  const auto parsed = parse_duration(text);
  if (!parsed || *parsed < kMinInterval || *parsed > kMaxInterval) return std::nullopt;
  return std::chrono::duration_cast<milliseconds>(*parsed);
}

std::optional<milliseconds> parse_window(std::string_view text) {
  const auto parsed = parse_duration(text);
  if (!parsed || *parsed < kMinWindow || *parsed > kMaxWindow) return std::nullopt;
  return std::chrono::duration_cast<milliseconds>(*parsed);
}

std::string check_present(const Setting& row, std::string_view value) {
  return value.empty() ? is_not(row, value) : "";
}

std::string check_method(const Setting& row, std::string_view value) {
  constexpr std::array<std::string_view, 6> kMethods{"auto", "nvml", "smi",
                                                     "bash", "sim",  "replay"};
  return std::ranges::find(kMethods, value) == kMethods.end() ? is_not(row, value) : "";
}

std::string check_listen(const Setting& row, std::string_view value) {
  return parse_listen(value) ? "" : is_not(row, value);
}

std::string check_interval(const Setting& row, std::string_view value) {
  return parse_interval(value) ? "" : is_not(row, value);
}

std::string check_window(const Setting& row, std::string_view value) {
  return parse_window(value) ? "" : is_not(row, value);
}

std::string check_dcgm_names(const Setting& row, std::string_view value) {
  return model::parse_dcgm_names(value) ? "" : is_not(row, value);
}

std::string check_hostname_label(const Setting& row, std::string_view value) {
  return value == "Hostname" || value == "hostname" ? "" : is_not(row, value);
}

std::string check_log_level(const Setting& row, std::string_view value) {
  return base::parse_log_level(value) ? "" : is_not(row, value);
}

std::string check_log_format(const Setting& row, std::string_view value) {
  return base::parse_log_format(value) ? "" : is_not(row, value);
}

std::string check_on_off(const Setting& row, std::string_view value) {
  return value == "on" || value == "off" ? "" : is_not(row, value);
}

// As YAML's own words for it, too.
std::string check_switch(const Setting& row, std::string_view value) {
  return value == "true" || value == "false" ? "" : check_on_off(row, value);
}

std::optional<std::chrono::hours> parse_keep(std::string_view text) {
  const auto parsed = parse_duration(text);
  if (!parsed || *parsed < kMinKeep) return std::nullopt;
  return std::chrono::floor<std::chrono::hours>(*parsed);
}

std::string check_keep(const Setting& row, std::string_view value) {
  return parse_keep(value) ? "" : is_not(row, value);
}

std::string check_history_size(const Setting& row, std::string_view value) {
  return parse_size(value).value_or(0) >= kMinHistoryBytes ? "" : is_not(row, value);
}

// Nullopt for what is no speed; within it, nullopt for "max".
std::optional<std::optional<double>> parse_replay_speed(std::string_view text) {
  if (text == "max") return std::optional<double>{};
  double speed = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), speed, std::chars_format::fixed);
  namespace replay = device::replay;
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  if (!whole || !(speed >= replay::kMinSpeed && speed <= replay::kMaxSpeed)) return std::nullopt;
  return speed;
}

std::string check_replay_speed(const Setting& row, std::string_view value) {
  return parse_replay_speed(value) ? "" : is_not(row, value);
}

std::optional<std::size_t> parse_stream_listeners(std::string_view text) {
  std::size_t listeners = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), listeners);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  if (!whole || listeners > kMaxStreamListeners) return std::nullopt;
  return listeners;
}

std::string check_stream_listeners(const Setting& row, std::string_view value) {
  return parse_stream_listeners(value) ? "" : is_not(row, value);
}

std::string check_sim_gpus(const Setting& row, std::string_view value) {
  return parse_sim_gpus(value) ? "" : is_not(row, value);
}

std::string check_sim_seed(const Setting& row, std::string_view value) {
  return parse_sim_seed(value) ? "" : is_not(row, value);
}

// A file is read here and again when the options are built: a mistake in it belongs to the setting.
std::string check_sim_scenario(const Setting&, std::string_view value) {
  const auto scenario = load_scenario(std::string(value));
  return scenario ? "" : scenario.error().message;
}

std::string check_sim_time(const Setting& row, std::string_view value) {
  return base::parse_time(value) ? "" : is_not(row, value);
}

std::optional<double> parse_sim_speed(std::string_view text) {
  double speed = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), speed, std::chars_format::fixed);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  return whole && speed >= 1 && speed <= kMaxSimSpeed ? std::optional(speed) : std::nullopt;
}

std::string check_sim_speed(const Setting& row, std::string_view value) {
  return parse_sim_speed(value) ? "" : is_not(row, value);
}

constexpr std::size_t kDeviceSettings = 7;
constexpr auto kTable = std::to_array<Setting>({
    {"config", "", "GPUSCOPE_CONFIG", "FILE", "the name of a YAML file", "",
     "where all other settings are read from", check_present},
    {"method", "method", "GPUSCOPE_METHOD", "NAME", "one of auto, nvml, smi, bash, sim, replay",
     "auto, or replay where a recording is named",
     "how GPUs are read: auto takes what works here, bash is another name of smi", check_method},
    {"listen", "listen", "GPUSCOPE_LISTEN", "HOST:PORT",
     "an address such as 127.0.0.1:9555, [::1]:9555 or 0.0.0.0:9555", "127.0.0.1:9555",
     "where it serves; port 0 takes any that is free", check_listen},
    {"interval", "interval", "GPUSCOPE_INTERVAL", "DURATION",
     "a duration from 100ms to 60s, such as 1s", "1s", "how often GPUs are read", check_interval,
     true},
    {"window", "window", "GPUSCOPE_WINDOW", "DURATION", "a duration from 1s to 10m, such as 30s",
     "30s", "how far back the minimum, mean and maximum in /metrics reach", check_window, true},
    {"hostname", "hostname", "GPUSCOPE_HOSTNAME", "NAME", "a name",
     "NODE_NAME, else the machine's own", "what this machine is called in /metrics", check_present},
    {"dcgm-names", "dcgm_names", "GPUSCOPE_DCGM_NAMES", "WHICH", "one of old, new, both", "old",
     "whose names DCGM's metrics have in /metrics: those before DCGM 4.6, or those since",
     check_dcgm_names, true},
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
     check_switch},
    {"history-keep", "history_keep", "GPUSCOPE_HISTORY_KEEP", "DURATION",
     "a duration from 1h on, such as 15d", "15d", "how long the history keeps every tick",
     check_keep, true},
    {"history-keep-rollups", "history_keep_rollups", "GPUSCOPE_HISTORY_KEEP_ROLLUPS", "DURATION",
     "a duration from 1h on, such as 365d", "365d",
     "how long the history keeps its minutes and hours", check_keep, true},
    {"history-size", "history_size", "GPUSCOPE_HISTORY_SIZE", "SIZE",
     "a size from 16MiB on, such as 500MB or 2GiB", "2GiB",
     "how large the history may become; then the oldest goes", check_history_size, true},
    {"analysis", "analysis", "GPUSCOPE_ANALYSIS", "WHETHER", "on or off", "on",
     "whether the agent judges how well its GPUs are used; needs the history", check_switch},
    {"remote-write-url", "remote_write_url", "GPUSCOPE_REMOTE_WRITE_URL", "URL",
     "a URL such as http://prometheus:9090/api/v1/write", "",
     "where every tick is sent by Prometheus's remote write; needs the history",
     check_remote_write_url},
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
     "further headers for the server, a line each; better in a file", check_remote_write_headers,
     false, true},
    {"remote-write-headers-file", "remote_write_headers_file", "GPUSCOPE_REMOTE_WRITE_HEADERS_FILE",
     "FILE", "the name of a file", "", "the file with further headers", check_present},
    {"remote-write-ca-file", "remote_write_ca_file", "GPUSCOPE_REMOTE_WRITE_CA_FILE", "FILE",
     "the name of a PEM file", "those that the system trusts",
     "who may vouch for the server of an https URL", check_present},
    {"alerts", "alerts.enabled", "GPUSCOPE_ALERTS", "WHETHER", "on or off",
     "on, where there is a history", "whether rules are evaluated and people are told",
     check_switch},
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
     "info", "what is logged: this and what is worse", check_log_level, true},
    {"log-format", "log_format", "GPUSCOPE_LOG_FORMAT", "FORMAT", "text or json", "text",
     "how a line of the log looks", check_log_format, true},
    {"record", "record", "GPUSCOPE_RECORD", "FILE", "the name of a file", "",
     "where all that is read of the GPUs is recorded, to be replayed", check_present},
    {"replay-speed", "replay_speed", "GPUSCOPE_REPLAY_SPEED", "FACTOR",
     "a factor from 0.001 to 100000, or max", "1",
     "how fast a recording is replayed; max: one recorded tick at every tick", check_replay_speed},
    {"replay-loop", "replay_loop", "GPUSCOPE_REPLAY_LOOP", "WHETHER", "on or off", "off",
     "whether a recording begins again behind its last tick", check_on_off},
    {"stream-listeners", "stream_listeners", "GPUSCOPE_STREAM_LISTENERS", "N",
     "a whole number from 0 to 100000", "2000", "how many may listen to the live stream at once",
     check_stream_listeners},
    {"gpm", "gpm", "GPUSCOPE_GPM", "WHETHER", "on or off", "on",
     "whether NVML's profiling metrics are read where a GPU gives them (Hopper and newer)",
     check_on_off},
    {"sim-speed", "sim.speed", "GPUSCOPE_SIM_SPEED", "FACTOR", "a factor from 1 to 1000", "1",
     "how fast time passes where GPUs are simulated, to try what takes long", check_sim_speed},
    {"replay", "replay", "GPUSCOPE_REPLAY", "FILE", "the name of a recording", "",
     "what the method replay shows; where no method is given, it is that one", check_present},
    {"nvidia-smi", "nvidia_smi", "GPUSCOPE_NVIDIA_SMI", "FILE", "the name of a program",
     "nvidia-smi, as found in PATH", "the tool that the method smi reads GPUs through",
     check_present},
    {"dcgmi", "dcgmi", "GPUSCOPE_DCGMI", "FILE", "the name of a program", "dcgmi, as found in PATH",
     "the tool whose verdict on health the method smi carries; it need not be there",
     check_present},
    {"sim-gpus", "sim.gpus", "GPUSCOPE_SIM_GPUS", "N", kSimGpusTakes,
     "3, or what the scenario says", "how many GPUs are simulated", check_sim_gpus},
    {"sim-seed", "sim.seed", "GPUSCOPE_SIM_SEED", "N", kSimSeedTakes, "1",
     "the same seed gives the same values at the same time", check_sim_seed},
    {"sim-scenario", "sim.scenario", "GPUSCOPE_SIM_SCENARIO", "SCENARIO",
     "the name of a built-in scenario or of a scenario file", "",
     "what simulated GPUs do; none: the three default GPUs wander around their base",
     check_sim_scenario},
    {"sim-time", "sim.time", "GPUSCOPE_SIM_TIME", "TIME", kTimeTakes, "",
     "freezes the simulation at one instant", check_sim_time},
});

std::optional<std::string> text_of(const Values& values, std::string_view flag) {
  const auto found = values.find(flag);
  return found == values.end() ? std::nullopt : std::optional(found->second.text);
}

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
  settings.smi.nvidia_smi = text_of(values, "nvidia-smi").value_or(settings.smi.nvidia_smi);
  settings.smi.dcgmi = text_of(values, "dcgmi").value_or(settings.smi.dcgmi);
  if (auto path = text_of(values, "replay")) {
    settings.replay = device::replay::Options{.path = std::move(*path)};
  }
  return settings;
}

base::Result<Values> values_from_file(const std::string& path) {
  auto file = read_settings(agent_settings_table(), path);
  if (!file) return std::unexpected(std::move(file.error()));
  if (!file->mistakes.empty()) {
    return fail(ErrorKind::kInvalidArgument, fmt::format("cannot use the settings in {}:\n  {}",
                                                         path, fmt::join(file->mistakes, "\n  ")));
  }
  return std::move(file->values);
}

void apply_recordings(const Values& values, AgentSettings& settings) {
  settings.record = text_of(values, "record");
  if (const auto text = text_of(values, "stream-listeners")) {
    settings.http.max_streams = parse_stream_listeners(*text).value_or(settings.http.max_streams);
  }
  if (!settings.replay) return;
  if (const auto text = text_of(values, "replay-speed")) {
    settings.replay->speed = parse_replay_speed(*text).value_or(settings.replay->speed);
  }
  settings.replay->loop = text_of(values, "replay-loop") == "on";
}

void apply_history(const Values& values, AgentSettings& settings) {
  const auto text = text_of(values, "history");
  settings.history.enabled = text ? *text == "on" || *text == "true" : settings.method != "replay";
  if (const auto keep = text_of(values, "history-keep")) {
    settings.history.keep_ticks = parse_keep(*keep).value_or(settings.history.keep_ticks);
  }
  if (const auto keep = text_of(values, "history-keep-rollups")) {
    settings.history.keep_rollups = parse_keep(*keep).value_or(settings.history.keep_rollups);
  }
  if (const auto size = text_of(values, "history-size")) {
    settings.history.max_bytes = parse_size(*size).value_or(settings.history.max_bytes);
  }
}

// Values are checked: what is there can be parsed.
base::Result<AgentSettings> build(const Values& values, const Environment& environment,
                                  bool is_root) {
  AgentSettings settings;
  settings.values = values;
  settings.method =
      text_of(values, "method").value_or(values.contains("replay") ? "replay" : "auto");
  if (settings.method == "replay" && !values.contains("replay")) {
    return fail(ErrorKind::kInvalidArgument,
                "cannot replay GPUs: no recording is named; give --replay FILE");
  }
  if (const auto text = text_of(values, "listen")) {
    const HostPort place = parse_listen(*text).value_or(HostPort{});
    settings.http.host = place.host;
    settings.http.port = place.port;
  }
  if (const auto text = text_of(values, "interval")) {
    settings.collect.interval = parse_interval(*text).value_or(settings.collect.interval);
  }
  if (const auto text = text_of(values, "window")) {
    settings.collect.window = parse_window(*text).value_or(settings.collect.window);
  }
  if (const auto text = text_of(values, "dcgm-names")) {
    settings.dcgm_names = model::parse_dcgm_names(*text).value_or(settings.dcgm_names);
  }
  settings.dcgm_hostname_label =
      text_of(values, "dcgm-hostname-label").value_or(settings.dcgm_hostname_label);
  settings.dcgm_counters = text_of(values, "dcgm-counters").value_or("");
  // As dcgm-exporter is told its node's name in a cluster.
  settings.hostname =
      text_of(values, "hostname").value_or(environment("NODE_NAME").value_or(std::string()));
  if (const auto text = text_of(values, "log-level")) {
    settings.log_level = base::parse_log_level(*text).value_or(settings.log_level);
  }
  if (const auto text = text_of(values, "log-format")) {
    settings.log_format = base::parse_log_format(*text).value_or(settings.log_format);
  }
  auto devices = devices_from(values);
  if (!devices) return std::unexpected(std::move(devices.error()));
  settings.sim = std::move(devices->sim);
  settings.nvml.gpm = text_of(values, "gpm").value_or("on") == "on";
  settings.smi = std::move(devices->smi);
  settings.smi.interval = settings.collect.interval;
  settings.replay = std::move(devices->replay);
  apply_recordings(values, settings);
  apply_history(values, settings);
  settings.alerts = alerts_from(values);
  settings.sim_speed = parse_sim_speed(text_of(values, "sim-speed").value_or("1")).value_or(1);
  if (settings.sim_speed != 1 && settings.method != "sim") {
    return fail(ErrorKind::kInvalidArgument,
                "cannot let time pass faster for GPUs that are real; give --method sim, or leave "
                "sim.speed out");
  }
  const auto analysis = text_of(values, "analysis");
  settings.analysis_enabled = !analysis || *analysis == "on" || *analysis == "true";
  auto chosen = analysis_from(values);
  if (!chosen) return std::unexpected(std::move(chosen.error()));
  settings.analysis = chosen->analysis;
  settings.analysis.live = true;
  settings.opinions = std::move(chosen->opinions);
  settings.control = std::move(chosen->control);
  auto remote_write = remote_write_from(values);
  if (!remote_write) return std::unexpected(std::move(remote_write.error()));
  settings.remote_write = std::move(*remote_write);
  if (!settings.remote_write.url.empty() && !settings.history.enabled) {
    return fail(ErrorKind::kInvalidArgument,
                "cannot send by remote write what is not kept: its queue is the history; say "
                "--history on, or leave remote_write_url out");
  }
  auto data_dir = text_of(values, "data-dir");
  if (data_dir) {
    settings.data_dir = std::move(*data_dir);
    return settings;
  }
  auto fallback = default_data_dir(environment, is_root);
  if (fallback) {
    settings.data_dir = std::move(*fallback);
  } else {
    settings.data_dir_trouble = std::move(fallback.error().message);
  }
  return settings;
}

}  // namespace

// Those of the devices stay last.
std::span<const Setting> agent_settings_table() {
  static const std::vector<Setting> table = [] {
    const std::span all(kTable);
    const std::span own = all.first(all.size() - kDeviceSettings);
    std::vector<Setting> rows(own.begin(), own.end());
    std::ranges::copy(analysis_settings_table(), std::back_inserter(rows));
    std::ranges::copy(device_settings_table(), std::back_inserter(rows));
    return rows;
  }();
  return table;
}

std::span<const Setting> device_settings_table() { return std::span(kTable).last(kDeviceSettings); }

base::Result<AgentSettings> load_agent_settings(const std::map<std::string, std::string>& flags,
                                                const Environment& environment, bool is_root) {
  auto given = settings_from_flags(agent_settings_table(), flags);
  if (!given) return std::unexpected(std::move(given.error()));
  auto variables = settings_from_environment(agent_settings_table(), environment);
  if (!variables) return std::unexpected(std::move(variables.error()));
  Values values = overlay(std::move(*given), std::move(*variables));
  if (const auto path = text_of(values, "config")) {
    auto file = values_from_file(*path);
    if (!file) return std::unexpected(std::move(file.error()));
    values = overlay(std::move(values), std::move(*file));
  }
  return build(values, environment, is_root);
}

base::Result<DeviceSettings> load_device_settings(const std::map<std::string, std::string>& flags,
                                                  const Environment& environment) {
  auto given = settings_from_flags(device_settings_table(), flags);
  if (!given) return std::unexpected(std::move(given.error()));
  auto variables = settings_from_environment(device_settings_table(), environment);
  if (!variables) return std::unexpected(std::move(variables.error()));
  return devices_from(overlay(std::move(*given), std::move(*variables)));
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
