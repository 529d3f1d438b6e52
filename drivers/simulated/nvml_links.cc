// NVML's functions about PCI Express, NVLink and topology.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "answers.h"
#include "driver.h"

namespace gpuscope::simulated {
namespace {

using model::DeviceSample;
using model::Metric;
using model::Reading;

constexpr std::int64_t kBytesPerKilobyte = 1000;

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

}  // namespace

extern "C" {

GPUSCOPE_READING(nvmlDeviceGetCurrPcieLinkGeneration, unsigned int, Metric::kPcieGeneration)
GPUSCOPE_READING(nvmlDeviceGetMaxPcieLinkGeneration, unsigned int, Metric::kPcieGenerationMax)
GPUSCOPE_READING(nvmlDeviceGetGpuMaxPcieLinkGeneration, unsigned int, Metric::kPcieGenerationMax)
GPUSCOPE_READING(nvmlDeviceGetCurrPcieLinkWidth, unsigned int, Metric::kPcieWidth)
GPUSCOPE_READING(nvmlDeviceGetMaxPcieLinkWidth, unsigned int, Metric::kPcieWidthMax)
GPUSCOPE_READING(nvmlDeviceGetPcieReplayCounter, unsigned int, Metric::kPcieReplays)

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
// Over PCIe every two GPUs reach each other.
nvmlReturn_t nvmlDeviceGetP2PStatus(nvmlDevice_t one, nvmlDevice_t other,
                                    nvmlGpuP2PCapsIndex_t capability, nvmlGpuP2PStatus_t* status) {
  static const Entry entry{__func__};
  return entry.any_device(one, [&](const Session& session, Gpu& gpu, const auto& mig) {
    const auto handle = read_handle(other);
    if (mig || !handle || handle->mig || handle->gpu >= session.gpus.size() ||
        capability > NVML_P2P_CAPS_INDEX_PROP) {
      return NVML_ERROR_INVALID_ARGUMENT;
    }
    if (capability != NVML_P2P_CAPS_INDEX_NVLINK) return give(NVML_P2P_STATUS_OK, status);
    const base::WallTime now = gpu.sample([](const auto&, base::WallTime step) { return step; });
    return give(static_cast<nvmlGpuP2PStatus_t>(
                    session.machine.link_between(gpu.index(), handle->gpu, now)),
                status);
  });
}
nvmlReturn_t nvmlDeviceGetGpuFabricInfo(nvmlDevice_t device, nvmlGpuFabricInfo_t* info) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu&) { return give(nvmlGpuFabricInfo_t{}, info); });
}

}  // extern "C"

}  // namespace gpuscope::simulated
