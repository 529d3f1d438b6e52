#include "config/fleet_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "base/duration.h"
#include "base/text.h"
#include "config/advise_settings.h"
#include "config/agent_settings.h"
#include "config/listen.h"
#include "config/server_credentials.h"
#include "config/setting_value.h"

namespace gpuscope::config {
namespace {

using std::chrono::seconds;

constexpr std::string_view kDefaultFile = "config.yaml";
constexpr int kDay = 86'400;

// The earlier system takes exponents, too.
template <double kLeast, double kMost>
std::string check_real(const Setting& row, std::string_view value) {
  return parse_number(value, kLeast, kMost, std::chars_format::general) ? "" : is_not(row, value);
}

// Seconds, as the earlier system has them, or with a unit.
std::optional<seconds> parse_seconds(std::string_view text) {
  if (const auto plain = parse_number(text, 1, kDay)) return seconds(*plain);
  const auto parsed = base::parse_duration(text);
  if (!parsed || *parsed < seconds(1) || *parsed > seconds(kDay)) return std::nullopt;
  const auto whole = std::chrono::duration_cast<seconds>(*parsed);
  return whole == *parsed ? std::optional(whole) : std::nullopt;
}

std::string check_condition(const Setting& row, std::string_view value) {
  return value.starts_with('{') && value.ends_with('}') ? "" : is_not(row, value);
}
std::optional<analyze::PowerSource> parse_power_source(std::string_view text) {
  if (text == "setting") return analyze::PowerSource::kSetting;
  if (text == "card") return analyze::PowerSource::kCard;
  return std::nullopt;
}
std::optional<base::LogLevel> parse_any_log_level(std::string_view text) {
  return base::parse_log_level(base::lower(text));
}
// The earlier system's pattern of a line is taken for "text".
std::string check_log_format(const Setting& row, std::string_view value) {
  return base::parse_log_format(value) || value.contains("%(") ? "" : is_not(row, value);
}

std::optional<prom::Shard> parse_shard(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == text.npos) return std::nullopt;
  const auto count = parse_number<std::size_t>(text.substr(slash + 1), 1, prom::Shard::kMaxShards);
  const auto index = parse_number<std::size_t>(text.substr(0, slash), 0, prom::Shard::kMaxShards);
  if (!count || !index || *index >= *count) return std::nullopt;
  return prom::Shard{*index, *count};
}

constexpr std::string_view kWeightTakes = "a number from 0 to 1";

constexpr auto kService = std::to_array<Setting>({
    {"config", "", "GPUSCOPE_CONFIG", "FILE", "the name of a YAML file",
     "config.yaml in the working directory, where there is one", "the file with these settings",
     check_present},
    {"listen", "", "GPUSCOPE_LISTEN", "HOST:PORT", "an address such as 127.0.0.1:8080",
     "127.0.0.1:8080", "where it serves; stronger than host and port", check_by<parse_listen>},
    {"host", "server.host", "HOST", "HOST", "a host or address", "127.0.0.1", "where it serves",
     check_present},
    {"port", "server.port", "PORT", "PORT", "a number from 0 to 65535", "8080",
     "on which port; 0: any free one", check_number<0, 65535>},
    {"data-dir", "data_dir", "GPUSCOPE_DATA_DIR", "DIR", "the name of a directory",
     "/var/lib/gpuscope as root, else ~/.local/state/gpuscope",
     "where it keeps what must outlive it; one fleet service at a time uses it", check_present},
    {"prom-url", "prometheus.url", "PROM_URL", "URL", "a URL such as http://prometheus:9090",
     "http://prometheus:9090",
     "the Prometheus, VictoriaMetrics, Thanos or Mimir that has the series: what stands before "
     "/api/v1",
     check_url},
    {"prom-username", "prometheus.username", "PROM_USERNAME", "NAME", "a name", "",
     "who it is to the engine, with a password", check_present},
    {"prom-password", "prometheus.password", "PROM_PASSWORD", "TEXT", "a password", "",
     "the password; better in a file", check_secret, false, true},
    {"prom-password-file", "prometheus.password_file", "PROM_PASSWORD_FILE", "FILE",
     "the name of a file", "", "the file with the password; read again for every request",
     check_present},
    {"prom-bearer-token", "prometheus.bearer_token", "PROM_BEARER_TOKEN", "TEXT", "a token", "",
     "a bearer token for the engine; better in a file", check_secret, false, true},
    {"prom-bearer-token-file", "prometheus.bearer_token_file", "PROM_BEARER_TOKEN_FILE", "FILE",
     "the name of a file", "", "the file with the token; read again for every request",
     check_present},
    {"prom-headers", "prometheus.headers", "PROM_HEADERS", "LINES",
     "a header such as 'X-Scope-OrgID: gpus'", "",
     "further headers for the engine, a line each, such as its tenant; better in a file",
     check_headers, false, true},
    {"prom-headers-file", "prometheus.headers_file", "PROM_HEADERS_FILE", "FILE",
     "the name of a file", "", "the file with further headers", check_present},
    {"prom-ca-file", "prometheus.ca_file", "PROM_CA_FILE", "FILE", "the name of a PEM file",
     "those that the system trusts", "who may vouch for the engine of an https URL", check_present},
    {"prom-timeout", "prometheus.timeout", "PROM_TIMEOUT", "DURATION",
     "seconds, or a duration such as 90s", "60", "how long one answer of the engine may take",
     check_by<parse_seconds>},
    {"prom-page-series", "prometheus.page_series", "PROM_PAGE_SERIES", "N",
     "a number from 100 to 10000000", "200000",
     "more series of one metric than this are asked for in several answers",
     check_number<100, 10'000'000>},
    {"query-condition", "prometheus.query_condition", "QUERY_CONDITION", "SELECTOR",
     R"(a selector's braces, such as {pod!=""})", R"({pod!=""})",
     "which series count, in every query", check_condition},
    {"shard", "prometheus.shard", "SHARD", "I/N", "a part such as 0/4, of at most 256", "0/1",
     "which part of all GPUs is this one's, where several share the work", check_by<parse_shard>},
    {"max-workers", "scheduler.max_workers", "MAX_WORKERS", "N", "a number from 1 to 256", "8",
     "requests at once, to the engine (of which two are enough) and to a model",
     check_number<1, 256>},
    {"log-level", "logging.level", "LOG_LEVEL", "LEVEL", "one of DEBUG, INFO, WARNING, ERROR",
     "INFO", "what is logged: this and what is worse", check_by<parse_any_log_level>},
    {"log-format", "logging.format", "LOG_FORMAT", "FORMAT", "text or json", "text",
     "how a line of the log looks", check_log_format},
});

constexpr auto kAnalysis = std::to_array<Setting>({
    {"threshold", "thresholds.low_utilization", "THRESHOLD", "SCORE",
     "a whole number from 0 to 100", "20", "scores under it are low", check_number<0, 100>},
    {"idle-threshold", "thresholds.idle", "IDLE_THRESHOLD", "SCORE", "a whole number from 0 to 100",
     "10", "scores under it are idle", check_number<0, 100>},
    {"analysis-interval", "scheduler.interval", "INTERVAL", "SECONDS",
     "seconds, or a duration such as 5m, to a day", "300", "how often use is judged",
     check_by<parse_seconds>},
    {"time-window-min", "prometheus.time_window_min", "TIME_WINDOW_MIN", "MINUTES",
     "a whole number from 1 to 1440", "10", "the minutes over which use is judged",
     check_number<1, 1440>},
    {"step", "prometheus.step", "STEP", "DURATION", "seconds, or a duration such as 30s", "30s",
     "how far apart the samples are that count", check_by<parse_seconds>},
    {"gpu-util-weight", "scoring.gpu_util_weight", "GPU_UTIL_WEIGHT", "SHARE", kWeightTakes, "0.5",
     "how much the utilization counts in a score", check_real<0.0, 1.0>},
    {"mem-copy-weight", "scoring.mem_copy_weight", "MEM_COPY_WEIGHT", "SHARE", kWeightTakes, "0.2",
     "how much the memory interface's utilization counts", check_real<0.0, 1.0>},
    {"mem-used-weight", "scoring.mem_used_weight", "MEM_USED_WEIGHT", "SHARE", kWeightTakes, "0.2",
     "how much the memory in use counts", check_real<0.0, 1.0>},
    {"power-weight", "scoring.power_weight", "POWER_WEIGHT", "SHARE", kWeightTakes, "0.1",
     "how much the power counts", check_real<0.0, 1.0>},
    {"default-memory-mb", "gpu_defaults.memory_mb", "GPU_MEMORY_MB", "MB",
     "a number from 1 to 10000000", "32000", "a card's memory where used and free are both 0",
     check_real<1.0, 10'000'000.0>},
    {"default-power-w", "gpu_defaults.power_w", "GPU_POWER_W", "WATTS", "a number from 1 to 100000",
     "250", "the power that counts as full", check_real<1.0, 100'000.0>},
    {"power-source", "gpu_defaults.power_source", "GPU_POWER_SOURCE", "WHOSE", "setting or card",
     "setting", "what counts as full power: power_w for every card, or the card's own limit",
     check_by<parse_power_source>},
});

base::Result<prom::ReaderOptions> reader_from(const Values& values, std::size_t max_workers) {
  constexpr std::size_t kEnoughConnections = 2;
  auto credentials = credentials_from(values, {.user = "prom-username",
                                               .password = "prom-password",
                                               .token = "prom-bearer-token",
                                               .headers = "prom-headers",
                                               .server = "the engine",
                                               .user_env = "PROM_USERNAME"});
  if (!credentials) return std::unexpected(std::move(credentials.error()));
  prom::ReaderOptions options;
  options.engine.url = "http://prometheus:9090";
  options.engine.credentials = std::move(*credentials);
  take(values, "prom-url", options.engine.url);
  take(values, "prom-ca-file", options.engine.ca_file);
  take(values, "prom-timeout", options.engine.timeout, parse_seconds);
  take(values, "query-condition", options.condition);
  options.connections = std::min(max_workers, kEnoughConnections);
  take_number(values, "prom-page-series", options.page_series);
  take(values, "shard", options.shard, parse_shard);
  return options;
}

void take_place(const Values& values, http::Options& http) {
  http.port = 8080;
  take(values, "host", http.host);
  take_number(values, "port", http.port);
  take_listen(values, "listen", http);
}

base::Result<FleetSettings> fleet_settings_of(const Values& values, const Environment& environment,
                                              bool is_root) {
  FleetSettings settings;
  settings.values = values;
  take_place(values, settings.http);
  take_number(values, "max-workers", settings.max_workers);
  auto reader = reader_from(values, settings.max_workers);
  if (!reader) return std::unexpected(std::move(reader.error()));
  settings.reader = std::move(*reader);
  auto analysis = analysis_from(values);
  if (!analysis) return std::unexpected(std::move(analysis.error()));
  settings.analysis = analysis->analysis;
  settings.opinions = std::move(analysis->opinions);
  settings.opinions.chat.workers = settings.max_workers;
  settings.control = std::move(analysis->control);
  take(values, "log-level", settings.log_level, parse_any_log_level);
  take(values, "log-format", settings.log_format, base::parse_log_format);
  if (auto data_dir = data_dir_from(values, environment, is_root)) {
    settings.data_dir = std::move(*data_dir);
  } else {
    settings.data_dir_trouble = std::move(data_dir.error().message);
  }
  return settings;
}

}  // namespace

std::span<const Setting> analysis_settings_table() {
  static const std::vector<Setting> table = [] {
    std::vector<Setting> rows(kAnalysis.begin(), kAnalysis.end());
    std::ranges::copy(advise_settings_table(), std::back_inserter(rows));
    return rows;
  }();
  return table;
}

std::span<const Setting> fleet_settings_table() {
  static const std::vector<Setting> table = [] {
    std::vector<Setting> rows(kService.begin(), kService.end());
    std::ranges::copy(analysis_settings_table(), std::back_inserter(rows));
    return rows;
  }();
  return table;
}

base::Result<AnalysisSettings> analysis_from(const Values& values) {
  AnalysisSettings settings;
  analyze::Options& options = settings.analysis;
  analyze::ScoreOptions& score = options.score;
  take_number(values, "threshold", score.low_below);
  take_number(values, "idle-threshold", score.idle_below);
  take_number(values, "gpu-util-weight", score.gpu_util_weight);
  take_number(values, "mem-copy-weight", score.mem_copy_weight);
  take_number(values, "mem-used-weight", score.mem_used_weight);
  take_number(values, "power-weight", score.power_weight);
  take_number(values, "default-memory-mb", score.memory_mb);
  take_number(values, "default-power-w", score.power_watts);
  take(values, "power-source", score.power_source, parse_power_source);
  take(values, "analysis-interval", options.interval, parse_seconds);
  take(values, "step", options.step, parse_seconds);
  int minutes = static_cast<int>(options.window / std::chrono::minutes(1));
  take_number(values, "time-window-min", minutes);
  options.window = std::chrono::minutes(minutes);
  auto opinions = advise_from(values);
  if (!opinions) return std::unexpected(std::move(opinions.error()));
  settings.opinions = std::move(*opinions);
  options.use_ai = settings.opinions.enabled;
  auto control = control_from(values, options.interval);
  if (!control) return std::unexpected(std::move(control.error()));
  settings.control = std::move(*control);
  return settings;
}

base::Result<FleetSettings> load_fleet_settings(const std::map<std::string, std::string>& flags,
                                                const Environment& environment, bool is_root) {
  const auto table = fleet_settings_table();
  auto values = settings_given(table, flags, environment);
  if (!values) return std::unexpected(std::move(values.error()));
  std::optional<std::string> path = text_of(*values, "config");
  std::error_code error;
  if (!path && std::filesystem::exists(kDefaultFile, error)) path = kDefaultFile;
  if (path) {
    auto file = settings_from_file(table, *path);
    if (!file) return std::unexpected(std::move(file.error()));
    *values = overlay(std::move(*values), std::move(*file));
  }
  return fleet_settings_of(*values, environment, is_root);
}

base::Result<void> check_fleet_values(const Values& values) {
  const auto built = fleet_settings_of(
      values, [](const std::string&) { return std::optional<std::string>(); }, false);
  if (!built) return std::unexpected(built.error());
  return {};
}

}  // namespace gpuscope::config
