#include "session.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <utility>

#include "config/sim_settings.h"

namespace gpuscope::simulated {
namespace {

using base::ErrorKind;
using base::Result;

// How often the file of faults is looked at. A stat() on every call would cost more than the call.
constexpr Milliseconds kLookEvery{5};

const base::SystemClock& system_clock() {
  static const base::SystemClock clock;
  return clock;
}

// What changes when a file does; empty without a file.
std::string file_stamp(const std::string& path) {
  struct stat about{};
  if (stat(path.c_str(), &about) != 0) return {};
  return fmt::format("{}.{}.{}.{}", about.st_mtim.tv_sec, about.st_mtim.tv_nsec, about.st_size,
                     about.st_ino);
}

}  // namespace

bool Gpu::lost() const { return machine_.lost(index_, system_clock().wall_now()); }

void Gpu::refresh() {
  const base::WallTime now = system_clock().wall_now();
  const base::WallTime step = now - now.time_since_epoch() % device::sim::kStep;
  if (step == step_) return;
  machine_.read(index_, step, sample_);
  step_ = step;
}

Result<std::unique_ptr<Faults>> Faults::start(const std::string& rules, std::string file) {
  Result<FaultPlan> plan = FaultPlan::parse(rules);
  if (!plan) return std::unexpected(std::move(plan.error()));
  std::unique_ptr<Faults> faults(new Faults);
  faults->rules_ = rules;
  faults->fixed_ = std::move(*plan);
  faults->file_ = std::move(file);
  faults->started_ = system_clock().steady_now();
  if (!faults->file_.empty()) {
    const base::MutexLock lock(faults->mutex_);
    if (Result<void> read = faults->reload(); !read) {
      return std::unexpected(std::move(read.error()));
    }
  }
  return faults;
}

Result<void> Faults::reload() {
  looked_ = system_clock().steady_now();
  std::string stamp = file_stamp(file_);
  if (stamp == stamp_) return {};
  stamp_ = std::move(stamp);
  std::ifstream in(file_);
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  Result<FaultPlan> plan = FaultPlan::parse(text);
  if (!plan) return std::unexpected(std::move(plan.error()));
  changing_ = std::move(*plan);
  changed_ = looked_;
  return {};
}

Outcome Faults::at(const CallSite& call) {
  if (!any()) return {};
  const base::SteadyTime now = system_clock().steady_now();
  const auto since = [now](base::SteadyTime begin) {
    return std::chrono::duration_cast<Milliseconds>(now - begin);
  };
  Outcome sum = fixed_.at(call, since(started_));
  if (file_.empty()) return sum;
  const base::MutexLock lock(mutex_);
  if (now - looked_ >= kLookEvery) {
    // The faults of before stay in force until somebody writes ones that can be understood.
    if (const Result<void> read = reload(); !read) {
      fmt::print(stderr, "gpuscope simulated driver: {}: {}\n", file_, read.error().message);
    }
  }
  const Outcome more = changing_.at(call, since(changed_));
  if (sum.error == NVML_SUCCESS) sum.error = more.error;
  sum.delay = std::max(sum.delay, more.delay);
  sum.blocked = sum.blocked || more.blocked;
  return sum;
}

Result<Settings> Settings::from_environment() {
  const config::Environment environment = config::process_environment();
  const auto variable = [&](const char* name) { return environment(name).value_or(""); };
  Settings settings;
  auto machine = config::sim_options_from_environment(environment);
  if (!machine) return std::unexpected(std::move(machine.error()));
  settings.machine = std::move(*machine);
  settings.faults = variable("GPUSCOPE_SIM_FAULTS");
  settings.faults_file = variable("GPUSCOPE_SIM_FAULTS_FILE");
  settings.calls_file = variable("GPUSCOPE_SIM_CALLS");
  const std::string latency = variable("GPUSCOPE_SIM_LATENCY");
  if (!latency.empty() && latency != "none" && latency != "published") {
    return base::fail(
        ErrorKind::kInvalidArgument,
        fmt::format("cannot use '{}' as GPUSCOPE_SIM_LATENCY: it is none or published", latency));
  }
  settings.published_latency = latency == "published";
  return settings;
}

Session::Session(const Settings& settings, std::shared_ptr<Faults> faults_in_force)
    : machine(settings.machine),
      published_latency(settings.published_latency),
      faults(std::move(faults_in_force)) {
  gpus.reserve(machine.size());
  for (std::size_t i = 0; i < machine.size(); ++i) {
    gpus.push_back(std::make_unique<Gpu>(machine, i));
  }
}

}  // namespace gpuscope::simulated
