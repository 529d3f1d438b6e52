#include "remote_write_part.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "agent_parts.h"
#include "base/log.h"
#include "base/web_url.h"
#include "history/tick_cursor.h"
#include "series_part.h"

namespace gpuscope::app {

base::Result<std::unique_ptr<prom::RemoteWriter>> start_remote_write(
    const config::AgentSettings& settings, const wire::MetricsOptions& metrics, std::uint16_t port,
    base::Clock& clock) {
  prom::RemoteWriteOptions options = settings.remote_write;
  if (options.url.empty()) return nullptr;
  if (settings.data_dir.empty()) {
    base::log(base::LogLevel::kWarning,
              "cannot send by remote write what is not kept; give --data-dir a directory that can "
              "be written");
    return nullptr;
  }
  options.position_file = settings.data_dir + "/remote_write.position";
  options.labels = agent_labels(settings, metrics, port);
  return prom::RemoteWriter::start(
      clock, std::move(options), metrics,
      std::make_unique<history::TickCursor>(history_path(settings.data_dir)));
}

std::optional<wire::RemoteWriteHealth> remote_write_health(const config::AgentSettings& settings,
                                                           const prom::RemoteWriter* writer) {
  if (writer == nullptr) return std::nullopt;
  const prom::RemoteWriteStatus status = writer->status();
  return wire::RemoteWriteHealth{.server = base::url_origin(settings.remote_write.url),
                                 .error = status.failing ? status.error.message : "",
                                 .sent_samples = status.sent_samples,
                                 .refused_samples = status.refused_samples,
                                 .lost_ticks = status.lost_ticks,
                                 .pending_ticks = status.pending_ticks,
                                 .lag = status.lag,
                                 .newest = status.newest};
}

void add_metrics(const prom::RemoteWriter& writer, api::PartMetrics& parts) {
  const prom::RemoteWriteStatus status = writer.status();
  const auto gauge = [&](std::string_view name, std::string_view help, std::int64_t value,
                         int decimals = 0) {
    parts.gauges.push_back({name, help, value, decimals});
  };
  const auto counter = [&](std::string_view name, std::string_view help, std::uint64_t value) {
    parts.counters.push_back({name, help, value});
  };
  gauge("gpuscope_remote_write_up", "1 while the last attempt to send came to something",
        status.failing ? 0 : 1);
  gauge("gpuscope_remote_write_pending_ticks", "Ticks that are kept and were not sent yet",
        static_cast<std::int64_t>(status.pending_ticks));
  gauge("gpuscope_remote_write_lag_seconds",
        "Age of the newest tick that was sent, while there are more to send", status.lag.count(),
        6);
  if (status.newest) {
    gauge("gpuscope_remote_write_newest_timestamp_seconds", "Time of the newest tick that was sent",
          status.newest->time_since_epoch().count(), 6);
  }
  counter("gpuscope_remote_write_samples_total", "Samples that the server has taken",
          status.sent_samples);
  counter("gpuscope_remote_write_bytes_total", "Bytes of those samples, compressed",
          status.sent_bytes);
  counter("gpuscope_remote_write_requests_total", "Requests that the server has taken",
          status.requests);
  counter("gpuscope_remote_write_failed_requests_total",
          "Requests that came to nothing and are tried again", status.failed_requests);
  counter("gpuscope_remote_write_refused_samples_total",
          "Samples that the server will never take, and that were given up",
          status.refused_samples);
  counter("gpuscope_remote_write_lost_ticks_total",
          "Ticks that the history dropped before they were sent", status.lost_ticks);
  counter("gpuscope_remote_write_disordered_ticks_total",
          "Ticks that were not sent because a clock went back", status.disordered_ticks);
}

}  // namespace gpuscope::app
