#include "device/sim/gpu.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "device/sim/faults.h"
#include "device/sim/mig.h"
#include "device/sim/noise.h"
#include "device/sim/processes.h"

namespace gpuscope::device::sim {
namespace {

using model::Absence;
using model::Metric;
using model::Reading;

constexpr std::int64_t kNanosecondsPerStep = std::chrono::nanoseconds(kStep).count();
constexpr std::int64_t kSpareRows = 512;
constexpr std::int64_t kBanks = 640;
constexpr double kCurveSteps = 50;  // 5 s from one knot of a curve to the next

enum GpuChannel : std::uint64_t { kMemory = 100, kMemoryBusy, kMemoryClock, kFan, kActivity };

// Everything that the parts of a reading are made from.
struct Instant {
  const Gpu& gpu;
  std::int64_t step;     // since the boot
  const Moment& moment;  // of the GPU's own point in its period
  const Phase& phase;
  Totals totals;
  double load;     // load_share()
  double drawing;  // 0 to 1: how much of the power between idle and the limit it draws
};

void put(model::DeviceSample& out, Metric metric, std::int64_t value) {
  out.at(metric) = Reading::of(value);
}

double drift(const Instant& now, GpuChannel channel) {
  return curve(mix(now.gpu.seed, channel), static_cast<double>(now.step) / kCurveSteps);
}

std::int64_t hundredths(double percent) {
  return std::llround(std::clamp(percent, 0.0, 100.0) * 100);
}
// Engines count whole percents, as NVML has them.
std::int64_t whole_hundredths(double percent) {
  return std::llround(std::clamp(percent, 0.0, 100.0)) * 100;
}

// The fault of this kind that is active, or null; the last one that the file names wins.
const Fault* active_fault(const Instant& now, FaultKind kind) {
  return active_fault(now.gpu, kind, now.step);
}
std::int64_t occurrences(const Instant& now, FaultKind kind) {
  return occurrences(now.gpu, kind, now.step);
}

// ---- parts of a reading

void read_load(const Instant& now, model::DeviceSample& out) {
  const Phase& phase = now.phase;
  const double busy = now.moment.utilization_percent;
  put(out, Metric::kGpuUtilization, whole_hundredths(busy));
  double memory_busy = phase.memory_utilization_percent * now.load;
  if (now.gpu.wanders != nullptr) {
    memory_busy = static_cast<double>(std::min<std::int64_t>(
        whole_around(phase.memory_utilization_percent, 0.2, drift(now, kMemoryBusy)), 100));
  }
  put(out, Metric::kMemoryUtilization, whole_hundredths(memory_busy));
  put(out, Metric::kEncoderUtilization, whole_hundredths(phase.encoder_percent * now.load));
  put(out, Metric::kDecoderUtilization, whole_hundredths(phase.decoder_percent * now.load));
  // A kernel that only waits keeps the GPU busy and its units idle: power tells.
  const double sm = busy * std::clamp(now.drawing * 1.1 + 0.03 * drift(now, kActivity), 0.0, 0.98);
  put(out, Metric::kGraphicsEngineActivity, hundredths(busy * 0.99));
  put(out, Metric::kSmActivity, hundredths(sm));
  put(out, Metric::kSmOccupancy, hundredths(sm * 0.45));
  put(out, Metric::kTensorActivity, hundredths(phase.tensor_percent * now.load));
  put(out, Metric::kFp64Activity, hundredths(sm * 0.01));
  put(out, Metric::kFp32Activity, hundredths(sm * 0.2));
  put(out, Metric::kFp16Activity, hundredths(sm * 0.12));
  put(out, Metric::kDramActivity, hundredths(memory_busy * 0.97));
}

void read_memory(const Instant& now, model::DeviceSample& out) {
  const CardModel& card = now.gpu.card->model;
  const std::int64_t total = memory_total_mib(card);
  const std::int64_t usable = total - memory_reserved_mib(card);
  std::int64_t used = 0;
  if (now.gpu.wanders != nullptr) {
    used = whole_around(now.gpu.wanders->base.memory_used_mib, 0.15, drift(now, kMemory));
  } else {
    const double wish = static_cast<double>(total) * now.phase.memory_used_percent / 100;
    used = std::llround(wish * (1 + 0.01 * drift(now, kMemory)));
  }
  used = std::clamp<std::int64_t>(used, 0, usable);
  put(out, Metric::kMemoryUsed, used * kMib);
  put(out, Metric::kMemoryFree, (usable - used) * kMib);
  put(out, Metric::kMemoryUsagePercent, (used * 10'000 + total / 2) / total);
}

// The profile's figure above `idle`, scaled by what this very GPU makes of it.
std::int64_t scaled(const Gpu& gpu, std::int64_t value, std::int64_t idle) {
  if (gpu.gain_1024 == 1024) return value;
  // Apart, so that the product stays within range for ever.
  const std::int64_t above = value - idle;
  return idle + above / 1024 * gpu.gain_1024 + above % 1024 * gpu.gain_1024 / 1024;
}

void read_power(const Instant& now, model::DeviceSample& out) {
  const Gpu& gpu = now.gpu;
  const std::int64_t idle = std::llround(gpu.card->model.idle_power_watts * 1000);
  const std::int64_t power = scaled(gpu, now.moment.power_milliwatts, idle);
  put(out, Metric::kPower, power);
  const std::int64_t own = now.step + gpu.offset;
  const std::int64_t second = std::min<std::int64_t>(std::chrono::seconds(1) / kStep, own);
  if (second == 0) {
    put(out, Metric::kPowerAverage, power);
  } else {
    const std::int64_t sum =
        now.totals.power_milliwatts - gpu.profile->before(own - second).power_milliwatts;
    put(out, Metric::kPowerAverage, scaled(gpu, sum / second, idle));
  }
  const std::int64_t spent = scaled(gpu, now.totals.power_milliwatts, idle * own);
  put(out, Metric::kEnergy, spent / (std::chrono::seconds(1) / kStep));
  if (const Fault* cap = active_fault(now, FaultKind::kPowerCap)) {
    const auto limit = std::llround(gpu.card->model.power_limit_watts * 1000 * cap->amount / 100);
    put(out, Metric::kPowerLimit, limit);
    put(out, Metric::kPowerLimitEnforced, limit);
  }
}

void read_heat(const Instant& now, model::DeviceSample& out) {
  const CardModel& card = now.gpu.card->model;
  const std::int64_t ambient = std::llround(card.ambient_celsius * 10);
  const std::int64_t core = scaled(now.gpu, now.moment.temperature_decicelsius, ambient);
  put(out, Metric::kTemperature, core);
  const double memory_busy = now.phase.memory_utilization_percent * now.load / 100;
  put(out, Metric::kMemoryTemperature, core + 40 + std::llround(memory_busy * 60));
  put(out, Metric::kTemperatureMargin, std::llround(card.temperature_slowdown_celsius * 10) - core);
}

void read_fans(const Instant& now, model::DeviceSample& out) {
  const CardModel& card = now.gpu.card->model;
  out.fans.resize(static_cast<std::size_t>(card.fans));
  if (card.fans == 0) {
    out.at(Metric::kFanSpeed) = Reading::none(Absence::kUnsupported);
    out.at(Metric::kFanSpeedPercent) = Reading::none(Absence::kUnsupported);
    return;
  }
  std::int64_t rpm = 0;
  if (now.gpu.wanders != nullptr) {
    rpm = whole_around(now.gpu.wanders->base.fan_rpm, 0.1, drift(now, kFan));
  } else {  // 30 % up to 40 °C, all there is at the highest temperature that is meant to be
    const double celsius = static_cast<double>(out.at(Metric::kTemperature).value) / 10;
    const double warm = (celsius - 40) / std::max(card.temperature_max_celsius - 40, 1.0);
    rpm = std::llround(fan_max_rpm() * std::clamp(0.3 + 0.7 * warm, 0.3, 1.0));
  }
  const std::int64_t percent = whole_hundredths(static_cast<double>(rpm) / fan_max_rpm() * 100);
  put(out, Metric::kFanSpeed, rpm);
  put(out, Metric::kFanSpeedPercent, percent);
  std::int64_t slower = 0;  // no two fans turn alike
  for (model::FanRow& fan : out.fans) {
    fan[column(Metric::kFanPercent)] = Reading::of(percent);
    fan[column(Metric::kFanRpm)] = Reading::of(rpm - rpm * slower / 100);
    ++slower;
  }
}

void read_clocks(const Instant& now, model::DeviceSample& out) {
  const Moment& moment = now.moment;
  put(out, Metric::kSmClock, moment.gpu_clock_mhz);
  put(out, Metric::kGraphicsClock, moment.gpu_clock_mhz);
  put(out, Metric::kVideoClock, moment.gpu_clock_mhz * 9 / 10);
  if (now.gpu.wanders != nullptr) {
    put(out, Metric::kMemoryClock,
        whole_around(now.gpu.wanders->base.memory_clock_mhz, 0.05, drift(now, kMemoryClock)));
  }
  put(out, Metric::kClockEventIdle, moment.idle ? 1 : 0);
  put(out, Metric::kClockEventSwPowerCap, moment.power_capped ? 1 : 0);
  put(out, Metric::kClockEventSwThermalSlowdown, moment.software_thermal ? 1 : 0);
  put(out, Metric::kClockEventHwThermalSlowdown, moment.hardware_thermal ? 1 : 0);
  put(out, Metric::kClockEventHwSlowdown, moment.hardware_thermal ? 1 : 0);
  const auto seconds = [&out](Metric metric, std::int64_t steps) {
    put(out, metric, steps * kNanosecondsPerStep);
  };
  seconds(Metric::kClockEventSwPowerCapSeconds, now.totals.power_capped);
  seconds(Metric::kClockEventSwThermalSlowdownSeconds, now.totals.software_thermal);
  seconds(Metric::kClockEventHwThermalSlowdownSeconds, now.totals.hardware_thermal);
  seconds(Metric::kViolationPowerSeconds, now.totals.power_capped);
  seconds(Metric::kViolationThermalSeconds, now.totals.thermal);
  seconds(Metric::kViolationLowUtilizationSeconds, now.totals.idle);
}

void read_errors(const Instant& now, model::DeviceSample& out) {
  const std::int64_t corrected = occurrences(now, FaultKind::kEccCorrected);
  const std::int64_t uncorrected = occurrences(now, FaultKind::kEccUncorrected);
  for (const Metric metric :
       {Metric::kEccCorrectedVolatile, Metric::kEccCorrectedAggregate,
        Metric::kEccDramCorrectedVolatile, Metric::kEccDramCorrectedAggregate}) {
    put(out, metric, corrected);
  }
  for (const Metric metric :
       {Metric::kEccUncorrectedVolatile, Metric::kEccUncorrectedAggregate,
        Metric::kEccDramUncorrectedVolatile, Metric::kEccDramUncorrectedAggregate}) {
    put(out, metric, uncorrected);
  }
  const std::int64_t remapped = std::min(uncorrected, kSpareRows);
  const bool pending = active_fault(now, FaultKind::kRemapPending) != nullptr;
  const bool failed = active_fault(now, FaultKind::kRemapFailure) != nullptr;
  put(out, Metric::kRemappedRowsUncorrectable, remapped);
  put(out, Metric::kRemappedRowsPending, pending ? 1 : 0);
  put(out, Metric::kRemappedRowsFailure, failed ? 1 : 0);
  put(out, Metric::kRecoveryAction, pending || failed ? 1 : 0);
  // A remapped row takes one spare of its bank; a bank where it fails has none left.
  const std::int64_t none = failed ? 1 : 0;
  const std::int64_t high = std::min(remapped, kBanks - none);
  put(out, Metric::kRemapBanksMax, kBanks - none - high);
  put(out, Metric::kRemapBanksHigh, high);
  put(out, Metric::kRemapBanksPartial, 0);
  put(out, Metric::kRemapBanksLow, 0);
  put(out, Metric::kRemapBanksNone, none);
}

void read_pcie(const Instant& now, model::DeviceSample& out) {
  const std::int64_t rate = std::llround(now.phase.pcie_mb_per_second * now.load * 1e6);
  // It receives what the job reads and sends back half of that.
  put(out, Metric::kPcieRx, rate);
  put(out, Metric::kPcieTx, rate / 2);
  put(out, Metric::kPcieRxTotal, now.totals.pcie_bytes);
  put(out, Metric::kPcieTxTotal, now.totals.pcie_bytes / 2);
  put(out, Metric::kPcieReplays, occurrences(now, FaultKind::kPcieReplays));
  if (const Fault* fault = active_fault(now, FaultKind::kPcieSlow)) {
    const auto generation = static_cast<std::int64_t>(fault->amount);
    put(out, Metric::kPcieGeneration,
        std::min<std::int64_t>(generation, now.gpu.card->model.pcie_generation));
  }
  if (const Fault* fault = active_fault(now, FaultKind::kPcieDegraded)) {
    const auto lanes = static_cast<std::int64_t>(fault->amount);
    put(out, Metric::kPcieWidth, std::min<std::int64_t>(lanes, now.gpu.card->model.pcie_width));
  }
}

// The traffic spreads evenly over the links. A link that is down for a part of every period carries
// its mean while it is up, so that its counter stands still while it is not.
std::int64_t link_bytes(const Instant& now, int link, bool& up) {
  const Gpu& gpu = now.gpu;
  const std::int64_t links = gpu.card->model.nvlinks;
  up = true;
  std::int64_t down_steps = -1;
  for (const Fault& fault : gpu.faults) {
    if (fault.kind != FaultKind::kNvlinkDown || link >= static_cast<int>(fault.amount)) continue;
    up = up && !is_active(gpu, fault, now.step);
    down_steps = std::max(down_steps, active_steps(gpu, fault, now.step));
  }
  if (down_steps < 0) return now.totals.nvlink_bytes / links;
  const std::int64_t period = gpu.profile->period();
  const std::int64_t per_step = gpu.profile->before(period).nvlink_bytes / period / links;
  std::int64_t bytes = 0;
  const std::int64_t most = std::numeric_limits<std::int64_t>::max() / links;
  if (__builtin_mul_overflow(now.step - down_steps, per_step, &bytes)) return most;
  return std::min(bytes, most);
}

void read_links(const Instant& now, model::DeviceSample& out) {
  const CardModel& card = now.gpu.card->model;
  out.links.resize(static_cast<std::size_t>(card.nvlinks));
  if (card.nvlinks == 0) {
    for (const Metric metric : {Metric::kNvlinkTx, Metric::kNvlinkRx, Metric::kNvlinkActiveLinks}) {
      out.at(metric) = Reading::none(Absence::kUnsupported);
    }
    return;
  }
  const std::int64_t replays = occurrences(now, FaultKind::kNvlinkErrors);
  std::int64_t sum = 0;
  std::int64_t active = 0;
  for (int i = 0; i < card.nvlinks; ++i) {
    model::LinkRow& link = out.links[static_cast<std::size_t>(i)];
    bool up = true;
    const std::int64_t bytes = link_bytes(now, i, up);
    const std::int64_t errors = i == 0 ? replays : 0;
    sum += bytes;
    active += up ? 1 : 0;
    link[column(Metric::kLinkState)] = Reading::of(up ? 1 : 0);
    link[column(Metric::kLinkVersion)] = Reading::of(4);
    link[column(Metric::kLinkTx)] = Reading::of(bytes);
    link[column(Metric::kLinkRx)] = Reading::of(bytes);
    link[column(Metric::kLinkCrcFlitErrors)] = Reading::of(errors);
    link[column(Metric::kLinkCrcDataErrors)] = Reading::of(errors / 2);
    link[column(Metric::kLinkReplayErrors)] = Reading::of(errors);
    link[column(Metric::kLinkRecoveryErrors)] = Reading::of(errors / 1000);
  }
  put(out, Metric::kNvlinkTx, sum);
  put(out, Metric::kNvlinkRx, sum);
  put(out, Metric::kNvlinkActiveLinks, active);
}

}  // namespace

void read_gpu(const Gpu& gpu, std::int64_t step, model::DeviceSample& out) {
  const std::int64_t own = step + gpu.offset;
  const Moment& moment = gpu.profile->at(own);
  const Phase& phase = gpu.profile->phase_at(own);
  const CardModel& card = gpu.card->model;
  const double range = std::max(card.power_limit_watts - card.idle_power_watts, 1.0);
  const Instant now{
      .gpu = gpu,
      .step = step,
      .moment = moment,
      .phase = phase,
      .totals = gpu.profile->before(own),
      .load = load_share(moment, phase),
      .drawing =
          std::clamp((moment.power_milliwatts / 1000.0 - card.idle_power_watts) / range, 0.0, 1.0)};
  out.gpu = gpu.card->fixed;
  out.source_verdict.reset();
  put(out, Metric::kMinorNumber, gpu.index);
  put(out, Metric::kPerformanceState, gpu.performance_state);
  read_load(now, out);
  read_memory(now, out);
  read_power(now, out);
  read_heat(now, out);
  read_fans(now, out);
  read_clocks(now, out);
  read_errors(now, out);
  read_pcie(now, out);
  read_links(now, out);
  read_mig(gpu, out);
  read_processes(phase, gpu.seed, step, out);
  withhold_for_mig(gpu, out);
}

}  // namespace gpuscope::device::sim
