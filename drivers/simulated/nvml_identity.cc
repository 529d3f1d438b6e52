// NVML's functions about what a device is and which modes it is in, MIG among them.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "answers.h"
#include "driver.h"

namespace gpuscope::simulated {
namespace {

using model::Fact;
using model::Metric;

template <typename Value>
struct Named {
  std::string_view name;
  Value value;
};
constexpr std::array<Named<nvmlBrandType_t>, 8> kBrands{{
    {"Quadro", NVML_BRAND_QUADRO},
    {"Tesla", NVML_BRAND_TESLA},
    {"GeForce", NVML_BRAND_GEFORCE},
    {"GeForce RTX", NVML_BRAND_GEFORCE_RTX},
    {"Titan", NVML_BRAND_TITAN},
    {"Quadro RTX", NVML_BRAND_QUADRO_RTX},
    {"NVIDIA RTX", NVML_BRAND_NVIDIA_RTX},
    {"NVIDIA", NVML_BRAND_NVIDIA},
}};
constexpr std::array<Named<unsigned int>, 9> kArchitectures{{
    {"Kepler", NVML_DEVICE_ARCH_KEPLER},
    {"Maxwell", NVML_DEVICE_ARCH_MAXWELL},
    {"Pascal", NVML_DEVICE_ARCH_PASCAL},
    {"Volta", NVML_DEVICE_ARCH_VOLTA},
    {"Turing", NVML_DEVICE_ARCH_TURING},
    {"Ampere", NVML_DEVICE_ARCH_AMPERE},
    {"Ada", NVML_DEVICE_ARCH_ADA},
    {"Hopper", NVML_DEVICE_ARCH_HOPPER},
    {"Blackwell", NVML_DEVICE_ARCH_BLACKWELL},
}};

template <typename Value, std::size_t N>
Value named(const std::array<Named<Value>, N>& table, std::string_view name, Value unknown) {
  const auto* row = std::ranges::find(table, name, &Named<Value>::name);
  return row == table.end() ? unknown : row->value;
}

// The numbers of "00000000:01:00.0" or "9.0", in the base that they are written in.
template <std::size_t N>
std::array<unsigned int, N> numbers(std::string_view text, int base) {
  std::array<unsigned int, N> found{};
  const char* at = text.data();
  const char* end = at + text.size();
  for (unsigned int& number : found) {
    at = std::from_chars(at, end, number, base).ptr;
    if (at == end) break;
    ++at;
  }
  return found;
}

// A device id that no real card has, of NVIDIA as the vendor.
constexpr unsigned int kPciDeviceId = 0x5347'10DE;
constexpr unsigned int kPciBaseClass = 3;  // display controller
constexpr unsigned int kPciSubClass = 2;   // 3D controller

nvmlReturn_t give_pci(const Entry& entry, nvmlDevice_t device, nvmlPciInfo_t* pci) {
  return entry.any_device(device, [&](Session&, const Gpu& gpu, const auto&) {
    if (pci == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    const model::Text& id = gpu.info().fact(Fact::kPciBusId);
    if (!id.present()) return error_of(id.absence);
    const auto [domain, bus, slot] = numbers<3>(id.value, 16);
    *pci = {};
    pci->domain = domain;
    pci->bus = bus;
    pci->device = slot;
    pci->pciDeviceId = kPciDeviceId;
    pci->pciSubSystemId = kPciDeviceId;
    std::snprintf(pci->busId, sizeof(pci->busId), "%08X:%02X:%02X.0", domain, bus, slot);
    std::snprintf(pci->busIdLegacy, sizeof(pci->busIdLegacy), "%04X:%02X:%02X.0", domain & 0xFFFFU,
                  bus & 0xFFU, slot & 0xFFU);
    return NVML_SUCCESS;
  });
}

nvmlReturn_t give_fact_of(const Entry& entry, nvmlDevice_t device, Fact fact, char* out,
                          unsigned int length) {
  return entry.device(device, [&](const Gpu& gpu) { return give_fact(gpu, fact, out, length); });
}

nvmlReturn_t give_flag(const Entry& entry, nvmlDevice_t device, Metric metric,
                       nvmlEnableState_t* out) {
  return entry.device(device, [&](Gpu& gpu) { return give_metric(gpu, metric, out); });
}

template <typename T>
nvmlReturn_t give_fixed(const Entry& entry, nvmlDevice_t device, T value, T* out) {
  return entry.device(device, [&](const Gpu&) { return give(value, out); });
}

// The driver's firmware is for GPUs from Turing on.
bool has_gsp(const Gpu& gpu) {
  return named(kArchitectures, gpu.info().fact(Fact::kArchitecture).value, 0U) >=
         NVML_DEVICE_ARCH_TURING;
}

}  // namespace

bool Gpu::has_gpm() const {
  return named(kArchitectures, info().fact(Fact::kArchitecture).value, 0U) >=
         NVML_DEVICE_ARCH_HOPPER;
}

extern "C" {

nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char* name, unsigned int length) {
  static const Entry entry{__func__};
  return entry.any_device(device, [&](Session&, Gpu& gpu, const auto& mig) {
    if (!mig) return give_fact(gpu, Fact::kName, name, length);
    return gpu.sample([&](const model::DeviceSample& now, base::WallTime) {
      if (*mig >= now.mig_instances.size()) return NVML_ERROR_NOT_FOUND;
      return give_text(gpu.info().name() + " MIG " + now.mig_instances[*mig].profile, name, length);
    });
  });
}
nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char* uuid, unsigned int length) {
  static const Entry entry{__func__};
  return entry.any_device(device, [&](Session&, Gpu& gpu, const auto& mig) {
    if (!mig) return give_fact(gpu, Fact::kUuid, uuid, length);
    return gpu.sample([&](const model::DeviceSample& now, base::WallTime) {
      if (*mig >= now.mig_instances.size()) return NVML_ERROR_NOT_FOUND;
      return give_text(now.mig_instances[*mig].uuid, uuid, length);
    });
  });
}
nvmlReturn_t nvmlDeviceGetSerial(nvmlDevice_t device, char* serial, unsigned int length) {
  static const Entry entry{__func__};
  return give_fact_of(entry, device, Fact::kSerial, serial, length);
}
nvmlReturn_t nvmlDeviceGetVbiosVersion(nvmlDevice_t device, char* version, unsigned int length) {
  static const Entry entry{__func__};
  return give_fact_of(entry, device, Fact::kVbios, version, length);
}
nvmlReturn_t nvmlDeviceGetBoardPartNumber(nvmlDevice_t device, char* number, unsigned int length) {
  static const Entry entry{__func__};
  return give_fact_of(entry, device, Fact::kBoardPartNumber, number, length);
}
nvmlReturn_t nvmlDeviceGetInforomImageVersion(nvmlDevice_t device, char* version,
                                              unsigned int length) {
  static const Entry entry{__func__};
  return give_fact_of(entry, device, Fact::kInforomImage, version, length);
}
nvmlReturn_t nvmlDeviceGetInforomVersion(nvmlDevice_t device, nvmlInforomObject_t object,
                                         char* version, unsigned int length) {
  static const Entry entry{__func__};
  constexpr std::array<Fact, NVML_INFOROM_COUNT> kFacts{Fact::kInforomOem, Fact::kInforomEcc,
                                                        Fact::kInforomPower};
  return entry.device(device, [&](const Gpu& gpu) {
    if (object >= NVML_INFOROM_COUNT) return NVML_ERROR_INVALID_ARGUMENT;
    return give_fact(gpu, kFacts[object], version, length);
  });
}
nvmlReturn_t nvmlDeviceGetGspFirmwareVersion(nvmlDevice_t device, char* version) {
  static const Entry entry{__func__};
  return entry.device(device, [&](const Gpu& gpu) {
    if (!has_gsp(gpu)) return NVML_ERROR_NOT_SUPPORTED;
    return give_fact(gpu, Fact::kGspFirmware, version, NVML_GSP_FIRMWARE_VERSION_BUF_SIZE);
  });
}
nvmlReturn_t nvmlDeviceGetGspFirmwareMode(nvmlDevice_t device, unsigned int* enabled,
                                          unsigned int* default_mode) {
  static const Entry entry{__func__};
  return entry.device(device, [&](const Gpu& gpu) {
    if (enabled == nullptr || default_mode == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    *enabled = *default_mode = has_gsp(gpu) ? 1 : 0;
    return NVML_SUCCESS;
  });
}

nvmlReturn_t nvmlDeviceGetIndex(nvmlDevice_t device, unsigned int* index) {
  static const Entry entry{__func__};
  return entry.device(
      device, [&](const Gpu& gpu) { return give(static_cast<unsigned int>(gpu.index()), index); });
}
nvmlReturn_t nvmlDeviceGetMinorNumber(nvmlDevice_t device, unsigned int* minor) {
  static const Entry entry{__func__};
  return entry.device(device,
                      [&](Gpu& gpu) { return give_metric(gpu, Metric::kMinorNumber, minor); });
}
nvmlReturn_t nvmlDeviceGetModuleId(nvmlDevice_t device, unsigned int* id) {
  static const Entry entry{__func__};
  return entry.device(
      device, [&](const Gpu& gpu) { return give(static_cast<unsigned int>(gpu.index()), id); });
}
nvmlReturn_t nvmlDeviceGetBoardId(nvmlDevice_t device, unsigned int* id) {
  static const Entry entry{__func__};
  return entry.device(device, [&](const Gpu& gpu) {
    std::string_view text = gpu.info().fact(Fact::kBoardId).value;
    if (text.starts_with("0x")) text.remove_prefix(2);
    return give(numbers<1>(text, 16)[0], id);
  });
}
nvmlReturn_t nvmlDeviceGetMultiGpuBoard(nvmlDevice_t device, unsigned int* multi) {
  static const Entry entry{__func__};
  return give_fixed(entry, device, 0U, multi);
}
nvmlReturn_t nvmlDeviceOnSameBoard(nvmlDevice_t one, nvmlDevice_t other, int* same) {
  static const Entry entry{__func__};
  return entry.device(one, [&](const Gpu& gpu) {
    const auto handle = read_handle(other);
    if (!handle) return NVML_ERROR_INVALID_ARGUMENT;
    return give(handle->gpu == gpu.index() ? 1 : 0, same);
  });
}
nvmlReturn_t nvmlDeviceGetBrand(nvmlDevice_t device, nvmlBrandType_t* brand) {
  static const Entry entry{__func__};
  return entry.device(device, [&](const Gpu& gpu) {
    return give(named(kBrands, gpu.info().fact(Fact::kBrand).value, NVML_BRAND_UNKNOWN), brand);
  });
}
nvmlReturn_t nvmlDeviceGetArchitecture(nvmlDevice_t device,
                                       nvmlDeviceArchitecture_t* architecture) {
  static const Entry entry{__func__};
  return entry.any_device(device, [&](Session&, const Gpu& gpu, const auto&) {
    const std::string_view name = gpu.info().fact(Fact::kArchitecture).value;
    return give(named(kArchitectures, name, NVML_DEVICE_ARCH_UNKNOWN), architecture);
  });
}
nvmlReturn_t nvmlDeviceGetCudaComputeCapability(nvmlDevice_t device, int* major, int* minor) {
  static const Entry entry{__func__};
  return entry.any_device(device, [&](Session&, const Gpu& gpu, const auto&) {
    if (major == nullptr || minor == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    const auto [one, two] = numbers<2>(gpu.info().fact(Fact::kComputeCapability).value, 10);
    *major = static_cast<int>(one);
    *minor = static_cast<int>(two);
    return NVML_SUCCESS;
  });
}
nvmlReturn_t nvmlDeviceGetBusType(nvmlDevice_t device, nvmlBusType_t* type) {
  static const Entry entry{__func__};
  return give_fixed(entry, device, NVML_BUS_TYPE_PCIE, type);
}
nvmlReturn_t nvmlDeviceGetPowerSource(nvmlDevice_t device, nvmlPowerSource_t* source) {
  static const Entry entry{__func__};
  return give_fixed(entry, device, NVML_POWER_SOURCE_AC, source);
}

nvmlReturn_t nvmlDeviceGetPciInfo(nvmlDevice_t device, nvmlPciInfo_t* pci) {
  static const Entry entry{__func__};
  return give_pci(entry, device, pci);
}
nvmlReturn_t nvmlDeviceGetPciInfo_v2(nvmlDevice_t device, nvmlPciInfo_t* pci) {
  static const Entry entry{__func__};
  return give_pci(entry, device, pci);
}
nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t* pci) {
  static const Entry entry{__func__};
  return give_pci(entry, device, pci);
}
nvmlReturn_t nvmlDeviceGetPciInfoExt(nvmlDevice_t device, nvmlPciInfoExt_t* pci) {
  static const Entry entry{__func__};
  nvmlPciInfo_t known{};
  if (const nvmlReturn_t code = give_pci(entry, device, &known); code != NVML_SUCCESS) return code;
  if (pci == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  if (pci->version != nvmlPciInfoExt_v1) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
  pci->domain = known.domain;
  pci->bus = known.bus;
  pci->device = known.device;
  pci->pciDeviceId = known.pciDeviceId;
  pci->pciSubSystemId = known.pciSubSystemId;
  pci->baseClass = kPciBaseClass;
  pci->subClass = kPciSubClass;
  std::memcpy(pci->busId, known.busId, sizeof(pci->busId));
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetPersistenceMode(nvmlDevice_t device, nvmlEnableState_t* mode) {
  static const Entry entry{__func__};
  return give_flag(entry, device, Metric::kPersistenceMode, mode);
}
nvmlReturn_t nvmlDeviceGetComputeMode(nvmlDevice_t device, nvmlComputeMode_t* mode) {
  static const Entry entry{__func__};
  return entry.device(device,
                      [&](Gpu& gpu) { return give_metric(gpu, Metric::kComputeMode, mode); });
}
nvmlReturn_t nvmlDeviceGetDisplayMode(nvmlDevice_t device, nvmlEnableState_t* display) {
  static const Entry entry{__func__};
  return give_flag(entry, device, Metric::kDisplayActive, display);
}
nvmlReturn_t nvmlDeviceGetDisplayActive(nvmlDevice_t device, nvmlEnableState_t* active) {
  static const Entry entry{__func__};
  return give_flag(entry, device, Metric::kDisplayActive, active);
}
nvmlReturn_t nvmlDeviceGetAccountingMode(nvmlDevice_t device, nvmlEnableState_t* mode) {
  static const Entry entry{__func__};
  return give_fixed(entry, device, NVML_FEATURE_DISABLED, mode);
}
nvmlReturn_t nvmlDeviceGetPowerManagementMode(nvmlDevice_t device, nvmlEnableState_t* mode) {
  static const Entry entry{__func__};
  return give_fixed(entry, device, NVML_FEATURE_ENABLED, mode);
}

nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned int* current,
                                  unsigned int* pending) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu& gpu) {
    if (pending == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    const nvmlReturn_t code = give_metric(gpu, Metric::kMigMode, current);
    if (code == NVML_SUCCESS) *pending = *current;
    return code;
  });
}
nvmlReturn_t nvmlDeviceIsMigDeviceHandle(nvmlDevice_t device, unsigned int* is_mig) {
  static const Entry entry{__func__};
  return entry.any_device(
      device, [&](Session&, const Gpu&, const auto& mig) { return give(mig ? 1U : 0U, is_mig); });
}
nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned int* count) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu& gpu) {
    return gpu.sample([&](const model::DeviceSample& now, base::WallTime) {
      return give(static_cast<unsigned int>(now.mig_instances.size()), count);
    });
  });
}
nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned int index,
                                                 nvmlDevice_t* mig) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu& gpu) {
    return gpu.sample([&](const model::DeviceSample& now, base::WallTime) {
      if (mig == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
      if (index >= now.mig_instances.size()) return NVML_ERROR_NOT_FOUND;
      return give(make_handle({.gpu = gpu.index(), .mig = index}), mig);
    });
  });
}
nvmlReturn_t nvmlDeviceGetDeviceHandleFromMigDeviceHandle(nvmlDevice_t mig, nvmlDevice_t* device) {
  static const Entry entry{__func__};
  return entry.any_device(mig, [&](Session&, const Gpu& gpu, const auto& instance) {
    if (!instance) return NVML_ERROR_INVALID_ARGUMENT;
    return give(make_handle({.gpu = gpu.index(), .mig = std::nullopt}), device);
  });
}
nvmlReturn_t nvmlDeviceGetAttributes_v2(nvmlDevice_t device, nvmlDeviceAttributes_t* attributes) {
  static const Entry entry{__func__};
  return entry.any_device(device, [&](Session&, Gpu& gpu, const auto& mig) {
    if (attributes == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    if (!mig) return NVML_ERROR_NOT_SUPPORTED;
    return gpu.sample([&](const model::DeviceSample& now, base::WallTime) {
      if (*mig >= now.mig_instances.size()) return NVML_ERROR_NOT_FOUND;
      constexpr unsigned int kProcessorsOfASlice = 16;
      *attributes = {};
      attributes->multiprocessorCount = kProcessorsOfASlice;
      attributes->gpuInstanceSliceCount = 1;
      attributes->computeInstanceSliceCount = 1;
      attributes->memorySizeMB = static_cast<unsigned long long>(
          now.mig_instances[*mig].row[column(Metric::kMigMemoryTotal)].value >> 20U);
      return NVML_SUCCESS;
    });
  });
}
nvmlReturn_t nvmlDeviceGetGpuInstanceId(nvmlDevice_t device, unsigned int* id) {
  static const Entry entry{__func__};
  return entry.any_device(device, [&](Session&, Gpu& gpu, const auto& mig) {
    if (!mig) return NVML_ERROR_INVALID_ARGUMENT;
    return gpu.sample([&](const model::DeviceSample& now, base::WallTime) {
      if (*mig >= now.mig_instances.size()) return NVML_ERROR_NOT_FOUND;
      return give(now.mig_instances[*mig].gpu_instance_id, id);
    });
  });
}
nvmlReturn_t nvmlDeviceGetComputeInstanceId(nvmlDevice_t device, unsigned int* id) {
  static const Entry entry{__func__};
  return entry.any_device(device, [&](Session&, Gpu& gpu, const auto& mig) {
    if (!mig) return NVML_ERROR_INVALID_ARGUMENT;
    return gpu.sample([&](const model::DeviceSample& now, base::WallTime) {
      if (*mig >= now.mig_instances.size()) return NVML_ERROR_NOT_FOUND;
      return give(now.mig_instances[*mig].compute_instance_id, id);
    });
  });
}

}  // extern "C"

}  // namespace gpuscope::simulated
