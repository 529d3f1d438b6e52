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
#include <memory>
#include <optional>
#include <string>
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
#include "notify_part.h"
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

// Where people reach the agent, without a slash at its end.
std::string public_url(const config::AgentSettings& settings, std::uint16_t port) {
  std::string url = settings.notify.external_url.empty() ? url_of(settings.http.host, port)
                                                         : settings.notify.external_url;
  while (url.ends_with('/')) url.pop_back();
  return url;
}

// The parts of an agent: made from the first to the last, each from those before it, and gone from
// the last to the first.
class Agent {
 public:
  Agent(const AgentCommand& command, const config::AgentSettings& settings)
      : command_(command),
        settings_(settings),
        fast_(real_, settings.sim_speed),
        clock_(settings.sim_speed == 1 ? static_cast<base::Clock&>(real_) : fast_),
        collector_(clock_, settings.collect, canonical(settings.method),
                   source_factory(settings, clock_)),
        routes_(collector_, GPUSCOPE_VERSION) {}

  base::Result<void> make(api::MetricsSetup metrics);
  base::Result<void> start();
  // Looks at what changes until a signal says to end, and returns it.
  int watch_until_signal(base::StopSignals& signals);
  base::Result<void> stop() { return parts_.stop(real_, kStopLimit); }

 private:
  base::Result<void> make_keepers(const std::string& hostname);
  base::Result<void> make_server(const wire::MetricsOptions& options);
  base::Result<void> make_analysis(api::MetricsSetup& metrics);
  base::Result<void> make_answers(const wire::MetricsOptions& options);
  base::Result<void> make_alerts(const wire::MetricsOptions& options);
  void show(api::MetricsSetup metrics);
  base::Result<void> change(const config::AgentSettings& next);

  const AgentCommand& command_;
  const config::AgentSettings& settings_;
  std::string hostname_;  // a machine keeps its name
  base::SystemClock real_;
  base::FastClock fast_;
  base::Clock& clock_;
  std::unique_ptr<device::replay::Recorder> recorder_;  // null: nothing is recorded
  std::unique_ptr<history::History> history_;           // null: nothing is remembered
  collect::Collector collector_;
  api::Routes routes_;
  std::unique_ptr<AgentAnalysis> analysis_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<prom::RemoteWriter> sender_;  // null: nothing is sent
  std::unique_ptr<api::LiveStream> stream_;
  std::unique_ptr<model::StateStore> states_;
  std::unique_ptr<NotifyPart> notifier_;
  std::shared_ptr<const model::LabelledSeriesReader> watched_;  // what rules look at
  std::unique_ptr<alert::Alerting> alerting_;                   // null: there is none
  std::unique_ptr<Reload> reload_;
  base::RunGroup parts_;
};

// What remembers what is read.
base::Result<void> Agent::make_keepers(const std::string& hostname) {
  auto recorder = make_recorder(settings_, clock_);
  if (!recorder) return std::unexpected(std::move(recorder.error()));
  recorder_ = std::move(*recorder);
  auto history = start_history(settings_, hostname, clock_);
  if (!history) return std::unexpected(std::move(history.error()));
  history_ = std::move(*history);
  return {};
}

base::Result<void> Agent::make_analysis(api::MetricsSetup& metrics) {
  auto analysis = AgentAnalysis::make(settings_, hostname_, history_.get(), collector_, clock_);
  if (!analysis) return std::unexpected(std::move(analysis.error()));
  analysis_ = std::move(*analysis);
  if (!analysis_) {
    routes_.fleet().configure_none(AgentAnalysis::why_none(settings_));
    return {};
  }
  routes_.fleet().configure(clock_, analysis_->analyzer(), analysis_->setup());
  metrics.more = [this](auto format, auto& out) { routes_.fleet().append_metrics(out, format); };
  return {};
}

// What needs the port at which the agent serves comes after the server.
base::Result<void> Agent::make_server(const wire::MetricsOptions& options) {
  auto server = http::Server::listen(
      settings_.http, [this](const http::Request& request) { return routes_.handle(request); });
  if (!server) return std::unexpected(std::move(server.error()));
  server_ = std::move(*server);
  auto sender = start_remote_write(settings_, options, server_->port(), clock_);
  if (!sender) return std::unexpected(std::move(sender.error()));
  sender_ = std::move(*sender);
  auto stream = api::LiveStream::start(clock_, *server_);
  if (!stream) return std::unexpected(std::move(stream.error()));
  stream_ = std::move(*stream);
  return {};
}

// What looks back for requests.
base::Result<void> Agent::make_answers(const wire::MetricsOptions& options) {
  const prom::Labels labels = agent_labels(settings_, options, server_->port());
  api::HistorySetup looks_back = history_setup(settings_, history_.get(), *server_);
  auto queries = query_setup(
      settings_, agent_series(history_.get(), options, labels, collector_, clock_), looks_back);
  if (auto started = routes_.start_queries(clock_, std::move(queries)); !started) return started;
  return routes_.start_history(clock_, std::move(looks_back));
}

// What watches the history, and what tells people.
base::Result<void> Agent::make_alerts(const wire::MetricsOptions& options) {
  states_ = open_states(settings_);
  auto notifier = NotifyPart::start(settings_, clock_, *states_,
                                    notify_surroundings(settings_, collector_, history_.get()));
  if (!notifier) return std::unexpected(std::move(notifier.error()));
  notifier_ = std::move(*notifier);
  const prom::Labels labels = agent_labels(settings_, options, server_->port());
  watched_ = agent_series(history_.get(), options, labels, collector_, clock_);
  auto alerting =
      make_alerting(settings_,
                    {.series = watched_.get(),
                     .store = *states_,
                     .collector = collector_,
                     .deliver = [this](const auto& message) { return notifier_->take(message); },
                     .url = public_url(settings_, server_->port())},
                    clock_);
  if (!alerting) return std::unexpected(std::move(alerting.error()));
  alerting_ = std::move(*alerting);
  routes_.configure_alerts(alerting_.get(), why_no_alerting(settings_));
  routes_.configure_notifications([this](std::size_t most) { return notifier_->look(most); });
  return {};
}

// What the parts say of themselves, in /metrics and /health.
void Agent::show(api::MetricsSetup metrics) {
  metrics.http_counters = [this] { return server_->counters(); };
  metrics.parts.emplace_back([this](auto& parts) {
    if (history_) add_metrics(*history_, parts);
    if (sender_) add_metrics(*sender_, parts);
    notifier_->add_metrics(parts);
    if (alerting_) add_metrics(*alerting_, parts);
  });
  routes_.configure_metrics(std::move(metrics));
  routes_.configure_health([this] {
    return wire::AgentHealth{.settings = reload_->health(),
                             .recording = recording_health(settings_, recorder_.get()),
                             .history = history_health(settings_, history_.get()),
                             .remote_write = remote_write_health(settings_, sender_.get()),
                             .alerting = alerting_health(alerting_.get()),
                             .notifications = notifier_->health()};
  });
}

base::Result<void> Agent::make(api::MetricsSetup metrics) {
  hostname_ = metrics.options.hostname;
  if (auto made = make_keepers(hostname_); !made) return made;
  if (auto made = make_analysis(metrics); !made) return made;
  const wire::MetricsOptions options = metrics.options;
  if (auto made = make_server(options); !made) return made;
  if (auto made = make_answers(options); !made) return made;
  if (auto made = make_alerts(options); !made) return made;
  reload_ =
      std::make_unique<Reload>(command_.flags, geteuid() == 0, settings_,
                               [this](const config::AgentSettings& next) { return change(next); });
  show(std::move(metrics));
  return {};
}

// Takes over what a running agent can change.
base::Result<void> Agent::change(const config::AgentSettings& next) {
  auto metrics = metrics_setup(next);
  if (!metrics) return std::unexpected(std::move(metrics.error()));
  metrics->options.hostname = hostname_;
  base::configure_log(next.log_level, next.log_format);
  collector_.change(next.collect);
  change_history(history_.get(), next.history);
  if (sender_) sender_->change(metrics->options);
  routes_.change_metrics(std::move(metrics->options));
  return {};
}

// The collector gives to the recorder, the history and the stream, and the server asks the
// collector: each comes after those that it needs, and goes before them.
base::Result<void> Agent::start() {
  collector_.add_sink(*stream_);
  if (recorder_) collector_.add_sink(*recorder_);
  if (history_) collector_.add_sink(*history_);
  const auto nothing = [] { return base::Result<void>{}; };
  if (recorder_) parts_.add({"the recording", nothing, [this] { recorder_->stop(); }});
  if (history_) parts_.add({"the history", nothing, [this] { history_->stop(); }});
  parts_.add({"notifications", nothing, [this] { notifier_->stop(); }});
  if (alerting_) {
    parts_.add({"alerts", [this] { return alerting_->start(); }, [this] { alerting_->stop(); }});
    parts_.add({"Alertmanager",
                [this] { return notifier_->follow([this] { return alerting_->active(); }); },
                [this] { notifier_->unfollow(); }});
  }
  if (sender_) parts_.add({"remote write", nothing, [this] { sender_->stop(); }});
  parts_.add({"the live stream", nothing, [this] { stream_->stop(); }});
  parts_.add({"the collector", [this] { return collector_.start(), base::Result<void>{}; },
              [this] { collector_.stop(); }});
  if (analysis_) {
    parts_.add({"the analysis", [this] { return analysis_->analyzer().start(); },
                [this] { analysis_->analyzer().stop(); }});
    parts_.add({"answers of the analysis",
                [this] {
                  routes_.fleet().start([this] { server_->wake(); });
                  return base::Result<void>{};
                },
                [this] { routes_.fleet().stop(); }});
  }
  parts_.add({"answers from the history", nothing, [this] { routes_.stop_history(); }});
  parts_.add({"answers to queries", nothing, [this] { routes_.stop_queries(); }});
  parts_.add({"the server", [this] { return server_->start(), base::Result<void>{}; },
              [this] { server_->stop(); }});
  if (auto started = parts_.start(real_, kStopLimit); !started) return started;
  std::cout << fmt::format("gpuscope agent serves {}\n",
                           url_of(settings_.http.host, server_->port()))
            << std::flush;
  return {};
}

int Agent::watch_until_signal(base::StopSignals& signals) {
  Watch watch(collector_);
  for (;;) {
    const std::optional<int> signal = signals.wait(kWatchInterval);
    if (signal == SIGHUP) {
      reload_->reload();
    } else if (signal) {
      return *signal;
    } else {
      watch.look();
      reload_->look();
    }
  }
}

// Serves until a signal comes.
int serve(const AgentCommand& command, const config::AgentSettings& settings,
          api::MetricsSetup metrics, base::StopSignals& signals) {
  Agent agent(command, settings);
  if (auto made = agent.make(std::move(metrics)); !made) return refuse(made.error());
  if (auto started = agent.start(); !started) return refuse(started.error());
  base::log(LogLevel::kInfo, fmt::format("ends on signal {}", agent.watch_until_signal(signals)));
  if (auto stopped = agent.stop(); !stopped) {
    base::log(LogLevel::kError, stopped.error().message);
    // What did not stop still uses the others: nothing may be destroyed.
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
