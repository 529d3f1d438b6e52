#include "agent_parts.h"

#include <memory>
#include <string>

#include "base/log.h"

namespace gpuscope::app {
namespace {

constexpr int kMicroDigits = 6;  // of a time in seconds

}  // namespace

base::Result<std::unique_ptr<device::replay::Recorder>> make_recorder(
    const config::AgentSettings& settings, base::Clock& clock) {
  if (!settings.record) return nullptr;
  return device::replay::Recorder::start(clock, {.path = *settings.record});
}

std::string history_path(const std::string& data_dir) { return data_dir + "/gpuscope.db"; }

namespace {

history::StoreOptions store_options(const config::HistorySettings& settings) {
  history::StoreOptions options;
  options.keep_ticks = settings.keep_ticks;
  options.keep_rollups = settings.keep_rollups;
  options.max_bytes = settings.max_bytes;
  return options;
}

}  // namespace

void change_history(history::History* history, const config::HistorySettings& settings) {
  if (history != nullptr) history->change_limits(store_options(settings));
}

base::Result<std::unique_ptr<history::History>> start_history(const config::AgentSettings& settings,
                                                              const std::string& host,
                                                              base::Clock& clock) {
  if (!settings.history.enabled || settings.data_dir.empty()) return nullptr;
  history::HistoryOptions options{.store = store_options(settings.history)};
  options.store.path = history_path(settings.data_dir);
  options.store.host = host;
  return history::History::start(clock, options);
}

api::HistorySetup history_setup(const config::AgentSettings& settings,
                                const history::History* history, http::Server& server) {
  api::HistorySetup setup;
  setup.interval = settings.collect.interval;
  setup.wake = [&server] { server.wake(); };
  if (history != nullptr) {
    setup.open = [history] { return history->reader(); };
    setup.is_simulated = [reader = std::shared_ptr(history->reader())](const std::string& gpu) {
      return reader->is_simulated(gpu).value_or(false);
    };
  } else if (!settings.history.enabled) {
    setup.why_none += settings.method == "replay"
                          ? ": it replays a recording; --history on keeps that"
                          : ": it was told not to, by the setting history or --no-history";
  } else {
    setup.why_none += ": it has no place for data; give --data-dir";
  }
  return setup;
}

std::optional<wire::RecordingHealth> recording_health(const config::AgentSettings& settings,
                                                      const device::replay::Recorder* recorder) {
  if (recorder == nullptr || !settings.record) return std::nullopt;
  const device::replay::RecorderStatus status = recorder->status();
  return wire::RecordingHealth{.file = *settings.record,
                               .error = status.failing ? status.error.message : "",
                               .ticks = status.ticks,
                               .dropped_ticks = status.dropped,
                               .bytes = status.bytes};
}

std::optional<wire::HistoryHealth> history_health(const config::AgentSettings& settings,
                                                  const history::History* history) {
  if (history == nullptr) return std::nullopt;
  const history::HistoryStatus status = history->status();
  return wire::HistoryHealth{.file = history_path(settings.data_dir),
                             .error = status.failing ? status.error.message : "",
                             .ticks = status.ticks,
                             .dropped_ticks = status.dropped,
                             .bytes = status.bytes,
                             .last_write = status.last_write};
}

void add_metrics(const history::History& history, api::PartMetrics& parts) {
  const history::HistoryStatus status = history.status();
  parts.gauges.push_back(
      {"gpuscope_history_up", "1 while the history can be written", status.failing ? 0 : 1});
  parts.gauges.push_back({"gpuscope_history_size_bytes", "Size of the history's file",
                          static_cast<std::int64_t>(status.bytes)});
  parts.gauges.push_back({"gpuscope_history_open_memory_bytes",
                          "Memory of the ticks that no chunk holds yet",
                          static_cast<std::int64_t>(status.memory)});
  if (status.last_write) {
    parts.gauges.push_back({"gpuscope_history_last_write_timestamp_seconds",
                            "When the history was last written",
                            status.last_write->time_since_epoch().count(), kMicroDigits});
  }
  parts.counters.push_back(
      {"gpuscope_history_ticks_total", "Ticks that are in the history", status.ticks});
  parts.counters.push_back({"gpuscope_history_dropped_ticks_total",
                            "Ticks that are not in the history: it could not be written, or not "
                            "as fast as GPUs are read",
                            status.dropped});
  parts.counters.push_back({"gpuscope_history_write_errors_total",
                            "Attempts to write the history that came to nothing",
                            status.write_errors});
  parts.counters.push_back({"gpuscope_history_duplicate_ticks_total",
                            "Ticks with the time of the one before, left out of the history",
                            status.duplicates});
}

}  // namespace gpuscope::app
