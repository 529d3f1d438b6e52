// The NVML library itself: found at run time, function by function, and initialised once per
// open().
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "device/nvml/abi.h"
#include "device/nvml/nvml_source.h"

namespace gpuscope::device::nvml {

// Every NVML function that this program calls. A newer version of a function stands beside the
// older ones; which is asked is the caller's choice.
#define GPUSCOPE_NVML_FUNCTIONS(X)                \
  X(nvmlInit_v2)                                  \
  X(nvmlInit)                                     \
  X(nvmlShutdown)                                 \
  X(nvmlSystemGetDriverVersion)                   \
  X(nvmlSystemGetNVMLVersion)                     \
  X(nvmlSystemGetCudaDriverVersion_v2)            \
  X(nvmlSystemGetCudaDriverVersion)               \
  X(nvmlSystemGetProcessName)                     \
  X(nvmlDeviceGetCount_v2)                        \
  X(nvmlDeviceGetCount)                           \
  X(nvmlDeviceGetHandleByIndex_v2)                \
  X(nvmlDeviceGetHandleByIndex)                   \
  X(nvmlDeviceGetName)                            \
  X(nvmlDeviceGetUUID)                            \
  X(nvmlDeviceGetSerial)                          \
  X(nvmlDeviceGetVbiosVersion)                    \
  X(nvmlDeviceGetPciInfo_v3)                      \
  X(nvmlDeviceGetPciInfo_v2)                      \
  X(nvmlDeviceGetBrand)                           \
  X(nvmlDeviceGetArchitecture)                    \
  X(nvmlDeviceGetCudaComputeCapability)           \
  X(nvmlDeviceGetBoardPartNumber)                 \
  X(nvmlDeviceGetBoardId)                         \
  X(nvmlDeviceGetInforomImageVersion)             \
  X(nvmlDeviceGetInforomVersion)                  \
  X(nvmlDeviceGetGspFirmwareVersion)              \
  X(nvmlDeviceGetMinorNumber)                     \
  X(nvmlDeviceGetMaxClockInfo)                    \
  X(nvmlDeviceGetTemperatureThreshold)            \
  X(nvmlDeviceGetPowerManagementDefaultLimit)     \
  X(nvmlDeviceGetPowerManagementLimitConstraints) \
  X(nvmlDeviceGetMaxPcieLinkGeneration)           \
  X(nvmlDeviceGetMaxPcieLinkWidth)                \
  X(nvmlDeviceGetFieldValues)                     \
  X(nvmlDeviceGetUtilizationRates)                \
  X(nvmlDeviceGetMemoryInfo_v2)                   \
  X(nvmlDeviceGetMemoryInfo)                      \
  X(nvmlDeviceGetTemperatureV)                    \
  X(nvmlDeviceGetTemperature)                     \
  X(nvmlDeviceGetMarginTemperature)               \
  X(nvmlDeviceGetClockInfo)                       \
  X(nvmlDeviceGetApplicationsClock)               \
  X(nvmlDeviceGetEncoderUtilization)              \
  X(nvmlDeviceGetDecoderUtilization)              \
  X(nvmlDeviceGetJpgUtilization)                  \
  X(nvmlDeviceGetOfaUtilization)                  \
  X(nvmlDeviceGetCurrentClocksEventReasons)       \
  X(nvmlDeviceGetCurrentClocksThrottleReasons)    \
  X(nvmlDeviceGetPerformanceState)                \
  X(nvmlDeviceGetPowerUsage)                      \
  X(nvmlDeviceGetTotalEnergyConsumption)          \
  X(nvmlDeviceGetPowerManagementLimit)            \
  X(nvmlDeviceGetEnforcedPowerLimit)              \
  X(nvmlDeviceGetNumFans)                         \
  X(nvmlDeviceGetFanSpeed_v2)                     \
  X(nvmlDeviceGetFanSpeed)                        \
  X(nvmlDeviceGetFanSpeedRPM)                     \
  X(nvmlDeviceGetBAR1MemoryInfo)                  \
  X(nvmlDeviceGetCurrPcieLinkGeneration)          \
  X(nvmlDeviceGetCurrPcieLinkWidth)               \
  X(nvmlDeviceGetPcieReplayCounter)               \
  X(nvmlDeviceGetEccMode)                         \
  X(nvmlDeviceGetTotalEccErrors)                  \
  X(nvmlDeviceGetMemoryErrorCounter)              \
  X(nvmlDeviceGetRemappedRows)                    \
  X(nvmlDeviceGetRowRemapperHistogram)            \
  X(nvmlDeviceGetMigMode)                         \
  X(nvmlDeviceGetPersistenceMode)                 \
  X(nvmlDeviceGetComputeMode)                     \
  X(nvmlDeviceGetDisplayActive)                   \
  X(nvmlDeviceGetNvLinkState)                     \
  X(nvmlDeviceGetPcieThroughput)                  \
  X(nvmlDeviceGetP2PStatus)                       \
  X(nvmlDeviceGetProcessUtilization)              \
  X(nvmlDeviceGetNvLinkErrorCounter)              \
  X(nvmlDeviceGetSamples)                         \
  X(nvmlGpmQueryDeviceSupport)                    \
  X(nvmlGpmSampleAlloc)                           \
  X(nvmlGpmSampleFree)                            \
  X(nvmlGpmSampleGet)                             \
  X(nvmlGpmMigSampleGet)                          \
  X(nvmlGpmMetricsGet)                            \
  X(nvmlDeviceGetMaxMigDeviceCount)               \
  X(nvmlDeviceGetMigDeviceHandleByIndex)          \
  X(nvmlDeviceGetGpuInstanceId)                   \
  X(nvmlDeviceGetComputeInstanceId)               \
  X(nvmlDeviceGetVirtualizationMode)              \
  X(nvmlDeviceGetHostVgpuMode)                    \
  X(nvmlDeviceGetActiveVgpus)                     \
  X(nvmlDeviceGetGridLicensableFeatures_v4)       \
  X(nvmlEventSetCreate)                           \
  X(nvmlEventSetFree)                             \
  X(nvmlDeviceGetSupportedEventTypes)             \
  X(nvmlDeviceRegisterEvents)                     \
  X(nvmlEventSetWait_v2)                          \
  X(nvmlEventSetWait)                             \
  X(nvmlDeviceGetComputeRunningProcesses_v3)      \
  X(nvmlDeviceGetComputeRunningProcesses_v2)      \
  X(nvmlDeviceGetComputeRunningProcesses)         \
  X(nvmlDeviceGetGraphicsRunningProcesses_v3)     \
  X(nvmlDeviceGetGraphicsRunningProcesses_v2)     \
  X(nvmlDeviceGetGraphicsRunningProcesses)        \
  X(nvmlDeviceGetMPSComputeRunningProcesses_v3)   \
  X(nvmlDeviceGetMPSComputeRunningProcesses_v2)   \
  X(nvmlDeviceGetMPSComputeRunningProcesses)

// Null where the library does not export a function.
struct Functions {
// NOLINTNEXTLINE(bugprone-macro-parentheses): a declaration takes none.
#define GPUSCOPE_NVML_MEMBER(name) decltype(&::name) name = nullptr;
  GPUSCOPE_NVML_FUNCTIONS(GPUSCOPE_NVML_MEMBER)
#undef GPUSCOPE_NVML_MEMBER
};

// One initialised NVML. The driver is let go (nvmlShutdown) when the last holder does, so that a
// call stuck in the kernel keeps everything that it needs; the library's code stays mapped for
// good. Immutable, so thread-safe.
class Session {
 public:
  // Loads and initialises. Fails with a message that names the driver's state and the cure.
  static base::Result<std::shared_ptr<const Session>> open(const Options& options);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const Functions& nvml() const { return functions_; }
  // True when the library is a simulation of ours.
  bool simulated() const { return simulated_; }

 private:
  Session() = default;

  Functions functions_;
  bool simulated_ = false;
  bool initialised_ = false;
};

// True when something below `root` says that a kernel driver is there (or WSL's way to one).
bool kernel_driver_present(const std::string& root);

}  // namespace gpuscope::device::nvml
