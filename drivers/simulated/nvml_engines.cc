// NVML's functions about how busy the parts of a device are.
#include <array>
#include <cstddef>

#include "answers.h"
#include "driver.h"

namespace gpuscope::simulated {
namespace {

using model::DeviceSample;
using model::Metric;

constexpr unsigned int kSamplingPeriodUs = 100'000;

nvmlReturn_t give_engine(const Entry& entry, nvmlDevice_t device, Metric metric,
                         unsigned int* percent, unsigned int* period_us) {
  return entry.device(device, [&](Gpu& gpu) {
    if (period_us == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    *period_us = kSamplingPeriodUs;
    return give_metric(gpu, metric, percent);
  });
}

}  // namespace

extern "C" {

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

}  // extern "C"

}  // namespace gpuscope::simulated
