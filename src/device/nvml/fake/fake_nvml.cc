// FAKE_NVML_OLD leaves out what drivers of before 2018 did not have.
#include "device/nvml/fake/fake_nvml.h"

#include <chrono>
#include <cstring>
#include <memory>
#include <string>

using gpuscope::device::nvml::FakeNvml;

namespace {

constexpr std::uintptr_t kFirstInstance = 1000;  // "devices" from here on are MIG instances

std::unique_ptr<FakeNvml> fake;  // NOLINT(readability-identifier-naming)

int number(nvmlDevice_t device) {
  return static_cast<int>(reinterpret_cast<std::uintptr_t>(device)) - 1;
}

[[maybe_unused]] bool is_instance(nvmlDevice_t device) {
  return static_cast<std::uintptr_t>(number(device)) >= kFirstInstance;
}

nvmlReturn_t enter(std::string_view function, int device) {
  if (fake->cost.count() > 0) {
    const auto end = std::chrono::steady_clock::now() + fake->cost;
    while (std::chrono::steady_clock::now() < end) {
    }
  }
  if (fake->counted) {
    const std::lock_guard lock(fake->mutex);
    ++fake->calls[function];
    ++fake->device_calls[device];
    ++fake->thread_calls[std::this_thread::get_id()];
  }
  if (!fake->result && !fake->event_result) return NVML_SUCCESS;
  const bool of_events =
      function.starts_with("nvmlEvent") || function == "nvmlDeviceRegisterEvents";
  const auto& result = of_events ? fake->event_result : fake->result;
  return result ? result(function, device) : NVML_SUCCESS;
}

nvmlReturn_t enter(std::string_view function, nvmlDevice_t device) {
  return enter(function, number(device));
}

nvmlReturn_t give(nvmlReturn_t code, const std::string& text, char* buffer, unsigned int length) {
  if (code != NVML_SUCCESS) return code;
  if (text.size() >= length) return NVML_ERROR_INSUFFICIENT_SIZE;
  std::memcpy(buffer, text.c_str(), text.size() + 1);
  return NVML_SUCCESS;
}

template <typename Info>
nvmlReturn_t give_list(nvmlReturn_t code, const std::vector<nvmlProcessInfo_t>& list,
                       unsigned int* count, Info* infos) {
  if (code != NVML_SUCCESS) return code;
  const unsigned int room = *count;
  *count = static_cast<unsigned int>(list.size());
  if (room < list.size()) return NVML_ERROR_INSUFFICIENT_SIZE;
  for (std::size_t i = 0; i < list.size(); ++i) {
    infos[i].pid = list[i].pid;
    infos[i].usedGpuMemory = list[i].usedGpuMemory;
  }
  return NVML_SUCCESS;
}

}  // namespace

extern "C" {

FakeNvml* gpuscope_fake_nvml(bool renew);
FakeNvml* gpuscope_fake_nvml(bool renew) {
  if (renew || fake == nullptr) fake = std::make_unique<FakeNvml>();
  return fake.get();
}

#define SYSTEM_TEXT(name, text)                          \
  nvmlReturn_t name(char* buffer, unsigned int length) { \
    return give(enter(#name, -1), text, buffer, length); \
  }
#define TEXT(name, text)                                                      \
  nvmlReturn_t name(nvmlDevice_t device, char* buffer, unsigned int length) { \
    return give(enter(#name, device), text, buffer, length);                  \
  }
#define VALUE(name, type, value)                      \
  nvmlReturn_t name(nvmlDevice_t device, type* out) { \
    const nvmlReturn_t code = enter(#name, device);   \
    if (code == NVML_SUCCESS) *out = value;           \
    return code;                                      \
  }
#define VALUE_OF(name, what, type, value)                            \
  nvmlReturn_t name(nvmlDevice_t device, what selector, type* out) { \
    const nvmlReturn_t code = enter(#name, device);                  \
    if (code == NVML_SUCCESS) *out = static_cast<type>(value);       \
    (void)selector;                                                  \
    return code;                                                     \
  }
#define TWO(name, type, one, two)                                     \
  nvmlReturn_t name(nvmlDevice_t device, type* first, type* second) { \
    const nvmlReturn_t code = enter(#name, device);                   \
    if (code == NVML_SUCCESS) {                                       \
      *first = one;                                                   \
      *second = two;                                                  \
    }                                                                 \
    return code;                                                      \
  }
#define PROCESSES(name, list, type)                                          \
  nvmlReturn_t name(nvmlDevice_t device, unsigned int* count, type* infos) { \
    return give_list(enter(#name, device), fake->list, count, infos);        \
  }

// Counted last: a test that waits for it may then throw the fake away.
nvmlReturn_t nvmlShutdown() {
  const nvmlReturn_t code = fake->result ? fake->result("nvmlShutdown", -1) : NVML_SUCCESS;
  const std::lock_guard lock(fake->mutex);
  ++fake->calls["nvmlShutdown"];
  return code;
}
SYSTEM_TEXT(nvmlSystemGetDriverVersion, "390.157")
SYSTEM_TEXT(nvmlSystemGetNVMLVersion, "12.390.157")
nvmlReturn_t nvmlSystemGetProcessName(unsigned int pid, char* name, unsigned int length) {
  return give(enter("nvmlSystemGetProcessName", -1),
              "/usr/local/bin/a-program-with-a-long-name-" + std::to_string(pid) + " --flag", name,
              length);
}

TEXT(nvmlDeviceGetName, is_instance(device) ? "Fake GPU MIG 1g.10gb" : "Fake GPU")
TEXT(nvmlDeviceGetUUID, is_instance(device) ? "MIG-" + std::to_string(number(device))
                                            : "GPU-00000000-0000-0000-0000-00000000000" +
                                                  std::to_string(number(device)))
TEXT(nvmlDeviceGetSerial, "N/A")
TEXT(nvmlDeviceGetVbiosVersion, "90.00")

VALUE(nvmlDeviceGetUtilizationRates, nvmlUtilization_t, (nvmlUtilization_t{fake->percent, 20}))
VALUE(nvmlDeviceGetMemoryInfo, nvmlMemory_t, (nvmlMemory_t{1000, 600, 400}))
VALUE_OF(nvmlDeviceGetTemperature, nvmlTemperatureSensors_t, unsigned int, 55)
VALUE_OF(nvmlDeviceGetTemperatureThreshold, nvmlTemperatureThresholds_t, unsigned int,
         90 + selector)
VALUE_OF(nvmlDeviceGetClockInfo, nvmlClockType_t, unsigned int, 1000 + selector)
VALUE_OF(nvmlDeviceGetMaxClockInfo, nvmlClockType_t, unsigned int, 2000 + selector)
VALUE_OF(nvmlDeviceGetApplicationsClock, nvmlClockType_t, unsigned int, 1500 + selector)
VALUE(nvmlDeviceGetCurrentClocksThrottleReasons, unsigned long long, 0x104)
VALUE(nvmlDeviceGetPerformanceState, nvmlPstates_t, static_cast<nvmlPstates_t>(2))
VALUE(nvmlDeviceGetPowerUsage, unsigned int, 123'456)
VALUE(nvmlDeviceGetPowerManagementLimit, unsigned int, 250'000)
VALUE(nvmlDeviceGetEnforcedPowerLimit, unsigned int, 240'000)
VALUE(nvmlDeviceGetPowerManagementDefaultLimit, unsigned int, 260'000)
TWO(nvmlDeviceGetPowerManagementLimitConstraints, unsigned int, 100'000, 300'000)
TWO(nvmlDeviceGetEncoderUtilization, unsigned int, 5, 100'000)
TWO(nvmlDeviceGetDecoderUtilization, unsigned int, 6, 100'000)
VALUE(nvmlDeviceGetFanSpeed, unsigned int, 33)
VALUE(nvmlDeviceGetBAR1MemoryInfo, nvmlBAR1Memory_t, (nvmlBAR1Memory_t{256, 200, 56}))
VALUE(nvmlDeviceGetCurrPcieLinkGeneration, unsigned int, 3)
VALUE(nvmlDeviceGetCurrPcieLinkWidth, unsigned int, 8)
VALUE(nvmlDeviceGetMaxPcieLinkGeneration, unsigned int, 4)
VALUE(nvmlDeviceGetMaxPcieLinkWidth, unsigned int, 16)
VALUE(nvmlDeviceGetPcieReplayCounter, unsigned int, 7)
VALUE(nvmlDeviceGetMinorNumber, unsigned int, 3)
VALUE(nvmlDeviceGetPersistenceMode, nvmlEnableState_t, NVML_FEATURE_ENABLED)
VALUE(nvmlDeviceGetDisplayActive, nvmlEnableState_t, NVML_FEATURE_DISABLED)
VALUE(nvmlDeviceGetComputeMode, nvmlComputeMode_t, static_cast<nvmlComputeMode_t>(3))
TWO(nvmlDeviceGetEccMode, nvmlEnableState_t, NVML_FEATURE_ENABLED, NVML_FEATURE_DISABLED)
VALUE(nvmlDeviceGetBoardId, unsigned int, 0x600)
PROCESSES(nvmlDeviceGetComputeRunningProcesses, compute, nvmlProcessInfo_v1_t)
PROCESSES(nvmlDeviceGetGraphicsRunningProcesses, graphics, nvmlProcessInfo_v1_t)

nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t device, nvmlMemoryErrorType_t type,
                                         nvmlEccCounterType_t span, unsigned long long* errors) {
  const nvmlReturn_t code = enter("nvmlDeviceGetTotalEccErrors", device);
  if (code == NVML_SUCCESS) *errors = 10ULL * type + span;
  return code;
}

#ifdef FAKE_NVML_OLD

nvmlReturn_t nvmlInit() { return enter("nvmlInit", -1); }
nvmlReturn_t nvmlDeviceGetCount(unsigned int* count) {
  *count = fake->devices;
  return enter("nvmlDeviceGetCount", -1);
}
nvmlReturn_t nvmlDeviceGetHandleByIndex(unsigned int index, nvmlDevice_t* device) {
  *device = reinterpret_cast<nvmlDevice_t>(std::uintptr_t{index} + 1);
  return enter("nvmlDeviceGetHandleByIndex", static_cast<int>(index));
}

#else

nvmlReturn_t nvmlInit_v2() { return enter("nvmlInit_v2", -1); }
nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int* count) {
  *count = fake->devices;
  return enter("nvmlDeviceGetCount_v2", -1);
}
nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t* device) {
  *device = reinterpret_cast<nvmlDevice_t>(std::uintptr_t{index} + 1);
  return enter("nvmlDeviceGetHandleByIndex_v2", static_cast<int>(index));
}
nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int* version) {
  *version = 12040;
  return enter("nvmlSystemGetCudaDriverVersion_v2", -1);
}

nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int count, nvmlFieldValue_t* values) {
  const nvmlReturn_t code = enter("nvmlDeviceGetFieldValues", device);
  if (code != NVML_SUCCESS) return code;
  for (int i = 0; i < count; ++i) {
    nvmlFieldValue_t& value = values[i];
    value.timestamp = 0;
    value.valueType = NVML_VALUE_TYPE_UNSIGNED_LONG_LONG;
    value.value.ullVal = value.fieldId;
    if (value.fieldId == NVML_FI_DEV_NVLINK_LINK_COUNT) value.value.ullVal = fake->links;
    value.nvmlReturn = fake->field ? fake->field(number(device), value) : NVML_SUCCESS;
  }
  return NVML_SUCCESS;
}

VALUE(nvmlDeviceGetMemoryInfo_v2, nvmlMemory_v2_t, (nvmlMemory_v2_t{0, 1000, 50, 600, 350}))
nvmlReturn_t nvmlDeviceGetTemperatureV(nvmlDevice_t device, nvmlTemperature_t* temperature) {
  temperature->temperature = 56;
  return enter("nvmlDeviceGetTemperatureV", device);
}
nvmlReturn_t nvmlDeviceGetMarginTemperature(nvmlDevice_t device, nvmlMarginTemperature_t* margin) {
  margin->marginTemperature = -2;
  return enter("nvmlDeviceGetMarginTemperature", device);
}
VALUE(nvmlDeviceGetCurrentClocksEventReasons, unsigned long long, fake->reasons)
VALUE(nvmlDeviceGetTotalEnergyConsumption, unsigned long long, 999)
TWO(nvmlDeviceGetJpgUtilization, unsigned int, 7, 100'000)
TWO(nvmlDeviceGetOfaUtilization, unsigned int, 8, 100'000)
VALUE(nvmlDeviceGetNumFans, unsigned int, fake->fans)
VALUE_OF(nvmlDeviceGetFanSpeed_v2, unsigned int, unsigned int, 30 + selector)
nvmlReturn_t nvmlDeviceGetFanSpeedRPM(nvmlDevice_t device, nvmlFanSpeedInfo_t* info) {
  info->speed = 1000 + info->fan;
  return enter("nvmlDeviceGetFanSpeedRPM", device);
}
TWO(nvmlDeviceGetMigMode, unsigned int, fake->instances > 0 ? 1 : 0, 0)
VALUE(nvmlDeviceGetMaxMigDeviceCount, unsigned int, 7)
nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned int index,
                                                 nvmlDevice_t* mig) {
  const nvmlReturn_t code = enter("nvmlDeviceGetMigDeviceHandleByIndex", device);
  if (code != NVML_SUCCESS) return code;
  if (index >= fake->instances) return NVML_ERROR_NOT_FOUND;
  *mig = reinterpret_cast<nvmlDevice_t>(kFirstInstance + index + 1);
  return NVML_SUCCESS;
}
VALUE(nvmlDeviceGetGpuInstanceId, unsigned int,
      static_cast<unsigned int>(static_cast<std::uintptr_t>(number(device)) - kFirstInstance) + 7)
VALUE(nvmlDeviceGetComputeInstanceId, unsigned int, 0)

VALUE(nvmlDeviceGetVirtualizationMode, nvmlGpuVirtualizationMode_t, fake->virtualization)
VALUE(nvmlDeviceGetHostVgpuMode, nvmlHostVgpuMode_t, NVML_HOST_VGPU_MODE_SRIOV)
nvmlReturn_t nvmlDeviceGetActiveVgpus(nvmlDevice_t device, unsigned int* count,
                                      nvmlVgpuInstance_t* /*instances*/) {
  *count = fake->vgpus;
  const nvmlReturn_t code = enter("nvmlDeviceGetActiveVgpus", device);
  return code != NVML_SUCCESS || *count == 0 ? code : NVML_ERROR_INSUFFICIENT_SIZE;
}
nvmlReturn_t nvmlDeviceGetGridLicensableFeatures_v4(nvmlDevice_t device,
                                                    nvmlGridLicensableFeatures_t* features) {
  features->isGridLicenseSupported = 1;
  features->licensableFeaturesCount = 1;
  features->gridLicensableFeatures[0].featureState = fake->licensed ? 1 : 0;
  return enter("nvmlDeviceGetGridLicensableFeatures_v4", device);
}

nvmlReturn_t nvmlDeviceGetSamples(nvmlDevice_t device, nvmlSamplingType_t type,
                                  unsigned long long last_seen, nvmlValueType_t* value_type,
                                  unsigned int* count, nvmlSample_t* samples) {
  const nvmlReturn_t code = enter("nvmlDeviceGetSamples", device);
  if (code != NVML_SUCCESS) return code;
  const auto kind = fake->driver_samples.find(type);
  if (kind == fake->driver_samples.end()) return NVML_ERROR_NOT_SUPPORTED;
  *value_type = NVML_VALUE_TYPE_UNSIGNED_INT;
  unsigned int found = 0;
  for (const nvmlSample_t& sample : kind->second) {
    if (sample.timeStamp > last_seen && found < *count) samples[found++] = sample;
  }
  *count = found;
  return found == 0 ? NVML_ERROR_NOT_FOUND : NVML_SUCCESS;
}

nvmlReturn_t nvmlGpmQueryDeviceSupport(nvmlDevice_t device, nvmlGpmSupport_t* support) {
  support->isSupportedDevice = fake->gpm ? 1 : 0;
  return enter("nvmlGpmQueryDeviceSupport", device);
}
nvmlReturn_t nvmlGpmSampleAlloc(nvmlGpmSample_t* sample) {
  static int next = 0;
  const std::lock_guard lock(fake->mutex);
  ++fake->gpm_samples;
  *sample = reinterpret_cast<nvmlGpmSample_t>(std::uintptr_t(++next));
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlGpmSampleFree(nvmlGpmSample_t /*sample*/) {
  const std::lock_guard lock(fake->mutex);
  --fake->gpm_samples;
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlGpmSampleGet(nvmlDevice_t device, nvmlGpmSample_t /*sample*/) {
  return enter("nvmlGpmSampleGet", device);
}
nvmlReturn_t nvmlGpmMigSampleGet(nvmlDevice_t device, unsigned int /*gpu_instance*/,
                                 nvmlGpmSample_t /*sample*/) {
  return enter("nvmlGpmMigSampleGet", device);
}
nvmlReturn_t nvmlGpmMetricsGet(nvmlGpmMetricsGet_t* metrics) {
  const nvmlReturn_t code = enter("nvmlGpmMetricsGet", -1);
  if (code != NVML_SUCCESS) return code;
  if (metrics->sample1 == metrics->sample2) return NVML_ERROR_INVALID_ARGUMENT;
  for (unsigned int i = 0; i < metrics->numMetrics; ++i) {
    nvmlGpmMetric_t& metric = metrics->metrics[i];
    metric.value = metric.metricId;
    metric.nvmlReturn = fake->gpm_metric ? fake->gpm_metric(metric) : NVML_SUCCESS;
  }
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlEventSetCreate(nvmlEventSet_t* set) {
  const nvmlReturn_t code = enter("nvmlEventSetCreate", -1);
  if (code != NVML_SUCCESS) return code;
  const std::lock_guard lock(fake->mutex);
  ++fake->sets;
  *set = reinterpret_cast<nvmlEventSet_t>(fake.get());
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlEventSetFree(nvmlEventSet_t /*set*/) {
  const std::lock_guard lock(fake->mutex);
  --fake->sets;
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetSupportedEventTypes(nvmlDevice_t device, unsigned long long* types) {
  *types = nvmlEventTypeXidCriticalError | nvmlEventTypeClock;
  return enter("nvmlDeviceGetSupportedEventTypes", device);
}
nvmlReturn_t nvmlDeviceRegisterEvents(nvmlDevice_t device, unsigned long long types,
                                      nvmlEventSet_t /*set*/) {
  const nvmlReturn_t code = enter("nvmlDeviceRegisterEvents", device);
  const std::lock_guard lock(fake->mutex);
  fake->registered = types;
  return code;
}
nvmlReturn_t nvmlDeviceGetP2PStatus(nvmlDevice_t one, nvmlDevice_t /*other*/,
                                    nvmlGpuP2PCapsIndex_t capability, nvmlGpuP2PStatus_t* status) {
  const nvmlReturn_t code = enter("nvmlDeviceGetP2PStatus", one);
  *status =
      capability == NVML_P2P_CAPS_INDEX_NVLINK ? fake->nvlink_peer.load() : NVML_P2P_STATUS_UNKNOWN;
  return code;
}
nvmlReturn_t nvmlEventSetWait_v2(nvmlEventSet_t /*set*/, nvmlEventData_t* data,
                                 unsigned int timeout_ms) {
  const nvmlReturn_t code = enter("nvmlEventSetWait_v2", -1);
  if (code != NVML_SUCCESS) return code;
  std::unique_lock lock(fake->mutex);
  const auto some = [] { return !fake->events.empty(); };
  if (!fake->woken.wait_for(lock, std::chrono::milliseconds(timeout_ms), some)) {
    return NVML_ERROR_TIMEOUT;
  }
  *data = fake->events.front();
  fake->events.pop_front();
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetMemoryErrorCounter(nvmlDevice_t device, nvmlMemoryErrorType_t type,
                                             nvmlEccCounterType_t span, nvmlMemoryLocation_t where,
                                             unsigned long long* errors) {
  const nvmlReturn_t code = enter("nvmlDeviceGetMemoryErrorCounter", device);
  if (code == NVML_SUCCESS) *errors = 100ULL * where + 10ULL * type + span;
  return code;
}
VALUE(nvmlDeviceGetRowRemapperHistogram, nvmlRowRemapperHistogramValues_t,
      (nvmlRowRemapperHistogramValues_t{640, 4, 3, 2, 1}))
VALUE_OF(nvmlDeviceGetNvLinkState, unsigned int, nvmlEnableState_t, NVML_FEATURE_ENABLED)
nvmlReturn_t nvmlDeviceGetNvLinkErrorCounter(nvmlDevice_t device, unsigned int link,
                                             nvmlNvLinkErrorCounter_t counter,
                                             unsigned long long* value) {
  *value = 10ULL * link + counter;
  return enter("nvmlDeviceGetNvLinkErrorCounter", device);
}
VALUE_OF(nvmlDeviceGetPcieThroughput, nvmlPcieUtilCounter_t, unsigned int, 70 + selector)
nvmlReturn_t nvmlDeviceGetProcessUtilization(nvmlDevice_t device,
                                             nvmlProcessUtilizationSample_t* samples,
                                             unsigned int* count, unsigned long long last_seen) {
  const nvmlReturn_t code = enter("nvmlDeviceGetProcessUtilization", device);
  if (code != NVML_SUCCESS) return code;
  unsigned int found = 0;
  for (const nvmlProcessUtilizationSample_t& sample : fake->samples) {
    if (sample.timeStamp > last_seen && found < *count) samples[found++] = sample;
  }
  *count = found;
  return found == 0 ? NVML_ERROR_NOT_FOUND : NVML_SUCCESS;
}
PROCESSES(nvmlDeviceGetComputeRunningProcesses_v3, compute, nvmlProcessInfo_t)
PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v3, graphics, nvmlProcessInfo_t)
nvmlReturn_t nvmlDeviceGetMPSComputeRunningProcesses_v3(nvmlDevice_t device, unsigned int* count,
                                                        nvmlProcessInfo_t* /*infos*/) {
  *count = 0;
  return enter("nvmlDeviceGetMPSComputeRunningProcesses_v3", device);
}

#endif

}  // extern "C"
