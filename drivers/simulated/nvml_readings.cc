// NVML's functions that read one value or one small structure of a device.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <iterator>

#include "answers.h"
#include "driver.h"

namespace gpuscope::simulated {
namespace {

using model::DeviceSample;
using model::Metric;
using model::Reading;

constexpr unsigned int kSamplingPeriodUs = 100'000;
constexpr std::int64_t kBytesPerKilobyte = 1000;

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

nvmlReturn_t give_engine(const Entry& entry, nvmlDevice_t device, Metric metric,
                         unsigned int* percent, unsigned int* period_us) {
  return entry.device(device, [&](Gpu& gpu) {
    if (period_us == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    *period_us = kSamplingPeriodUs;
    return give_metric(gpu, metric, percent);
  });
}

// Two readings of one instant.
template <typename T>
nvmlReturn_t give_pair(const Entry& entry, nvmlDevice_t device, Metric one, T* first, Metric other,
                       T* second) {
  return entry.device(device, [&](Gpu& gpu) {
    return gpu.sample([&](const DeviceSample& now, base::WallTime) {
      if (second == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
      const nvmlReturn_t code = give_reading(one, now.at(one), first);
      return code != NVML_SUCCESS ? code : give_reading(other, now.at(other), second);
    });
  });
}

nvmlReturn_t give_fan(const Entry& entry, nvmlDevice_t device, Metric metric, unsigned int fan,
                      unsigned int* out) {
  return entry.device(device, [&](Gpu& gpu) {
    return gpu.sample([&](const DeviceSample& now, base::WallTime) {
      if (now.fans.empty()) return NVML_ERROR_NOT_SUPPORTED;
      if (fan >= now.fans.size()) return NVML_ERROR_INVALID_ARGUMENT;
      return give_reading(metric, now.fans[fan][column(metric)], out);
    });
  });
}

template <typename T>
nvmlReturn_t give_link(const Entry& entry, nvmlDevice_t device, unsigned int link, Metric metric,
                       T* out) {
  return entry.device(device, [&](Gpu& gpu) {
    return gpu.sample([&](const DeviceSample& now, base::WallTime) {
      if (link >= NVML_NVLINK_MAX_LINKS) return NVML_ERROR_INVALID_ARGUMENT;
      if (link >= now.links.size()) return NVML_ERROR_NOT_SUPPORTED;
      return give_reading(metric, now.links[link][column(metric)], out);
    });
  });
}

// The counters of one memory, or of all: by type, then by counter.
using EccMetrics =
    std::array<std::array<Metric, NVML_ECC_COUNTER_TYPE_COUNT>, NVML_MEMORY_ERROR_TYPE_COUNT>;
constexpr EccMetrics kEccTotal{
    {{Metric::kEccCorrectedVolatile, Metric::kEccCorrectedAggregate},
     {Metric::kEccUncorrectedVolatile, Metric::kEccUncorrectedAggregate}}};
constexpr EccMetrics kEccDram{
    {{Metric::kEccDramCorrectedVolatile, Metric::kEccDramCorrectedAggregate},
     {Metric::kEccDramUncorrectedVolatile, Metric::kEccDramUncorrectedAggregate}}};
constexpr EccMetrics kEccSram{
    {{Metric::kEccSramCorrectedVolatile, Metric::kEccSramCorrectedAggregate},
     {Metric::kEccSramUncorrectedVolatile, Metric::kEccSramUncorrectedAggregate}}};

nvmlReturn_t give_ecc(Gpu& gpu, const EccMetrics& metrics, nvmlMemoryErrorType_t type,
                      nvmlEccCounterType_t counter, unsigned long long* count) {
  if (type >= NVML_MEMORY_ERROR_TYPE_COUNT || counter >= NVML_ECC_COUNTER_TYPE_COUNT) {
    return NVML_ERROR_INVALID_ARGUMENT;
  }
  return give_metric(gpu, metrics[type][counter], count);
}

// The simulation knows that pages were retired, not which.
nvmlReturn_t give_retired(const Entry& entry, nvmlDevice_t device, nvmlPageRetirementCause_t cause,
                          unsigned int* count, unsigned long long* addresses,
                          unsigned long long* timestamps) {
  return entry.device(device, [&](Gpu& gpu) {
    if (count == nullptr || cause >= NVML_PAGE_RETIREMENT_CAUSE_COUNT) {
      return NVML_ERROR_INVALID_ARGUMENT;
    }
    const Metric metric = cause == NVML_PAGE_RETIREMENT_CAUSE_DOUBLE_BIT_ECC_ERROR
                              ? Metric::kRetiredPagesDoubleBit
                              : Metric::kRetiredPagesSingleBit;
    const unsigned int room = *count;
    const nvmlReturn_t code = give_metric(gpu, metric, count);
    if (code != NVML_SUCCESS) return code;
    if (*count > room) return NVML_ERROR_INSUFFICIENT_SIZE;
    if (addresses != nullptr) std::fill_n(addresses, *count, 0ULL);
    if (timestamps != nullptr) std::fill_n(timestamps, *count, 0ULL);
    return NVML_SUCCESS;
  });
}

}  // namespace

// One reading, straight.
// NOLINTBEGIN(bugprone-macro-parentheses): a type takes no parentheses.
#define GPUSCOPE_READING(function, type, metric)                                          \
  nvmlReturn_t function(nvmlDevice_t device, type* out) {                                 \
    static const Entry entry{__func__};                                                   \
    return entry.device(device, [&](Gpu& gpu) { return give_metric(gpu, metric, out); }); \
  }
// NOLINTEND(bugprone-macro-parentheses)

extern "C" {

GPUSCOPE_READING(nvmlDeviceGetFanSpeed, unsigned int, Metric::kFanSpeedPercent)
GPUSCOPE_READING(nvmlDeviceGetPowerUsage, unsigned int, Metric::kPower)
GPUSCOPE_READING(nvmlDeviceGetPowerManagementLimit, unsigned int, Metric::kPowerLimit)
GPUSCOPE_READING(nvmlDeviceGetEnforcedPowerLimit, unsigned int, Metric::kPowerLimitEnforced)
GPUSCOPE_READING(nvmlDeviceGetPowerManagementDefaultLimit, unsigned int, Metric::kPowerLimitDefault)
GPUSCOPE_READING(nvmlDeviceGetTotalEnergyConsumption, unsigned long long, Metric::kEnergy)
GPUSCOPE_READING(nvmlDeviceGetPerformanceState, nvmlPstates_t, Metric::kPerformanceState)
GPUSCOPE_READING(nvmlDeviceGetPowerState, nvmlPstates_t, Metric::kPerformanceState)
GPUSCOPE_READING(nvmlDeviceGetCurrPcieLinkGeneration, unsigned int, Metric::kPcieGeneration)
GPUSCOPE_READING(nvmlDeviceGetMaxPcieLinkGeneration, unsigned int, Metric::kPcieGenerationMax)
GPUSCOPE_READING(nvmlDeviceGetGpuMaxPcieLinkGeneration, unsigned int, Metric::kPcieGenerationMax)
GPUSCOPE_READING(nvmlDeviceGetCurrPcieLinkWidth, unsigned int, Metric::kPcieWidth)
GPUSCOPE_READING(nvmlDeviceGetMaxPcieLinkWidth, unsigned int, Metric::kPcieWidthMax)
GPUSCOPE_READING(nvmlDeviceGetPcieReplayCounter, unsigned int, Metric::kPcieReplays)
GPUSCOPE_READING(nvmlDeviceGetDefaultEccMode, nvmlEnableState_t, Metric::kEccMode)
GPUSCOPE_READING(nvmlDeviceGetRetiredPagesPendingStatus, nvmlEnableState_t,
                 Metric::kRetiredPagesPending)

nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t* utilization) {
  static const Entry entry{__func__};
  return give_pair(entry, device, Metric::kGpuUtilization,
                   utilization == nullptr ? nullptr : &utilization->gpu, Metric::kMemoryUtilization,
                   utilization == nullptr ? nullptr : &utilization->memory);
}
nvmlReturn_t nvmlDeviceGetDynamicPstatesInfo(nvmlDevice_t device,
                                             nvmlGpuDynamicPstatesInfo_t* info) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu& gpu) {
    if (info == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    return gpu.sample([&](const DeviceSample& now, base::WallTime) {
      *info = {};
      constexpr std::array kDomains{Metric::kGpuUtilization, Metric::kMemoryUtilization,
                                    Metric::kDecoderUtilization};
      for (std::size_t i = 0; i < kDomains.size(); ++i) {
        unsigned int& percent = info->utilization[i].percentage;
        const nvmlReturn_t code = give_reading(kDomains[i], now.at(kDomains[i]), &percent);
        info->utilization[i].bIsPresent = code == NVML_SUCCESS ? 1 : 0;
      }
      return NVML_SUCCESS;
    });
  });
}
nvmlReturn_t nvmlDeviceGetEncoderUtilization(nvmlDevice_t device, unsigned int* percent,
                                             unsigned int* period_us) {
  static const Entry entry{__func__};
  return give_engine(entry, device, Metric::kEncoderUtilization, percent, period_us);
}
nvmlReturn_t nvmlDeviceGetDecoderUtilization(nvmlDevice_t device, unsigned int* percent,
                                             unsigned int* period_us) {
  static const Entry entry{__func__};
  return give_engine(entry, device, Metric::kDecoderUtilization, percent, period_us);
}
nvmlReturn_t nvmlDeviceGetJpgUtilization(nvmlDevice_t device, unsigned int* percent,
                                         unsigned int* period_us) {
  static const Entry entry{__func__};
  return give_engine(entry, device, Metric::kJpegUtilization, percent, period_us);
}
nvmlReturn_t nvmlDeviceGetOfaUtilization(nvmlDevice_t device, unsigned int* percent,
                                         unsigned int* period_us) {
  static const Entry entry{__func__};
  return give_engine(entry, device, Metric::kOfaUtilization, percent, period_us);
}
nvmlReturn_t nvmlDeviceGetEncoderStats(nvmlDevice_t device, unsigned int* sessions,
                                       unsigned int* average_fps,
                                       unsigned int* average_latency_us) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu&) {
    if (sessions == nullptr || average_fps == nullptr || average_latency_us == nullptr) {
      return NVML_ERROR_INVALID_ARGUMENT;
    }
    *sessions = *average_fps = *average_latency_us = 0;
    return NVML_SUCCESS;
  });
}
nvmlReturn_t nvmlDeviceGetFBCStats(nvmlDevice_t device, nvmlFBCStats_t* stats) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu&) { return give(nvmlFBCStats_t{}, stats); });
}

nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t* memory) {
  static const Entry entry{__func__};
  return entry.any_device(device, [&](Session&, Gpu& gpu, const auto& mig) {
    if (memory == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    return gpu.sample([&](const DeviceSample& now, base::WallTime) {
      const auto read = [](Metric metric, const Reading& reading, unsigned long long* out) {
        return give_reading(metric, reading, out);
      };
      if (mig) {
        if (*mig >= now.mig_instances.size()) return NVML_ERROR_NOT_FOUND;
        const model::MigRow& row = now.mig_instances[*mig].row;
        read(Metric::kMigMemoryTotal, row[column(Metric::kMigMemoryTotal)], &memory->total);
        read(Metric::kMigMemoryFree, row[column(Metric::kMigMemoryFree)], &memory->free);
        return read(Metric::kMigMemoryUsed, row[column(Metric::kMigMemoryUsed)], &memory->used);
      }
      nvmlReturn_t code = read(Metric::kMemoryTotal, now.at(Metric::kMemoryTotal), &memory->total);
      if (code != NVML_SUCCESS) return code;
      code = read(Metric::kMemoryFree, now.at(Metric::kMemoryFree), &memory->free);
      // What the driver keeps counts as used here.
      if (code == NVML_SUCCESS) memory->used = memory->total - memory->free;
      return code;
    });
  });
}
nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t* memory) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu& gpu) {
    if (memory == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    if (memory->version != nvmlMemory_v2) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    return gpu.sample([&](const DeviceSample& now, base::WallTime) {
      nvmlReturn_t worst = NVML_SUCCESS;
      const auto read = [&](Metric metric, unsigned long long* out) {
        const nvmlReturn_t code = give_reading(metric, now.at(metric), out);
        if (code != NVML_SUCCESS) worst = code;
      };
      read(Metric::kMemoryTotal, &memory->total);
      read(Metric::kMemoryReserved, &memory->reserved);
      read(Metric::kMemoryFree, &memory->free);
      read(Metric::kMemoryUsed, &memory->used);
      return worst;
    });
  });
}
nvmlReturn_t nvmlDeviceGetBAR1MemoryInfo(nvmlDevice_t device, nvmlBAR1Memory_t* memory) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu& gpu) {
    if (memory == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    return gpu.sample([&](const DeviceSample& now, base::WallTime) {
      give_reading(Metric::kBar1Free, now.at(Metric::kBar1Free), &memory->bar1Free);
      give_reading(Metric::kBar1Used, now.at(Metric::kBar1Used), &memory->bar1Used);
      return give_reading(Metric::kBar1Total, now.at(Metric::kBar1Total), &memory->bar1Total);
    });
  });
}

nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, nvmlTemperatureSensors_t sensor,
                                      unsigned int* celsius) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu& gpu) {
    if (sensor != NVML_TEMPERATURE_GPU) return NVML_ERROR_INVALID_ARGUMENT;
    return give_metric(gpu, Metric::kTemperature, celsius);
  });
}
nvmlReturn_t nvmlDeviceGetTemperatureV(nvmlDevice_t device, nvmlTemperature_t* temperature) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu& gpu) {
    if (temperature == nullptr || temperature->sensorType != NVML_TEMPERATURE_GPU) {
      return NVML_ERROR_INVALID_ARGUMENT;
    }
    if (temperature->version != nvmlTemperature_v1) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    return give_metric(gpu, Metric::kTemperature, &temperature->temperature);
  });
}
nvmlReturn_t nvmlDeviceGetMarginTemperature(nvmlDevice_t device, nvmlMarginTemperature_t* margin) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu& gpu) {
    if (margin == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    if (margin->version != nvmlMarginTemperature_v1) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    return give_metric(gpu, Metric::kTemperatureMargin, &margin->marginTemperature);
  });
}
nvmlReturn_t nvmlDeviceGetTemperatureThreshold(nvmlDevice_t device,
                                               nvmlTemperatureThresholds_t threshold,
                                               unsigned int* celsius) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu& gpu) {
    constexpr std::array kThresholds{Metric::kTemperatureShutdown, Metric::kTemperatureSlowdown,
                                     Metric::kMemoryTemperatureMax, Metric::kTemperatureMax};
    if (threshold >= NVML_TEMPERATURE_THRESHOLD_COUNT) return NVML_ERROR_INVALID_ARGUMENT;
    if (threshold >= kThresholds.size()) return NVML_ERROR_NOT_SUPPORTED;
    return give_metric(gpu, kThresholds[threshold], celsius);
  });
}
nvmlReturn_t nvmlDeviceGetThermalSettings(nvmlDevice_t device, unsigned int /*sensor*/,
                                          nvmlGpuThermalSettings_t* settings) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu& gpu) {
    if (settings == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    *settings = {};
    settings->count = 1;
    auto& sensor = settings->sensor[0];
    sensor.controller = NVML_THERMAL_CONTROLLER_GPU_INTERNAL;
    sensor.target = NVML_THERMAL_TARGET_GPU;
    give_metric(gpu, Metric::kTemperatureShutdown, &sensor.defaultMaxTemp);
    return give_metric(gpu, Metric::kTemperature, &sensor.currentTemp);
  });
}

nvmlReturn_t nvmlDeviceGetNumFans(nvmlDevice_t device, unsigned int* count) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu& gpu) {
    return gpu.sample([&](const DeviceSample& now, base::WallTime) {
      return give(static_cast<unsigned int>(now.fans.size()), count);
    });
  });
}
nvmlReturn_t nvmlDeviceGetFanSpeed_v2(nvmlDevice_t device, unsigned int fan,
                                      unsigned int* percent) {
  static const Entry entry{__func__};
  return give_fan(entry, device, Metric::kFanPercent, fan, percent);
}
nvmlReturn_t nvmlDeviceGetTargetFanSpeed(nvmlDevice_t device, unsigned int fan,
                                         unsigned int* percent) {
  static const Entry entry{__func__};
  return give_fan(entry, device, Metric::kFanPercent, fan, percent);
}
nvmlReturn_t nvmlDeviceGetMinMaxFanSpeed(nvmlDevice_t device, unsigned int* minimum,
                                         unsigned int* maximum) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu& gpu) {
    if (minimum == nullptr || maximum == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    return gpu.sample([&](const DeviceSample& now, base::WallTime) {
      constexpr unsigned int kLowest = 10;
      constexpr unsigned int kHighest = 100;
      if (now.fans.empty()) return NVML_ERROR_NOT_SUPPORTED;
      *minimum = kLowest;
      *maximum = kHighest;
      return NVML_SUCCESS;
    });
  });
}
nvmlReturn_t nvmlDeviceGetFanSpeedRPM(nvmlDevice_t device, nvmlFanSpeedInfo_t* info) {
  static const Entry entry{__func__};
  if (info != nullptr && info->version == nvmlFanSpeedInfo_v1) {
    return give_fan(entry, device, Metric::kFanRpm, info->fan, &info->speed);
  }
  return entry.device(device, [&](Gpu&) {
    return info == nullptr ? NVML_ERROR_INVALID_ARGUMENT : NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
  });
}

nvmlReturn_t nvmlDeviceGetPowerManagementLimitConstraints(nvmlDevice_t device,
                                                          unsigned int* minimum,
                                                          unsigned int* maximum) {
  static const Entry entry{__func__};
  return give_pair(entry, device, Metric::kPowerLimitMin, minimum, Metric::kPowerLimitMax, maximum);
}

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

nvmlReturn_t nvmlDeviceGetEccMode(nvmlDevice_t device, nvmlEnableState_t* current,
                                  nvmlEnableState_t* pending) {
  static const Entry entry{__func__};
  return give_pair(entry, device, Metric::kEccMode, current, Metric::kEccMode, pending);
}
nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t device, nvmlMemoryErrorType_t type,
                                         nvmlEccCounterType_t counter, unsigned long long* count) {
  static const Entry entry{__func__};
  return entry.device(device,
                      [&](Gpu& gpu) { return give_ecc(gpu, kEccTotal, type, counter, count); });
}
nvmlReturn_t nvmlDeviceGetDetailedEccErrors(nvmlDevice_t device, nvmlMemoryErrorType_t type,
                                            nvmlEccCounterType_t counter,
                                            nvmlEccErrorCounts_t* counts) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu& gpu) {
    if (counts == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    *counts = {};
    return give_ecc(gpu, kEccDram, type, counter, &counts->deviceMemory);
  });
}
nvmlReturn_t nvmlDeviceGetMemoryErrorCounter(nvmlDevice_t device, nvmlMemoryErrorType_t type,
                                             nvmlEccCounterType_t counter,
                                             nvmlMemoryLocation_t location,
                                             unsigned long long* count) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu& gpu) {
    if (location >= NVML_MEMORY_LOCATION_COUNT) return NVML_ERROR_INVALID_ARGUMENT;
    if (location == NVML_MEMORY_LOCATION_DRAM) return give_ecc(gpu, kEccDram, type, counter, count);
    if (location == NVML_MEMORY_LOCATION_SRAM) return give_ecc(gpu, kEccSram, type, counter, count);
    return NVML_ERROR_NOT_SUPPORTED;
  });
}
nvmlReturn_t nvmlDeviceGetRemappedRows(nvmlDevice_t device, unsigned int* correctable,
                                       unsigned int* uncorrectable, unsigned int* pending,
                                       unsigned int* failure) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu& gpu) {
    return gpu.sample([&](const DeviceSample& now, base::WallTime) {
      nvmlReturn_t worst = NVML_SUCCESS;
      const auto read = [&](Metric metric, unsigned int* out) {
        const nvmlReturn_t code = give_reading(metric, now.at(metric), out);
        if (code != NVML_SUCCESS) worst = code;
      };
      read(Metric::kRemappedRowsCorrectable, correctable);
      read(Metric::kRemappedRowsUncorrectable, uncorrectable);
      read(Metric::kRemappedRowsPending, pending);
      read(Metric::kRemappedRowsFailure, failure);
      return worst;
    });
  });
}
nvmlReturn_t nvmlDeviceGetRowRemapperHistogram(nvmlDevice_t device,
                                               nvmlRowRemapperHistogramValues_t* values) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu& gpu) {
    if (values == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    return gpu.sample([&](const DeviceSample& now, base::WallTime) {
      nvmlReturn_t worst = NVML_SUCCESS;
      const auto read = [&](Metric metric, unsigned int* out) {
        const nvmlReturn_t code = give_reading(metric, now.at(metric), out);
        if (code != NVML_SUCCESS) worst = code;
      };
      read(Metric::kRemapBanksMax, &values->max);
      read(Metric::kRemapBanksHigh, &values->high);
      read(Metric::kRemapBanksPartial, &values->partial);
      read(Metric::kRemapBanksLow, &values->low);
      read(Metric::kRemapBanksNone, &values->none);
      return worst;
    });
  });
}
nvmlReturn_t nvmlDeviceGetRetiredPages(nvmlDevice_t device, nvmlPageRetirementCause_t cause,
                                       unsigned int* count, unsigned long long* addresses) {
  static const Entry entry{__func__};
  return give_retired(entry, device, cause, count, addresses, nullptr);
}
nvmlReturn_t nvmlDeviceGetRetiredPages_v2(nvmlDevice_t device, nvmlPageRetirementCause_t cause,
                                          unsigned int* count, unsigned long long* addresses,
                                          unsigned long long* timestamps) {
  static const Entry entry{__func__};
  return give_retired(entry, device, cause, count, addresses, timestamps);
}

nvmlReturn_t nvmlDeviceGetPcieLinkMaxSpeed(nvmlDevice_t device, unsigned int* code) {
  static const Entry entry{__func__};  // the codes are the generations
  return entry.device(device,
                      [&](Gpu& gpu) { return give_metric(gpu, Metric::kPcieGenerationMax, code); });
}
nvmlReturn_t nvmlDeviceGetPcieSpeed(nvmlDevice_t device, unsigned int* mbps) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu& gpu) {
    constexpr std::array kSpeeds{0U, 2500U, 5000U, 8000U, 16'000U, 32'000U, 64'000U, 128'000U};
    unsigned int generation = 0;
    const nvmlReturn_t code = give_metric(gpu, Metric::kPcieGeneration, &generation);
    if (code != NVML_SUCCESS) return code;
    return give(kSpeeds[std::min<std::size_t>(generation, kSpeeds.size() - 1)], mbps);
  });
}
nvmlReturn_t nvmlDeviceGetPcieThroughput(nvmlDevice_t device, nvmlPcieUtilCounter_t counter,
                                         unsigned int* kilobytes_per_second) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu& gpu) {
    if (kilobytes_per_second == nullptr || counter >= NVML_PCIE_UTIL_COUNT) {
      return NVML_ERROR_INVALID_ARGUMENT;
    }
    const Metric metric = counter == NVML_PCIE_UTIL_TX_BYTES ? Metric::kPcieTx : Metric::kPcieRx;
    const Reading rate = gpu.reading(metric);
    if (!rate.present()) return error_of(rate.absence);
    return give(static_cast<unsigned int>(rate.value / kBytesPerKilobyte), kilobytes_per_second);
  });
}

nvmlReturn_t nvmlDeviceGetNvLinkState(nvmlDevice_t device, unsigned int link,
                                      nvmlEnableState_t* active) {
  static const Entry entry{__func__};
  return give_link(entry, device, link, Metric::kLinkState, active);
}
nvmlReturn_t nvmlDeviceGetNvLinkVersion(nvmlDevice_t device, unsigned int link,
                                        unsigned int* version) {
  static const Entry entry{__func__};
  return give_link(entry, device, link, Metric::kLinkVersion, version);
}
nvmlReturn_t nvmlDeviceGetNvLinkCapability(nvmlDevice_t device, unsigned int link,
                                           nvmlNvLinkCapability_t capability,
                                           unsigned int* result) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu& gpu) {
    return gpu.sample([&](const DeviceSample& now, base::WallTime) {
      if (link >= NVML_NVLINK_MAX_LINKS || capability >= NVML_NVLINK_CAP_COUNT) {
        return NVML_ERROR_INVALID_ARGUMENT;
      }
      if (link >= now.links.size()) return NVML_ERROR_NOT_SUPPORTED;
      return give(capability == NVML_NVLINK_CAP_SLI_BRIDGE ? 0U : 1U, result);
    });
  });
}
nvmlReturn_t nvmlDeviceGetNvLinkErrorCounter(nvmlDevice_t device, unsigned int link,
                                             nvmlNvLinkErrorCounter_t counter,
                                             unsigned long long* value) {
  static const Entry entry{__func__};
  constexpr std::array kCounters{Metric::kLinkReplayErrors, Metric::kLinkRecoveryErrors,
                                 Metric::kLinkCrcFlitErrors, Metric::kLinkCrcDataErrors};
  if (counter < kCounters.size()) return give_link(entry, device, link, kCounters[counter], value);
  return entry.device(device, [&](Gpu&) {
    return counter < NVML_NVLINK_ERROR_COUNT ? NVML_ERROR_NOT_SUPPORTED
                                             : NVML_ERROR_INVALID_ARGUMENT;
  });
}
nvmlReturn_t nvmlDeviceGetNvLinkRemoteDeviceType(nvmlDevice_t device, unsigned int link,
                                                 nvmlIntNvLinkDeviceType_t* type) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu& gpu) {
    return gpu.sample([&](const DeviceSample& now, base::WallTime) {
      if (link >= NVML_NVLINK_MAX_LINKS) return NVML_ERROR_INVALID_ARGUMENT;
      if (link >= now.links.size()) return NVML_ERROR_NOT_SUPPORTED;
      return give(NVML_NVLINK_DEVICE_TYPE_SWITCH, type);
    });
  });
}
nvmlReturn_t nvmlDeviceGetTopologyCommonAncestor(nvmlDevice_t one, nvmlDevice_t other,
                                                 nvmlGpuTopologyLevel_t* level) {
  static const Entry entry{__func__};
  return entry.device(one, [&](const Gpu& gpu) {
    const auto handle = read_handle(other);
    if (!handle) return NVML_ERROR_INVALID_ARGUMENT;
    return give(handle->gpu == gpu.index() ? NVML_TOPOLOGY_INTERNAL : NVML_TOPOLOGY_NODE, level);
  });
}
nvmlReturn_t nvmlDeviceGetGpuFabricInfo(nvmlDevice_t device, nvmlGpuFabricInfo_t* info) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu&) { return give(nvmlGpuFabricInfo_t{}, info); });
}

}  // extern "C"

#undef GPUSCOPE_READING

}  // namespace gpuscope::simulated
