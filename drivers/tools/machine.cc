#include "machine.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <utility>

#include "config/sim_settings.h"

namespace gpuscope::tools {
namespace {

using model::Absence;
using model::Metric;
using model::Reading;
using model::Unit;

constexpr std::int64_t kMib = std::int64_t{1} << 20U;

// To the nearest, as NVML gives whole degrees and percents.
std::int64_t rounded(std::int64_t value, std::int64_t divisor) {
  const std::int64_t half = value < 0 ? -divisor / 2 : divisor / 2;
  return (value + half) / divisor;
}

std::string name_of(const Reading& reading, std::initializer_list<const char*> names) {
  if (!reading.present()) return words_for(reading.absence);
  const auto at = static_cast<std::size_t>(reading.value);
  return at < names.size() ? names.begin()[at] : "Unknown Error";
}

}  // namespace

base::Result<Machine> Machine::from_environment() {
  auto options = config::sim_options_from_environment();
  if (!options) return std::unexpected(std::move(options.error()));
  return Machine(*options);
}

void Machine::look() {
  const base::WallTime now = base::SystemClock().wall_now();
  now_ = now - now.time_since_epoch() % device::sim::kStep;
  samples_.resize(machine_.size());
  for (std::size_t i = 0; i < samples_.size(); ++i) machine_.read(i, now_, samples_[i]);
}

std::optional<std::vector<std::size_t>> Machine::select(std::string_view ids) const {
  std::vector<std::size_t> gpus;
  if (ids.empty()) {
    for (std::size_t i = 0; i < size(); ++i) gpus.push_back(i);
    return gpus;
  }
  while (!ids.empty()) {
    const std::size_t end = std::min(ids.find(','), ids.size());
    const std::string_view id = ids.substr(0, end);
    ids.remove_prefix(std::min(end + 1, ids.size()));
    std::size_t found = size();
    for (std::size_t i = 0; i < size(); ++i) {
      if (id == info(i).uuid() || id == info(i).fact(model::Fact::kPciBusId).value) found = i;
    }
    std::size_t index = 0;
    const auto [at, error] = std::from_chars(id.data(), id.data() + id.size(), index);
    if (error == std::errc{} && at == id.data() + id.size()) found = index;
    if (found >= size()) return std::nullopt;
    gpus.push_back(found);
  }
  return gpus;
}

std::string words_for(Absence absence) {
  switch (absence) {
    case Absence::kDenied:
      return "Insufficient Permissions";
    case Absence::kGone:
      return "GPU is lost";
    case Absence::kTimedOut:
      return "Timeout";
    case Absence::kFailed:
    case Absence::kNotYet:
      return "Unknown Error";
    case Absence::kPresent:
    case Absence::kUnsupported:
      break;
  }
  return "N/A";
}

std::string text_of(Metric metric, const Reading& reading) {
  if (!reading.present()) return words_for(reading.absence);
  const std::int64_t value = reading.value;
  switch (model::info(metric).unit) {
    case Unit::kPercent:
      return std::to_string(rounded(value, 100));
    case Unit::kCelsius:
      return std::to_string(rounded(value, 10));
    case Unit::kBytes:
      return std::to_string(value / kMib);
    case Unit::kBytesPerSecond:
      return std::to_string(value / 1000);
    case Unit::kWatts: {
      const std::int64_t hundredths = rounded(value, 10);
      return fmt::format("{}.{:02}", hundredths / 100, hundredths % 100);
    }
    case Unit::kSeconds:
      return std::to_string(value / 1000);  // ns as us
    default:
      return std::to_string(value);
  }
}

std::string quantity_of(Metric metric, const Reading& reading) {
  std::string text = text_of(metric, reading);
  if (!reading.present()) return text;
  switch (model::info(metric).unit) {
    case Unit::kPercent:
      return text + " %";
    case Unit::kCelsius:
      return text + " C";
    case Unit::kBytes:
      return text + " MiB";
    case Unit::kBytesPerSecond:
      return text + " KB/s";
    case Unit::kWatts:
      return text + " W";
    case Unit::kMegahertz:
      return text + " MHz";
    case Unit::kSeconds:
      return text + " us";
    default:
      return text;
  }
}

std::string text_of(const model::Text& text) {
  return text.present() ? text.value : words_for(text.absence);
}

std::string performance_state_of(const Reading& reading) {
  return reading.present() ? "P" + std::to_string(reading.value) : words_for(reading.absence);
}

std::string recovery_action_of(const Reading& reading) {
  return name_of(reading, {"None", "Reset", "Reboot", "Drain P2P", "Drain and Reset"});
}

std::string compute_mode_of(const Reading& reading) {
  return name_of(reading, {"Default", "Exclusive_Thread", "Prohibited", "Exclusive_Process"});
}

std::string flag_of(const Reading& reading, std::string_view yes, std::string_view no) {
  if (!reading.present()) return words_for(reading.absence);
  return std::string(reading.value != 0 ? yes : no);
}

}  // namespace gpuscope::tools
