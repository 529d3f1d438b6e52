// `gpuscope agent`: the parts put together, started and stopped in one written order.
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <optional>
#include <utility>

#include "agent_parts.h"
#include "alerting_part.h"
#include "api/live_stream.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/lock_file.h"
#include "base/log.h"
#include "base/run_group.h"
#include "base/signal.h"
#include "collect/collector.h"
#include "commands.h"
#include "config/agent_settings.h"
#include "device/method.h"
#include "fleet_part.h"
#include "http/server.h"
#include "metrics_setup.h"
#include "reload.h"
#include "remote_write_part.h"
#include "series_part.h"
#include "serving.h"
#include "watch.h"

namespace gpuscope::app {
namespace {

using base::LogLevel;
using std::chrono::milliseconds;

// A service manager kills after seconds of its own; two of these are the collector's for a device
// that is stuck, one is the server's.
constexpr milliseconds kStopLimit{4500};
constexpr milliseconds kWatchInterval{500};
constexpr rlim_t kMostFiles = 131'072;

int refuse(const base::Error& error) {
  std::cerr << "gpuscope: " << error.message << '\n';
  return 1;
}

// None, with a word in the log, where there is no directory that can be written: what is live does
// without. An error where another agent has it.
base::Result<std::optional<base::LockFile>> take_data_dir(const config::AgentSettings& settings) {
  std::string trouble = settings.data_dir_trouble;
  if (!settings.data_dir.empty()) {
    const auto made = base::make_directories(settings.data_dir);
    auto lock = made ? base::LockFile::acquire(settings.data_dir + "/agent.lock")
                     : std::unexpected(made.error());
    if (lock) return std::optional(std::move(*lock));
    trouble = std::move(lock.error().message);
    if (made && lock.error().kind == base::ErrorKind::kAlreadyExists) {
      return base::fail(lock.error().kind,
                        trouble + "; stop that agent, or give this one a --data-dir of its own");
    }
    trouble += "; give --data-dir a directory that can be written";
  }
  base::log(LogLevel::kWarning, trouble + "; goes on and keeps nothing there");
  return std::nullopt;
}

collect::Collector::SourceFactory source_factory(const config::AgentSettings& settings,
                                                 const base::Clock& clock) {
  device::DeviceOptions options;
  options.sim = settings.sim;
  options.nvml = settings.nvml;
  options.smi = settings.smi;
  options.replay = settings.replay;
  return [options, &clock](std::string_view method) {
    return device::make_source(method, options, clock);
  };
}

// Under one name however it was asked for: "smi" for "bash".
std::string canonical(const std::string& method) {
  const auto parsed = device::parse_method(method);
  return parsed ? std::string(device::method_name(*parsed)) : method;
}

// A call that is stuck in a driver outlives the collector, on a thread of its own.
bool left_threads_behind() {
  std::error_code error;
  const std::filesystem::directory_iterator tasks("/proc/self/task", error);
  return !error && std::distance(begin(tasks), end(tasks)) > 1;
}

// Every listener of the stream is an open file, and many systems begin with 1024.
void allow_many_files() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = std::min<rlim_t>(files.rlim_max, kMostFiles);
  setrlimit(RLIMIT_NOFILE, &files);
}

// Looks at what changes until a signal says to end, and returns it.
int watch_until_signal(base::StopSignals& signals, Watch& watch, Reload& reload) {
  for (;;) {
    const std::optional<int> signal = signals.wait(kWatchInterval);
    if (signal == SIGHUP) {
      reload.reload();
    } else if (signal) {
      return *signal;
    } else {
      watch.look();
      reload.look();
    }
  }
}

// Serves until a signal comes.
int serve(const AgentCommand& command, const config::AgentSettings& settings,
          api::MetricsSetup metrics, base::StopSignals& signals) {
  base::SystemClock real;
  base::FastClock fast(real, settings.sim_speed);
  base::Clock& clock = settings.sim_speed == 1 ? static_cast<base::Clock&>(real) : fast;
  auto recorder = make_recorder(settings, clock);
  if (!recorder) return refuse(recorder.error());
  auto history = start_history(settings, metrics.options.hostname, clock);
  if (!history) return refuse(history.error());
  collect::Collector collector(clock, settings.collect, canonical(settings.method),
                               source_factory(settings, clock));
  api::Routes routes(collector, GPUSCOPE_VERSION);
  const auto analysis =
      AgentAnalysis::make(settings, metrics.options.hostname, history->get(), collector, clock);
  if (!analysis) return refuse(analysis.error());
  if (*analysis) {
    routes.fleet().configure(clock, (*analysis)->analyzer(), (*analysis)->setup());
    metrics.more = [&](auto format, auto& out) { routes.fleet().append_metrics(out, format); };
  } else {
    routes.fleet().configure_none(AgentAnalysis::why_none(settings));
  }
  auto server = http::Server::listen(
      settings.http, [&routes](const http::Request& request) { return routes.handle(request); });
  if (!server) return refuse(server.error());
  metrics.http_counters = [&server] { return (*server)->counters(); };
  if (*history) metrics.parts.emplace_back([&](auto& parts) { add_metrics(**history, parts); });
  auto sender = start_remote_write(settings, metrics.options, (*server)->port(), clock);
  if (!sender) return refuse(sender.error());
  if (*sender) metrics.parts.emplace_back([&](auto& parts) { add_metrics(**sender, parts); });
  const std::string hostname = metrics.options.hostname;  // a machine keeps its name
  const prom::Labels labels = agent_labels(settings, metrics.options, (*server)->port());
  auto series = agent_series(history->get(), metrics.options, labels, collector, clock);
  routes.configure_metrics(std::move(metrics));
  Reload reload(command.flags, geteuid() == 0, settings,
                [&](const config::AgentSettings& next) -> base::Result<void> {
                  auto changed = metrics_setup(next);
                  if (!changed) return std::unexpected(changed.error());
                  changed->options.hostname = hostname;
                  base::configure_log(next.log_level, next.log_format);
                  collector.change(next.collect);
                  change_history(history->get(), next.history);
                  if (*sender) (*sender)->change(changed->options);
                  routes.change_metrics(std::move(changed->options));
                  return {};
                });
  routes.configure_health([&] {
    return wire::AgentHealth{.settings = reload.health(),
                             .recording = recording_health(settings, recorder->get()),
                             .history = history_health(settings, history->get()),
                             .remote_write = remote_write_health(settings, sender->get())};
  });
  api::HistorySetup looks_back = history_setup(settings, history->get(), **server);
  if (auto started = routes.start_queries(clock, query_setup(std::move(series), looks_back));
      !started) {
    return refuse(started.error());
  }
  if (auto started = routes.start_history(clock, std::move(looks_back)); !started) {
    return refuse(started.error());
  }
  routes.configure_alerts(nullptr, why_no_alerting(settings));
  auto stream = api::LiveStream::start(clock, **server);
  if (!stream) return refuse(stream.error());
  collector.add_sink(**stream);
  if (*recorder) collector.add_sink(**recorder);
  if (*history) collector.add_sink(**history);

  // The collector gives to the recorder, the history and the stream, and the server asks the
  // collector: each comes after those that it needs, and goes before them.
  const auto nothing = [] { return base::Result<void>{}; };
  base::RunGroup parts;
  if (*recorder) parts.add({"the recording", nothing, [&] { (*recorder)->stop(); }});
  if (*history) parts.add({"the history", nothing, [&] { (*history)->stop(); }});
  if (*sender) parts.add({"remote write", nothing, [&] { (*sender)->stop(); }});
  parts.add({"the live stream", nothing, [&] { (*stream)->stop(); }});
  parts.add({"the collector", [&] { return collector.start(), base::Result<void>{}; },
             [&] { collector.stop(); }});
  if (*analysis) {
    parts.add({"the analysis", [&] { return (*analysis)->analyzer().start(); },
               [&] { (*analysis)->analyzer().stop(); }});
    parts.add({"answers of the analysis",
               [&] {
                 routes.fleet().start([&] { (*server)->wake(); });
                 return base::Result<void>{};
               },
               [&] { routes.fleet().stop(); }});
  }
  parts.add({"answers from the history", nothing, [&] { routes.stop_history(); }});
  parts.add({"answers to queries", nothing, [&] { routes.stop_queries(); }});
  parts.add({"the server", [&] { return (*server)->start(), base::Result<void>{}; },
             [&] { (*server)->stop(); }});
  if (auto started = parts.start(real, kStopLimit); !started) return refuse(started.error());

  std::cout << fmt::format("gpuscope agent serves {}\n",
                           url_of(settings.http.host, (*server)->port()))
            << std::flush;
  Watch watch(collector);
  base::log(LogLevel::kInfo,
            fmt::format("ends on signal {}", watch_until_signal(signals, watch, reload)));
  if (auto stopped = parts.stop(real, kStopLimit); !stopped) {
    base::log(LogLevel::kError, stopped.error().message);
    // What did not stop still uses everything above: nothing may be destroyed.
    std::_Exit(1);
  }
  return 0;
}

}  // namespace

int run(const AgentCommand& command) {
  keep_memory_small();
  const auto settings =
      config::load_agent_settings(command.flags, config::process_environment(), geteuid() == 0);
  if (!settings) return refuse(settings.error());
  base::configure_log(settings->log_level, settings->log_format);
  const auto lock = take_data_dir(*settings);
  if (!lock) return refuse(lock.error());
  auto metrics = metrics_setup(*settings);
  if (!metrics) return refuse(metrics.error());
  base::StopSignals signals;
  allow_many_files();
  const int status = serve(command, *settings, std::move(*metrics), signals);
  // Static objects, the driver's among them, stay for those that still use them.
  if (left_threads_behind()) std::_Exit(status);
  return status;
}

}  // namespace gpuscope::app
