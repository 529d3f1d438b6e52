#include "watch.h"

#include <fmt/format.h>

#include <string_view>

#include "base/log.h"

namespace gpuscope::app {
namespace {

using base::LogLevel;
using model::Absence;

// What ails a whole device: kPresent when it answers.
Absence condition(const model::DeviceSample& device) {
  bool answered = false;
  bool timed_out = false;
  for (const model::Reading& reading : device.gpu) {
    if (reading.absence == Absence::kGone) return Absence::kGone;
    answered = answered || reading.present();
    timed_out = timed_out || reading.absence == Absence::kTimedOut;
  }
  return timed_out || !answered ? Absence::kTimedOut : Absence::kPresent;
}

std::string name_of(const model::GpuInfo& gpu, std::size_t index) {
  return fmt::format("GPU {} ({}, {})", index, gpu.name(), gpu.uuid());
}

std::string words(const collect::SourceStatus& status, const model::Snapshot* snapshot) {
  if (status.state == collect::SourceState::kFailed) return status.error.message;
  if (status.state == collect::SourceState::kStarting || snapshot == nullptr) return {};
  const std::size_t gpus = snapshot->devices.size();
  return fmt::format("reads {} {}GPU{}", gpus, snapshot->inventory->simulated ? "SIMULATED " : "",
                     gpus == 1 ? "" : "s");
}

}  // namespace

void Watch::look() {
  for (const std::string& method : collector_.running()) {
    const collect::View view = collector_.peek(method);
    Seen& seen = seen_[method];
    const std::string state = words(view.status, view.snapshot.get());
    if (!state.empty() && state != seen.state) {
      const bool failed = view.status.state == collect::SourceState::kFailed;
      base::log(failed ? LogLevel::kError : LogLevel::kInfo, fmt::format("{}: {}", method, state));
      seen.state = state;
    }
    if (view.snapshot) look_at_gpus(*view.snapshot, seen);
  }
}

void Watch::look_at_gpus(const model::Snapshot& snapshot, Seen& seen) {
  if (snapshot.sequence == seen.sequence) return;
  seen.sequence = snapshot.sequence;
  seen.gpus.resize(snapshot.devices.size(), Absence::kPresent);
  for (std::size_t i = 0; i < seen.gpus.size(); ++i) {
    const Absence now = condition(snapshot.devices[i]);
    if (now == seen.gpus[i]) continue;
    seen.gpus[i] = now;
    const std::string name = name_of(snapshot.inventory->gpus[i], i);
    if (now == Absence::kPresent) {
      base::log(LogLevel::kInfo, name + " answers again");
    } else {
      base::log(LogLevel::kWarning,
                name + (now == Absence::kGone ? " is lost" : " does not answer"));
    }
  }
}

}  // namespace gpuscope::app
