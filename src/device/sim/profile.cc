#include "device/sim/profile.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>

#include "device/sim/noise.h"

namespace gpuscope::device::sim {
namespace {

constexpr double kStepSeconds = std::chrono::duration<double>(kStep).count();
// How fast load follows its phase, and heat follows power.
constexpr double kLoadSeconds = 2;
constexpr double kHeatSeconds = 20;
// Dynamic power goes with the clock (and the voltage that it needs) to this power.
constexpr double kClockExponent = 2.2;
constexpr double kIdleClock = 0.175;  // of the maximum
constexpr double kSlowestClock = 0.3;
constexpr double kSlowdownClock = 0.5;  // "halves the clocks"
constexpr double kSoftwareSlowestClock = 0.6;
constexpr double kClockStepMhz = 15;
constexpr std::int64_t kWanderPeriod = 6000;  // 10 minutes
constexpr std::int64_t kWanderKnot = 50;      // a new direction every 5 s
constexpr std::int64_t kLoadKnot = 30;

enum ProfileChannel : std::uint64_t { kPower, kTemperature, kClock, kUtilization, kLoad };

std::int64_t steps(Milliseconds duration) { return duration / kStep; }

std::int64_t times_plus(std::int64_t times, std::int64_t whole, std::int64_t rest) {
  std::int64_t sum = 0;
  if (__builtin_mul_overflow(times, whole, &sum) || __builtin_add_overflow(sum, rest, &sum)) {
    return std::numeric_limits<std::int64_t>::max();
  }
  return sum;
}

// A card's clocks, power and heat from step to step.
class Physics {
 public:
  explicit Physics(const CardModel& card)
      : card_(card), power_demand_(card.idle_power_watts), temperature_(card.ambient_celsius) {}

  // `wish` is the utilisation that the load wants now; the rest is in force during this step.
  Moment step(const Phase& phase, double wish, double heat_factor, double power_cap_watts) {
    follow(phase, wish);
    Moment moment;
    const double clock = hold_clocks(power_cap_watts, moment);
    const double power = power_at(clock);
    heat(power * heat_factor);
    moment.power_milliwatts = static_cast<std::int32_t>(std::lround(power * 1000));
    moment.temperature_decicelsius = static_cast<std::int16_t>(std::lround(temperature_ * 10));
    moment.utilization_percent = static_cast<std::uint8_t>(std::lround(utilization_));
    moment.idle = utilization_ < 0.5;
    const bool asleep = moment.idle && power_demand_ < card_.idle_power_watts * 1.1 + 1;
    const double shown = card_.gpu_clock_max_mhz * (asleep ? kIdleClock : clock);
    const double stepped = std::floor(shown / kClockStepMhz) * kClockStepMhz;
    moment.gpu_clock_mhz = static_cast<std::int16_t>(std::max(stepped, kClockStepMhz));
    return moment;
  }

 private:
  void follow(const Phase& phase, double wish) {
    const double share = phase.utilization_percent > 0 ? wish / phase.utilization_percent : 1;
    const double full = phase.power_percent / 100 * card_.power_limit_watts;
    const double busy = std::max(full - card_.idle_power_watts, 0.0);
    const double pull = kStepSeconds / kLoadSeconds;
    utilization_ += (wish - utilization_) * pull;
    power_demand_ += (card_.idle_power_watts + busy * share - power_demand_) * pull;
  }

  double power_at(double clock) const {
    return card_.idle_power_watts +
           (power_demand_ - card_.idle_power_watts) * std::pow(clock, kClockExponent);
  }

  // The share of the highest clock that power and heat allow, with the reasons.
  double hold_clocks(double power_cap_watts, Moment& moment) {
    double clock = 1;
    if (power_demand_ > power_cap_watts) {
      const double room = std::max(power_cap_watts - card_.idle_power_watts, 0.0) /
                          (power_demand_ - card_.idle_power_watts);
      clock = std::max(std::pow(room, 1 / kClockExponent), kSlowestClock);
      moment.power_capped = true;
    }
    const double excess = temperature_ - card_.temperature_max_celsius;
    software_hold_ =
        std::clamp(software_hold_ - excess * 0.01 * kStepSeconds, kSoftwareSlowestClock, 1.0);
    moment.software_thermal = software_hold_ < 0.999;
    if (temperature_ >= card_.temperature_slowdown_celsius) too_hot_ = true;
    if (temperature_ < card_.temperature_slowdown_celsius - 3) too_hot_ = false;
    moment.hardware_thermal = too_hot_;
    return std::min({clock, software_hold_, too_hot_ ? kSlowdownClock : 1.0});
  }

  void heat(double watts) {
    const double settled =
        card_.ambient_celsius + card_.rise_celsius * watts / card_.power_limit_watts;
    temperature_ += (settled - temperature_) * kStepSeconds / kHeatSeconds;
    // It would switch off; a simulated card holds out a degree below.
    temperature_ = std::min(temperature_, card_.temperature_shutdown_celsius - 1);
  }

  const CardModel& card_;
  double utilization_ = 0;
  double power_demand_;
  double temperature_;
  double software_hold_ = 1;
  bool too_hot_ = false;
};

bool active(const Fault& fault, FaultKind kind, std::int64_t step) {
  return fault.kind == kind && step >= steps(fault.from) &&
         (!fault.until || step < steps(*fault.until));
}

// How much worse heat leaves at this step.
double heat_factor(const std::vector<Fault>& faults, std::int64_t step) {
  double factor = 1;
  for (const Fault& fault : faults) {
    if (active(fault, FaultKind::kCooling, step)) factor = std::max(factor, fault.amount);
  }
  return factor;
}

double power_cap_watts(const CardModel& card, const std::vector<Fault>& faults, std::int64_t step) {
  double percent = 100;
  for (const Fault& fault : faults) {
    if (active(fault, FaultKind::kPowerCap, step)) percent = std::min(percent, fault.amount);
  }
  return card.power_limit_watts * percent / 100;
}

}  // namespace

Profile::Profile(std::vector<Phase> phases, std::vector<Moment> moments)
    : phases_(std::move(phases)), moments_(std::move(moments)) {
  Totals sum;
  totals_.reserve(moments_.size() + 1);
  for (const Moment& moment : moments_) {
    totals_.push_back(sum);
    const Phase& phase = phases_[moment.phase];
    const double moved = 1e6 * kStepSeconds * load_share(moment, phase);
    sum.power_milliwatts += moment.power_milliwatts;
    sum.pcie_bytes += std::llround(phase.pcie_mb_per_second * moved);
    sum.nvlink_bytes += std::llround(phase.nvlink_mb_per_second * moved);
    sum.idle += moment.idle ? 1 : 0;
    sum.power_capped += moment.power_capped ? 1 : 0;
    sum.software_thermal += moment.software_thermal ? 1 : 0;
    sum.hardware_thermal += moment.hardware_thermal ? 1 : 0;
    sum.thermal += moment.software_thermal || moment.hardware_thermal ? 1 : 0;
  }
  totals_.push_back(sum);
}

double load_share(const Moment& moment, const Phase& phase) {
  if (phase.utilization_percent <= 0) return 1;
  return std::min(moment.utilization_percent / phase.utilization_percent, 1.25);
}

Totals Profile::before(std::int64_t step) const {
  const std::int64_t times = step / period();
  const Totals& whole = totals_.back();
  const Totals& rest = totals_[index(step)];
  Totals sum;
  for (const auto field : {&Totals::power_milliwatts, &Totals::pcie_bytes, &Totals::nvlink_bytes,
                           &Totals::idle, &Totals::power_capped, &Totals::software_thermal,
                           &Totals::hardware_thermal, &Totals::thermal}) {
    sum.*field = times_plus(times, whole.*field, rest.*field);
  }
  return sum;
}

bool Profile::throttles() const {
  return totals_.back().power_capped > 0 || totals_.back().thermal > 0;
}

Profile wander(const Identity& who, std::uint64_t seed) {
  Phase phase;
  phase.utilization_percent = who.base.utilization_percent;
  phase.memory_utilization_percent = who.base.utilization_percent * 0.8;
  phase.memory_used_percent = who.base.memory_used_mib / who.memory_mib * 100;
  phase.tensor_percent = who.base.utilization_percent / 4;
  phase.encoder_percent = 5;
  phase.decoder_percent = 10;
  phase.pcie_mb_per_second = 300;
  phase.nvlink_mb_per_second = 100;
  phase.processes_min = 0;
  phase.processes_max = 5;
  constexpr std::uint64_t kKnots = kWanderPeriod / kWanderKnot;
  std::vector<Moment> moments(kWanderPeriod);
  for (std::size_t i = 0; i < moments.size(); ++i) {
    const double x = static_cast<double>(i) / kWanderKnot;
    const auto at = [&](ProfileChannel channel) { return curve(mix(seed, channel), x, kKnots); };
    Moment& moment = moments[i];
    const Base& base = who.base;
    moment.power_milliwatts =
        static_cast<std::int32_t>(whole_around(base.power_watts * 1000, 0.15, at(kPower)));
    moment.temperature_decicelsius = static_cast<std::int16_t>(
        whole_around(base.temperature_celsius * 10, 0.05, at(kTemperature)));
    moment.gpu_clock_mhz =
        static_cast<std::int16_t>(whole_around(base.gpu_clock_mhz, 0.05, at(kClock)));
    moment.utilization_percent = static_cast<std::uint8_t>(
        std::min<std::int64_t>(whole_around(base.utilization_percent, 0.2, at(kUtilization)), 100));
  }
  return {{phase}, std::move(moments)};
}

std::int64_t period_of(const std::vector<Phase>& phases) {
  std::int64_t sum = 0;
  for (const Phase& phase : phases) sum += steps(phase.duration);
  return std::max<std::int64_t>(sum, 1);
}

Profile run(const CardModel& card, const std::vector<Phase>& phases,
            const std::vector<Fault>& faults, std::uint64_t seed) {
  const std::int64_t period = period_of(phases);
  const std::int64_t knots = std::max<std::int64_t>(period / kLoadKnot, 1);
  std::vector<Moment> moments(static_cast<std::size_t>(period));
  Physics physics(card);
  // Ten times the heat's own time bring it to its steady state; the last round counts.
  const std::int64_t rounds =
      2 + static_cast<std::int64_t>(10 * kHeatSeconds / kStepSeconds) / period;
  for (std::int64_t round = 0; round < rounds; ++round) {
    std::int64_t step = 0;
    for (std::size_t p = 0; p < phases.size(); ++p) {
      const Phase& phase = phases[p];
      for (const std::int64_t end = step + steps(phase.duration); step < end; ++step) {
        const double x =
            static_cast<double>(step) * static_cast<double>(knots) / static_cast<double>(period);
        const double drift =
            phase.wander_percent * curve(mix(seed, kLoad), x, static_cast<std::uint64_t>(knots));
        const double wish = phase.utilization_percent > 0
                                ? std::clamp(phase.utilization_percent + drift, 0.0, 100.0)
                                : 0;
        Moment& moment = moments[static_cast<std::size_t>(step)];
        moment = physics.step(phase, wish, heat_factor(faults, step),
                              power_cap_watts(card, faults, step));
        moment.phase = static_cast<std::uint8_t>(p);
      }
    }
  }
  return {phases, std::move(moments)};
}

}  // namespace gpuscope::device::sim
