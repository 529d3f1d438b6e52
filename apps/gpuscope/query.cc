#include <fmt/format.h>

#include <cstdio>
#include <iostream>
#include <memory>

#include "base/clock.h"
#include "collect/collector.h"
#include "commands.h"
#include "config/agent_settings.h"
#include "device/method.h"
#include "wire/query_document.h"

namespace gpuscope::app {
namespace {

using Snapshot = std::shared_ptr<const model::Snapshot>;

base::Result<Snapshot> sample(const QueryCommand& command, base::Clock& clock) {
  auto settings = config::load_device_settings(command.flags, config::process_environment());
  if (!settings) return std::unexpected(std::move(settings.error()));
  device::DeviceOptions options;
  options.sim = std::move(settings->sim);
  options.smi = std::move(settings->smi);
  options.replay = std::move(settings->replay);
  if (options.replay) options.replay->from_end = true;
  // A recording that is named is what is asked for, unless another method is.
  const std::string method =
      command.method.value_or(options.replay ? "replay" : std::string("nvml"));
  auto source = device::make_source(method, options, clock);
  if (!source) return std::unexpected(std::move(source.error()));
  return collect::sample_once(clock, collect::Options{}, std::move(*source));
}

// No GPU to ask is an answer that scripts read; a wrong option is not, nor a recording that is not
// there.
bool is_about_gpus(const QueryCommand& command, base::ErrorKind kind) {
  return kind != base::ErrorKind::kInvalidArgument && !command.flags.contains("replay");
}

}  // namespace

int run(const QueryCommand& command) {
  base::SystemClock clock;
  const auto snapshot = sample(command, clock);
  std::string document;
  int status = 0;
  if (!snapshot) {
    std::cerr << "gpuscope: " << snapshot.error().message << '\n';
    status = 1;
    if (!is_about_gpus(command, snapshot.error().kind)) return status;
    wire::append_no_gpus_document(document, command.query);
  } else {
    const std::size_t gpus = (*snapshot)->devices.size();
    const std::size_t wanted = command.query.gpu.value_or(0);
    if (gpus > 0 && wanted >= gpus) {
      std::cerr << fmt::format("gpuscope: cannot find GPU {}: this machine has {}, from 0 to {}\n",
                               wanted, gpus, gpus - 1);
      return 1;
    }
    wire::append_query_document(document, **snapshot, command.query);
    if (gpus == 0) status = 1;
  }
  document += '\n';
  const bool written =
      std::fwrite(document.data(), 1, document.size(), stdout) == document.size() &&
      std::fflush(stdout) == 0;
  if (!written) {
    std::cerr << "gpuscope: cannot write to standard output\n";
    return 1;
  }
  return status;
}

}  // namespace gpuscope::app
