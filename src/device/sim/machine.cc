#include "device/sim/machine.h"

#include <algorithm>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "device/sim/card.h"
#include "device/sim/faults.h"
#include "device/sim/gpu.h"
#include "device/sim/noise.h"
#include "device/sim/profile.h"

namespace gpuscope::device::sim {
namespace {

using model::Absence;
using model::Entity;
using model::Metric;
using model::Reading;

// Counters stay within their range for so long, even those of a busy NVLink.
constexpr std::int64_t kLastStep = std::chrono::years(30) / kStep;

enum MachineChannel : std::uint64_t { kOffset = 300, kGain };

Phase make_phase(std::chrono::seconds duration, double utilization, double power, double memory,
                 double tensor) {
  Phase phase;
  phase.duration = duration;
  phase.utilization_percent = utilization;
  phase.power_percent = power;
  phase.memory_utilization_percent = utilization * 0.55;
  phase.memory_used_percent = memory;
  phase.tensor_percent = tensor;
  phase.pcie_mb_per_second = utilization * 20;
  phase.nvlink_mb_per_second = utilization * 100;
  return phase;
}

// What GPUs beyond the third do where no scenario says: some training, some serving, some rest.
std::vector<Phase> default_load() {
  using std::chrono::seconds;
  std::vector<Phase> phases{
      make_phase(seconds{60}, 0, 10, 2, 0),     make_phase(seconds{200}, 97, 94, 82, 55),
      make_phase(seconds{10}, 12, 20, 82, 2),   make_phase(seconds{190}, 95, 90, 84, 50),
      make_phase(seconds{140}, 45, 48, 61, 18),
  };
  phases[0].processes_min = 0;
  phases[0].processes_max = 0;
  phases[4].wander_percent = 25;
  phases[4].processes_max = 4;
  return phases;
}

bool hits(const Fault& fault, std::size_t gpu) {
  return fault.gpus.empty() ||
         std::ranges::find(fault.gpus, static_cast<int>(gpu)) != fault.gpus.end();
}

bool physical(const Fault& fault) {
  return fault.kind == FaultKind::kCooling || fault.kind == FaultKind::kPowerCap;
}

void withhold(Metric metric, model::DeviceSample& out) {
  const Reading none = Reading::none(Absence::kUnsupported);
  const std::size_t at = column(metric);
  switch (model::info(metric).entity) {
    case Entity::kGpu:
      out.at(metric) = none;
      break;
    case Entity::kFan:
      for (auto& fan : out.fans) fan[at] = none;
      break;
    case Entity::kLink:
      for (auto& link : out.links) link[at] = none;
      break;
    case Entity::kMigInstance:
      for (auto& instance : out.mig_instances) instance.row[at] = none;
      break;
    case Entity::kProcess:
      for (auto& process : out.processes) process.row[at] = none;
      break;
  }
}

}  // namespace

class Machine::Impl {
 public:
  explicit Impl(const Options& options) : frozen_at_(options.frozen_at) {
    const Scenario* scenario = options.scenario ? &*options.scenario : nullptr;
    if (scenario != nullptr) {
      rules_ = model::RuleSet::kHardware;
      unsupported_ = scenario->unsupported;
    }
    const std::vector<Phase> phases =
        scenario != nullptr && !scenario->phases.empty() ? scenario->phases : default_load();
    gpus_.reserve(static_cast<std::size_t>(options.gpus));
    for (std::size_t i = 0; i < static_cast<std::size_t>(options.gpus); ++i) {
      add(i, mix(options.seed, i), scenario, phases, options.seed);
    }
  }

  std::size_t size() const { return gpus_.size(); }
  const Gpu& gpu(std::size_t index) const { return gpus_[index]; }
  model::RuleSet rules() const { return rules_; }
  const std::vector<Metric>& unsupported() const { return unsupported_; }

  std::int64_t step_of(base::WallTime time) const {
    const base::WallTime at =
        std::clamp(frozen_at_.value_or(time), kBoot, kBoot + kLastStep * kStep);
    return (at - kBoot) / kStep;
  }

 private:
  void add(std::size_t index, std::uint64_t seed, const Scenario* scenario,
           const std::vector<Phase>& phases, std::uint64_t machine_seed) {
    const bool own_card = scenario != nullptr && scenario->card.has_value();
    const Identity* who = index < kIdentityCount && !own_card ? &identity(index) : nullptr;
    Gpu& gpu = gpus_.emplace_back();
    gpu.index = static_cast<std::int64_t>(index);
    gpu.seed = seed;
    gpu.performance_state = who != nullptr ? gpu.index : 0;
    gpu.card = &card(who != nullptr ? index : kIdentityCount, who, scenario);
    gpu.info = describe(gpu.card->model, who, machine_seed, index);
    if (who != nullptr && scenario == nullptr) {
      gpu.wanders = who;
      gpu.profile = &profiles_.emplace_back(wander(*who, seed));
      return;
    }
    if (scenario != nullptr) {
      std::ranges::copy_if(scenario->faults, std::back_inserter(gpu.faults),
                           [&](const Fault& fault) { return hits(fault, index); });
    }
    gpu.profile = &profile(gpu, phases, scenario, machine_seed);
    if (gpu.faults.empty() && (scenario == nullptr || !scenario->lockstep)) {
      gpu.offset = static_cast<std::int64_t>(mix(seed, kOffset) %
                                             static_cast<std::uint64_t>(gpu.profile->period()));
    }
    // Where limits are reached the readings have to agree with the flags.
    if (!gpu.profile->throttles()) {
      gpu.gain_1024 = static_cast<std::int64_t>(963 + mix(seed, kGain) % 62);
    }
  }

  const Card& card(std::size_t slot, const Identity* who, const Scenario* scenario) {
    const auto [at, is_new] = cards_.try_emplace(slot);
    if (is_new) {
      CardModel model = who != nullptr ? card_of(*who) : default_card();
      if (scenario != nullptr && scenario->card) model = *scenario->card;
      at->second = Card{.model = model, .fixed = fixed_row(model)};
    }
    return at->second;
  }

  // GPUs of one card with the same physical faults share a profile.
  const Profile& profile(const Gpu& gpu, const std::vector<Phase>& phases, const Scenario* scenario,
                         std::uint64_t machine_seed) {
    std::uint64_t which = 0;
    std::vector<Fault> faults;
    for (std::size_t i = 0; scenario != nullptr && i < scenario->faults.size(); ++i) {
      const Fault& fault = scenario->faults[i];
      if (!physical(fault) || !hits(fault, static_cast<std::size_t>(gpu.index))) continue;
      which |= std::uint64_t{1} << i;
      faults.push_back(fault);
    }
    const auto [at, is_new] = shared_.try_emplace({gpu.card, which}, nullptr);
    if (is_new) {
      at->second = &profiles_.emplace_back(run(gpu.card->model, phases, faults, machine_seed));
    }
    return *at->second;
  }

  std::optional<base::WallTime> frozen_at_;
  model::RuleSet rules_ = model::RuleSet::kSimulatedDefault;
  std::vector<Metric> unsupported_;
  std::map<std::size_t, Card> cards_;  // by identity; kIdentityCount: all others
  std::deque<Profile> profiles_;       // a deque, since GPUs point into it
  std::map<std::pair<const Card*, std::uint64_t>, const Profile*> shared_;
  std::vector<Gpu> gpus_;
};

Machine::Machine(const Options& options) : impl_(std::make_unique<const Impl>(options)) {}
Machine::~Machine() = default;
Machine::Machine(Machine&&) noexcept = default;
Machine& Machine::operator=(Machine&&) noexcept = default;

std::size_t Machine::size() const { return impl_->size(); }
const model::GpuInfo& Machine::info(std::size_t gpu) const { return impl_->gpu(gpu).info; }
model::RuleSet Machine::rules() const { return impl_->rules(); }

void Machine::read(std::size_t gpu, base::WallTime time, model::DeviceSample& out) const {
  const std::int64_t step = impl_->step_of(time);
  read_gpu(impl_->gpu(gpu), step, out);
  for (const Metric metric : impl_->unsupported()) withhold(metric, out);
  if (is_lost(impl_->gpu(gpu), step)) out.mark_absent(Absence::kGone, true);
}

void Machine::events(std::size_t gpu, base::WallTime after, base::WallTime until,
                     std::vector<model::Event>& out) const {
  add_events(impl_->gpu(gpu), impl_->step_of(after), impl_->step_of(until), out);
}

bool Machine::has_faults(std::size_t gpu) const { return !impl_->gpu(gpu).faults.empty(); }

base::WallTime Machine::shown(base::WallTime time) const {
  return kBoot + impl_->step_of(time) * kStep;
}

model::PeerLink Machine::link_between(std::size_t gpu, std::size_t other,
                                      base::WallTime time) const {
  const std::int64_t step = impl_->step_of(time);
  for (const std::size_t end : {gpu, other}) {
    const Gpu& one = impl_->gpu(end);
    const int links = one.card->model.nvlinks;
    const Fault* down = active_fault(one, FaultKind::kNvlinkDown, step);
    if (links == 0 || (down != nullptr && down->amount >= links)) {
      return model::PeerLink::kNotSupported;
    }
  }
  return model::PeerLink::kOk;
}

bool Machine::lost(std::size_t gpu, base::WallTime time) const {
  return is_lost(impl_->gpu(gpu), impl_->step_of(time));
}

}  // namespace gpuscope::device::sim
