// NVML's functions about clocks, performance states and what holds them back.
#include <array>

#include "answers.h"
#include "driver.h"

namespace gpuscope::simulated {
namespace {

using model::DeviceSample;
using model::Metric;
using model::Reading;

// The clock of each type, by nvmlClockType_t.
using ClockMetrics = std::array<Metric, NVML_CLOCK_COUNT>;
constexpr ClockMetrics kClocks{Metric::kGraphicsClock, Metric::kSmClock, Metric::kMemoryClock,
                               Metric::kVideoClock};
constexpr ClockMetrics kMaxClocks{Metric::kGraphicsClockMax, Metric::kSmClockMax,
                                  Metric::kMemoryClockMax, Metric::kVideoClockMax};

nvmlReturn_t give_clock(const Entry& entry, nvmlDevice_t device, const ClockMetrics& clocks,
                        nvmlClockType_t type, unsigned int* mhz) {
  return entry.device(device, [&](Gpu& gpu) {
    if (type >= NVML_CLOCK_COUNT) return NVML_ERROR_INVALID_ARGUMENT;
    return give_metric(gpu, clocks[type], mhz);
  });
}

// There is no video clock to set: it follows the graphics clock.
nvmlReturn_t give_application_clock(const Entry& entry, nvmlDevice_t device, nvmlClockType_t type,
                                    unsigned int* mhz) {
  return entry.device(device, [&](Gpu& gpu) {
    if (type >= NVML_CLOCK_COUNT) return NVML_ERROR_INVALID_ARGUMENT;
    if (type == NVML_CLOCK_VIDEO) return NVML_ERROR_NOT_SUPPORTED;
    return give_metric(
        gpu, type == NVML_CLOCK_MEM ? Metric::kMemoryClockApplication : Metric::kSmClockApplication,
        mhz);
  });
}

struct Reason {
  Metric metric;
  unsigned long long bit;
};
constexpr std::array kReasons{
    Reason{Metric::kClockEventIdle, nvmlClocksEventReasonGpuIdle},
    Reason{Metric::kClockEventApplicationsClocks, nvmlClocksEventReasonApplicationsClocksSetting},
    Reason{Metric::kClockEventSwPowerCap, nvmlClocksEventReasonSwPowerCap},
    Reason{Metric::kClockEventHwSlowdown, nvmlClocksThrottleReasonHwSlowdown},
    Reason{Metric::kClockEventSyncBoost, nvmlClocksEventReasonSyncBoost},
    Reason{Metric::kClockEventSwThermalSlowdown, nvmlClocksEventReasonSwThermalSlowdown},
    Reason{Metric::kClockEventHwThermalSlowdown, nvmlClocksThrottleReasonHwThermalSlowdown},
    Reason{Metric::kClockEventHwPowerBrake, nvmlClocksThrottleReasonHwPowerBrakeSlowdown},
    Reason{Metric::kClockEventDisplayClocks, nvmlClocksEventReasonDisplayClockSetting},
};

// The bits of all reasons that are there (`supported`) or that hold now. NOT_SUPPORTED where the
// card tells of none.
nvmlReturn_t give_reasons(const Entry& entry, nvmlDevice_t device, bool supported,
                          unsigned long long* bits) {
  return entry.device(device, [&](Gpu& gpu) {
    return gpu.sample([&](const DeviceSample& now, base::WallTime) {
      unsigned long long held = 0;
      unsigned long long told = 0;
      for (const Reason& reason : kReasons) {
        const Reading& flag = now.at(reason.metric);
        if (!flag.present()) continue;
        told |= reason.bit;
        if (flag.value != 0) held |= reason.bit;
      }
      if (told == 0) return error_of(now.at(kReasons[0].metric).absence);
      return give(supported ? told : held, bits);
    });
  });
}

}  // namespace

extern "C" {

GPUSCOPE_READING(nvmlDeviceGetPerformanceState, nvmlPstates_t, Metric::kPerformanceState)
GPUSCOPE_READING(nvmlDeviceGetPowerState, nvmlPstates_t, Metric::kPerformanceState)

nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t device, nvmlClockType_t type, unsigned int* mhz) {
  static const Entry entry{__func__};
  return give_clock(entry, device, kClocks, type, mhz);
}
nvmlReturn_t nvmlDeviceGetMaxClockInfo(nvmlDevice_t device, nvmlClockType_t type,
                                       unsigned int* mhz) {
  static const Entry entry{__func__};
  return give_clock(entry, device, kMaxClocks, type, mhz);
}
nvmlReturn_t nvmlDeviceGetMaxCustomerBoostClock(nvmlDevice_t device, nvmlClockType_t type,
                                                unsigned int* mhz) {
  static const Entry entry{__func__};
  return give_clock(entry, device, kMaxClocks, type, mhz);
}
nvmlReturn_t nvmlDeviceGetApplicationsClock(nvmlDevice_t device, nvmlClockType_t type,
                                            unsigned int* mhz) {
  static const Entry entry{__func__};
  return give_application_clock(entry, device, type, mhz);
}
nvmlReturn_t nvmlDeviceGetDefaultApplicationsClock(nvmlDevice_t device, nvmlClockType_t type,
                                                   unsigned int* mhz) {
  static const Entry entry{__func__};
  return give_application_clock(entry, device, type, mhz);
}
nvmlReturn_t nvmlDeviceGetClock(nvmlDevice_t device, nvmlClockType_t type, nvmlClockId_t id,
                                unsigned int* mhz) {
  static const Entry entry{__func__};
  switch (id) {
    case NVML_CLOCK_ID_CURRENT:
      return give_clock(entry, device, kClocks, type, mhz);
    case NVML_CLOCK_ID_CUSTOMER_BOOST_MAX:
      return give_clock(entry, device, kMaxClocks, type, mhz);
    case NVML_CLOCK_ID_APP_CLOCK_TARGET:
    case NVML_CLOCK_ID_APP_CLOCK_DEFAULT:
      return give_application_clock(entry, device, type, mhz);
    default:
      return entry.device(device, [](Gpu&) { return NVML_ERROR_INVALID_ARGUMENT; });
  }
}
nvmlReturn_t nvmlDeviceGetCurrentClocksEventReasons(nvmlDevice_t device, unsigned long long* bits) {
  static const Entry entry{__func__};
  return give_reasons(entry, device, false, bits);
}
nvmlReturn_t nvmlDeviceGetCurrentClocksThrottleReasons(nvmlDevice_t device,
                                                       unsigned long long* bits) {
  static const Entry entry{__func__};
  return give_reasons(entry, device, false, bits);
}
nvmlReturn_t nvmlDeviceGetSupportedClocksEventReasons(nvmlDevice_t device,
                                                      unsigned long long* bits) {
  static const Entry entry{__func__};
  return give_reasons(entry, device, true, bits);
}
nvmlReturn_t nvmlDeviceGetSupportedClocksThrottleReasons(nvmlDevice_t device,
                                                         unsigned long long* bits) {
  static const Entry entry{__func__};
  return give_reasons(entry, device, true, bits);
}
nvmlReturn_t nvmlDeviceGetViolationStatus(nvmlDevice_t device, nvmlPerfPolicyType_t policy,
                                          nvmlViolationTime_t* time) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu& gpu) {
    constexpr std::array kPolicies{
        Metric::kViolationPowerSeconds,          Metric::kViolationThermalSeconds,
        Metric::kViolationSyncBoostSeconds,      Metric::kViolationBoardLimitSeconds,
        Metric::kViolationLowUtilizationSeconds, Metric::kViolationReliabilitySeconds};
    if (time == nullptr || policy >= NVML_PERF_POLICY_COUNT) return NVML_ERROR_INVALID_ARGUMENT;
    if (policy >= kPolicies.size()) return NVML_ERROR_NOT_SUPPORTED;
    return gpu.sample([&](const DeviceSample& now, base::WallTime at) {
      time->referenceTime = static_cast<unsigned long long>(at.time_since_epoch().count());
      const Metric metric = kPolicies[policy];
      return give_reading(metric, now.at(metric), &time->violationTime);
    });
  });
}

}  // extern "C"

}  // namespace gpuscope::simulated
