// NVML's functions about virtual GPUs: what a host that carries them and a guest that is one tell.
#include <algorithm>

#include "answers.h"
#include "driver.h"

namespace gpuscope::simulated {
namespace {

using model::Metric;
using model::Reading;

// As the metric virtualization_mode counts them.
constexpr std::int64_t kGuest = 2;
constexpr std::int64_t kHost = 3;
constexpr std::int64_t kHostWithSriov = 4;
constexpr unsigned int kFirstInstance = 1000;

}  // namespace

extern "C" {

nvmlReturn_t nvmlDeviceGetVirtualizationMode(nvmlDevice_t device,
                                             nvmlGpuVirtualizationMode_t* mode) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu& gpu) {
    const Reading now = gpu.reading(Metric::kVirtualizationMode);
    if (!now.present()) return error_of(now.absence);
    return give(static_cast<nvmlGpuVirtualizationMode_t>(std::min(now.value, kHost)), mode);
  });
}
nvmlReturn_t nvmlDeviceGetHostVgpuMode(nvmlDevice_t device, nvmlHostVgpuMode_t* mode) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu& gpu) {
    const Reading now = gpu.reading(Metric::kVirtualizationMode);
    if (!now.present() || now.value < kHost) return NVML_ERROR_NOT_SUPPORTED;
    return give(
        now.value == kHostWithSriov ? NVML_HOST_VGPU_MODE_SRIOV : NVML_HOST_VGPU_MODE_NON_SRIOV,
        mode);
  });
}
nvmlReturn_t nvmlDeviceGetActiveVgpus(nvmlDevice_t device, unsigned int* count,
                                      nvmlVgpuInstance_t* instances) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu& gpu) {
    const Reading now = gpu.reading(Metric::kVgpuInstances);
    if (!now.present()) return error_of(now.absence);
    if (count == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    const unsigned int room = *count;
    *count = static_cast<unsigned int>(now.value);
    if (room < *count) return NVML_ERROR_INSUFFICIENT_SIZE;
    for (unsigned int i = 0; i < *count; ++i) instances[i] = kFirstInstance + i;
    return NVML_SUCCESS;
  });
}
nvmlReturn_t nvmlDeviceGetGridLicensableFeatures_v4(nvmlDevice_t device,
                                                    nvmlGridLicensableFeatures_t* features) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu& gpu) {
    if (features == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    *features = {};
    if (gpu.reading(Metric::kVirtualizationMode) != Reading::of(kGuest)) return NVML_SUCCESS;
    features->isGridLicenseSupported = 1;
    features->licensableFeaturesCount = 1;
    nvmlGridLicensableFeature_t& feature = features->gridLicensableFeatures[0];
    feature.featureCode = NVML_GRID_LICENSE_FEATURE_CODE_VGPU;
    feature.featureState = gpu.reading(Metric::kVgpuLicense) == Reading::of(1) ? 1 : 0;
    feature.featureEnabled = 1;
    return give_text("NVIDIA Virtual GPU", feature.productName, sizeof feature.productName);
  });
}

}  // extern "C"

}  // namespace gpuscope::simulated
