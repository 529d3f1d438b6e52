// NVML's functions about power, temperatures and fans.
#include <array>

#include "answers.h"
#include "driver.h"

namespace gpuscope::simulated {
namespace {

using model::DeviceSample;
using model::Metric;

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

}  // namespace

extern "C" {

GPUSCOPE_READING(nvmlDeviceGetFanSpeed, unsigned int, Metric::kFanSpeedPercent)
GPUSCOPE_READING(nvmlDeviceGetPowerUsage, unsigned int, Metric::kPower)
GPUSCOPE_READING(nvmlDeviceGetPowerManagementLimit, unsigned int, Metric::kPowerLimit)
GPUSCOPE_READING(nvmlDeviceGetEnforcedPowerLimit, unsigned int, Metric::kPowerLimitEnforced)
GPUSCOPE_READING(nvmlDeviceGetPowerManagementDefaultLimit, unsigned int, Metric::kPowerLimitDefault)
GPUSCOPE_READING(nvmlDeviceGetTotalEnergyConsumption, unsigned long long, Metric::kEnergy)

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

}  // extern "C"

}  // namespace gpuscope::simulated
