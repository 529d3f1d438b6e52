// `gpuscope fleet`: judges how well the GPUs of a whole fleet are used, and serves what it finds.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <utility>

#include "advise_part.h"
#include "analyze/analyzer.h"
#include "api/fleet_routes.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/lock_file.h"
#include "base/log.h"
#include "base/run_group.h"
#include "base/signal.h"
#include "base/web_url.h"
#include "commands.h"
#include "config/fleet_settings.h"
#include "fleet_part.h"
#include "history/state_store.h"
#include "http/server.h"
#include "model/memory_state_store.h"
#include "prom/engine_evidence.h"
#include "prom/prometheus_reader.h"
#include "serving.h"

namespace gpuscope::app {
namespace {

using base::LogLevel;
using std::chrono::milliseconds;

constexpr milliseconds kStopLimit{4500};
constexpr milliseconds kLookAgain{60'000};

int refuse(const base::Error& error) {
  std::cerr << "gpuscope: " << error.message << '\n';
  return 1;
}

// Where results are kept, with the lock that makes it ours.
struct Place {
  std::optional<base::LockFile> lock;
  std::unique_ptr<model::StateStore> store;  // in memory where there is no place
};

// An error where another fleet service has it; else without one it goes on.
base::Result<Place> take_place(const config::FleetSettings& settings) {
  Place place;
  std::string trouble = settings.data_dir_trouble;
  if (!settings.data_dir.empty()) {
    const auto made = base::make_directories(settings.data_dir);
    auto lock = made ? base::LockFile::acquire(settings.data_dir + "/fleet.lock")
                     : std::unexpected(made.error());
    if (lock) {
      place.lock = std::move(*lock);
      place.store = std::make_unique<history::SqliteStateStore>(settings.data_dir + "/fleet.db");
      return place;
    }
    trouble = std::move(lock.error().message);
    if (made && lock.error().kind == base::ErrorKind::kAlreadyExists) {
      return base::fail(lock.error().kind,
                        trouble + "; stop that service, or give this one a --data-dir of its own");
    }
    trouble += "; give --data-dir a directory that can be written";
  }
  base::log(LogLevel::kWarning, trouble + "; goes on, and its results do not outlive it");
  place.store = std::make_unique<model::MemoryStateStore>();
  return place;
}

api::FleetSetup api_setup(const config::FleetSettings& settings, AdvisePart& advise) {
  wire::FleetConfig config;
  config.prometheus_url = settings.reader.engine.url;
  config.query_condition = settings.reader.condition;
  config.max_workers = settings.max_workers;
  api::FleetSetup setup{.version = GPUSCOPE_VERSION, .config = std::move(config)};
  describe(settings.opinions, settings.control, advise, setup);
  return setup;
}

int serve(const config::FleetSettings& settings, model::StateStore& store,
          base::StopSignals& signals) {
  base::SystemClock clock;
  auto reader = prom::PrometheusReader::create(clock, settings.reader);
  if (!reader) return refuse(reader.error());
  auto details = prom::EngineEvidence::create(clock, settings.reader);
  if (!details) return refuse(details.error());
  auto advise =
      AdvisePart::create(clock, settings.opinions, settings.control, store, std::move(*details));
  if (!advise) return refuse(advise.error());
  analyze::Analyzer analyzer(clock, **reader, settings.analysis, analysis_parts(store, **advise));
  if (auto restored = restore_results(store, analyzer); !restored) {
    base::log(LogLevel::kError, restored.error().message + "; begins without results");
  }
  api::FleetService service(clock, analyzer, api_setup(settings, **advise));
  auto server = http::Server::listen(
      settings.http, [&service](const http::Request& request) { return service.handle(request); });
  if (!server) return refuse(server.error());

  base::RunGroup parts;
  parts.add({"the analysis", [&] { return analyzer.start(); }, [&] { analyzer.stop(); }});
  parts.add({"answers that take their time",
             [&] {
               service.fleet().start([&] { (*server)->wake(); });
               return base::Result<void>{};
             },
             [&] { service.fleet().stop(); }});
  parts.add({"the server", [&] { return (*server)->start(), base::Result<void>{}; },
             [&] { (*server)->stop(); }});
  if (auto started = parts.start(clock, kStopLimit); !started) return refuse(started.error());
  std::cout << fmt::format("gpuscope fleet serves {}\n",
                           url_of(settings.http.host, (*server)->port()))
            << std::flush;
  base::log(LogLevel::kInfo, fmt::format("reads {} from {}", settings.reader.condition,
                                         base::url_origin(settings.reader.engine.url)));
  std::optional<int> signal;
  while (!signal || *signal == SIGHUP) signal = signals.wait(kLookAgain);
  base::log(LogLevel::kInfo, fmt::format("ends on signal {}", *signal));
  if (auto stopped = parts.stop(clock, kStopLimit); !stopped) {
    base::log(LogLevel::kError, stopped.error().message);
    // What did not stop still uses everything above: nothing may be destroyed.
    std::_Exit(1);
  }
  return 0;
}

}  // namespace

int run(const FleetCommand& command) {
  keep_memory_small();
  const auto settings =
      config::load_fleet_settings(command.flags, config::process_environment(), geteuid() == 0);
  if (!settings) return refuse(settings.error());
  base::configure_log(settings->log_level, settings->log_format);
  const auto place = take_place(*settings);
  if (!place) return refuse(place.error());
  base::StopSignals signals;
  return serve(*settings, *place->store, signals);
}

}  // namespace gpuscope::app
