// All that no simulated GPU has: programs find the functions, and learn that they are not
// supported.
#include "answers.h"
#include "driver.h"

namespace gpuscope::simulated {

extern "C" {

nvmlReturn_t nvmlDeviceGetNumGpuCores(nvmlDevice_t device, unsigned int* /*cores*/) {
  static const Entry entry{__func__};
  return entry.device(device, [](Gpu&) { return NVML_ERROR_NOT_SUPPORTED; });
}
nvmlReturn_t nvmlDeviceGetMemoryBusWidth(nvmlDevice_t device, unsigned int* /*bits*/) {
  static const Entry entry{__func__};
  return entry.device(device, [](Gpu&) { return NVML_ERROR_NOT_SUPPORTED; });
}
nvmlReturn_t nvmlDeviceGetAttributes_v2(nvmlDevice_t device, nvmlDeviceAttributes_t* /*out*/) {
  static const Entry entry{__func__};
  return entry.any_device(device,
                          [](Session&, Gpu&, const auto&) { return NVML_ERROR_NOT_SUPPORTED; });
}
nvmlReturn_t nvmlDeviceGetSamples(nvmlDevice_t device, nvmlSamplingType_t /*type*/,
                                  unsigned long long /*last_seen*/, nvmlValueType_t* /*value_type*/,
                                  unsigned int* /*count*/, nvmlSample_t* /*samples*/) {
  static const Entry entry{__func__};
  return entry.device(device, [](Gpu&) { return NVML_ERROR_NOT_SUPPORTED; });
}

// As on GPUs before Hopper: the question is answered, with no.
nvmlReturn_t nvmlGpmQueryDeviceSupport(nvmlDevice_t device, nvmlGpmSupport_t* support) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu&) {
    if (support == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    if (support->version != NVML_GPM_SUPPORT_VERSION) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    support->isSupportedDevice = 0;
    return NVML_SUCCESS;
  });
}
nvmlReturn_t nvmlGpmSampleAlloc(nvmlGpmSample_t* /*sample*/) {
  static const Entry entry{__func__};
  return entry.unsupported();
}
nvmlReturn_t nvmlGpmSampleFree(nvmlGpmSample_t /*sample*/) {
  static const Entry entry{__func__};
  return entry.unsupported();
}
nvmlReturn_t nvmlGpmSampleGet(nvmlDevice_t device, nvmlGpmSample_t /*sample*/) {
  static const Entry entry{__func__};
  return entry.device(device, [](Gpu&) { return NVML_ERROR_NOT_SUPPORTED; });
}
nvmlReturn_t nvmlGpmMigSampleGet(nvmlDevice_t device, unsigned int /*gpu_instance*/,
                                 nvmlGpmSample_t /*sample*/) {
  static const Entry entry{__func__};
  return entry.device(device, [](Gpu&) { return NVML_ERROR_NOT_SUPPORTED; });
}
nvmlReturn_t nvmlGpmMetricsGet(nvmlGpmMetricsGet_t* /*metrics*/) {
  static const Entry entry{__func__};
  return entry.unsupported();
}

// The rest takes no part in monitoring: settings, vGPU, units, confidential computing. Their
// arguments are not looked at; a caller passes them and takes them back, as C's calling convention
// has it on every machine that NVML runs on.
#define GPUSCOPE_UNSUPPORTED(function)  \
  nvmlReturn_t function();              \
  nvmlReturn_t function() {             \
    static const Entry entry{__func__}; \
    return entry.unsupported();         \
  }

GPUSCOPE_UNSUPPORTED(nvmlComputeInstanceDestroy)
GPUSCOPE_UNSUPPORTED(nvmlComputeInstanceGetInfo)
GPUSCOPE_UNSUPPORTED(nvmlComputeInstanceGetInfo_v2)
GPUSCOPE_UNSUPPORTED(nvmlDeviceCcuGetStreamState)
GPUSCOPE_UNSUPPORTED(nvmlDeviceCcuSetStreamState)
GPUSCOPE_UNSUPPORTED(nvmlDeviceClearAccountingPids)
GPUSCOPE_UNSUPPORTED(nvmlDeviceClearCpuAffinity)
GPUSCOPE_UNSUPPORTED(nvmlDeviceClearEccErrorCounts)
GPUSCOPE_UNSUPPORTED(nvmlDeviceClearFieldValues)
GPUSCOPE_UNSUPPORTED(nvmlDeviceCreateGpuInstance)
GPUSCOPE_UNSUPPORTED(nvmlDeviceCreateGpuInstanceWithPlacement)
GPUSCOPE_UNSUPPORTED(nvmlDeviceDiscoverGpus)
GPUSCOPE_UNSUPPORTED(nvmlDeviceFreezeNvLinkUtilizationCounter)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetAPIRestriction)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetAccountingBufferSize)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetAccountingPids)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetAccountingStats)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetActiveVgpus)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetAdaptiveClockInfoStatus)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetAttributes)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetAutoBoostedClocksEnabled)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetBridgeChipInfo)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetC2cModeInfoV)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetClkMonStatus)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetConfComputeGpuAttestationReport)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetConfComputeGpuCertificate)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetConfComputeMemSizeInfo)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetConfComputeProtectedMemoryUsage)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetCpuAffinity)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetCpuAffinityWithinScope)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetCreatableVgpus)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetDriverModel)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetEncoderCapacity)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetEncoderSessions)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetFBCSessions)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetFanControlPolicy_v2)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetGpcClkMinMaxVfOffset)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetGpcClkVfOffset)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetGpuFabricInfoV)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetGpuInstanceById)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetGpuInstancePossiblePlacements)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetGpuInstancePossiblePlacements_v2)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetGpuInstanceProfileInfo)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetGpuInstanceProfileInfoV)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetGpuInstanceRemainingCapacity)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetGpuInstances)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetGpuOperationMode)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetGridLicensableFeatures)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetGridLicensableFeatures_v2)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetGridLicensableFeatures_v3)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetGridLicensableFeatures_v4)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetHostVgpuMode)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetInforomConfigurationChecksum)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetIrqNum)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetLastBBXFlushTime)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetMemClkMinMaxVfOffset)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetMemClkVfOffset)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetMemoryAffinity)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetMinMaxClockOfPState)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetNumaNodeId)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetNvLinkRemotePciInfo)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetNvLinkRemotePciInfo_v2)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetNvLinkUtilizationControl)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetNvLinkUtilizationCounter)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetP2PStatus)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetPgpuMetadataString)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetRunningProcessDetailList)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetSramEccErrorStatus)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetSupportedGraphicsClocks)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetSupportedMemoryClocks)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetSupportedPerformanceStates)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetSupportedVgpus)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetTopologyNearestGpus)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetVgpuCapabilities)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetVgpuHeterogeneousMode)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetVgpuInstancesUtilizationInfo)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetVgpuMetadata)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetVgpuProcessUtilization)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetVgpuProcessesUtilizationInfo)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetVgpuSchedulerCapabilities)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetVgpuSchedulerLog)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetVgpuSchedulerState)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetVgpuTypeCreatablePlacements)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetVgpuTypeSupportedPlacements)
GPUSCOPE_UNSUPPORTED(nvmlDeviceGetVgpuUtilization)
GPUSCOPE_UNSUPPORTED(nvmlDeviceModifyDrainState)
GPUSCOPE_UNSUPPORTED(nvmlDeviceQueryDrainState)
GPUSCOPE_UNSUPPORTED(nvmlDeviceRemoveGpu)
GPUSCOPE_UNSUPPORTED(nvmlDeviceRemoveGpu_v2)
GPUSCOPE_UNSUPPORTED(nvmlDeviceResetApplicationsClocks)
GPUSCOPE_UNSUPPORTED(nvmlDeviceResetGpuLockedClocks)
GPUSCOPE_UNSUPPORTED(nvmlDeviceResetMemoryLockedClocks)
GPUSCOPE_UNSUPPORTED(nvmlDeviceResetNvLinkErrorCounters)
GPUSCOPE_UNSUPPORTED(nvmlDeviceResetNvLinkUtilizationCounter)
GPUSCOPE_UNSUPPORTED(nvmlDeviceSetAPIRestriction)
GPUSCOPE_UNSUPPORTED(nvmlDeviceSetAccountingMode)
GPUSCOPE_UNSUPPORTED(nvmlDeviceSetApplicationsClocks)
GPUSCOPE_UNSUPPORTED(nvmlDeviceSetAutoBoostedClocksEnabled)
GPUSCOPE_UNSUPPORTED(nvmlDeviceSetComputeMode)
GPUSCOPE_UNSUPPORTED(nvmlDeviceSetConfComputeUnprotectedMemSize)
GPUSCOPE_UNSUPPORTED(nvmlDeviceSetCpuAffinity)
GPUSCOPE_UNSUPPORTED(nvmlDeviceSetDefaultAutoBoostedClocksEnabled)
GPUSCOPE_UNSUPPORTED(nvmlDeviceSetDefaultFanSpeed_v2)
GPUSCOPE_UNSUPPORTED(nvmlDeviceSetDriverModel)
GPUSCOPE_UNSUPPORTED(nvmlDeviceSetEccMode)
GPUSCOPE_UNSUPPORTED(nvmlDeviceSetFanControlPolicy)
GPUSCOPE_UNSUPPORTED(nvmlDeviceSetFanSpeed_v2)
GPUSCOPE_UNSUPPORTED(nvmlDeviceSetGpcClkVfOffset)
GPUSCOPE_UNSUPPORTED(nvmlDeviceSetGpuLockedClocks)
GPUSCOPE_UNSUPPORTED(nvmlDeviceSetGpuOperationMode)
GPUSCOPE_UNSUPPORTED(nvmlDeviceSetMemClkVfOffset)
GPUSCOPE_UNSUPPORTED(nvmlDeviceSetMemoryLockedClocks)
GPUSCOPE_UNSUPPORTED(nvmlDeviceSetMigMode)
GPUSCOPE_UNSUPPORTED(nvmlDeviceSetNvLinkDeviceLowPowerThreshold)
GPUSCOPE_UNSUPPORTED(nvmlDeviceSetNvLinkUtilizationControl)
GPUSCOPE_UNSUPPORTED(nvmlDeviceSetPersistenceMode)
GPUSCOPE_UNSUPPORTED(nvmlDeviceSetPowerManagementLimit)
GPUSCOPE_UNSUPPORTED(nvmlDeviceSetPowerManagementLimit_v2)
GPUSCOPE_UNSUPPORTED(nvmlDeviceSetTemperatureThreshold)
GPUSCOPE_UNSUPPORTED(nvmlDeviceSetVgpuCapabilities)
GPUSCOPE_UNSUPPORTED(nvmlDeviceSetVgpuHeterogeneousMode)
GPUSCOPE_UNSUPPORTED(nvmlDeviceSetVgpuSchedulerState)
GPUSCOPE_UNSUPPORTED(nvmlDeviceSetVirtualizationMode)
GPUSCOPE_UNSUPPORTED(nvmlDeviceValidateInforom)
GPUSCOPE_UNSUPPORTED(nvmlGetExcludedDeviceInfoByIndex)
GPUSCOPE_UNSUPPORTED(nvmlGetVgpuCompatibility)
GPUSCOPE_UNSUPPORTED(nvmlGetVgpuDriverCapabilities)
GPUSCOPE_UNSUPPORTED(nvmlGetVgpuVersion)
GPUSCOPE_UNSUPPORTED(nvmlGpmQueryIfStreamingEnabled)
GPUSCOPE_UNSUPPORTED(nvmlGpmSetStreamingEnabled)
GPUSCOPE_UNSUPPORTED(nvmlGpuInstanceCreateComputeInstance)
GPUSCOPE_UNSUPPORTED(nvmlGpuInstanceCreateComputeInstanceWithPlacement)
GPUSCOPE_UNSUPPORTED(nvmlGpuInstanceDestroy)
GPUSCOPE_UNSUPPORTED(nvmlGpuInstanceGetComputeInstanceById)
GPUSCOPE_UNSUPPORTED(nvmlGpuInstanceGetComputeInstancePossiblePlacements)
GPUSCOPE_UNSUPPORTED(nvmlGpuInstanceGetComputeInstanceProfileInfo)
GPUSCOPE_UNSUPPORTED(nvmlGpuInstanceGetComputeInstanceProfileInfoV)
GPUSCOPE_UNSUPPORTED(nvmlGpuInstanceGetComputeInstanceRemainingCapacity)
GPUSCOPE_UNSUPPORTED(nvmlGpuInstanceGetComputeInstances)
GPUSCOPE_UNSUPPORTED(nvmlGpuInstanceGetInfo)
GPUSCOPE_UNSUPPORTED(nvmlSetVgpuVersion)
GPUSCOPE_UNSUPPORTED(nvmlSystemGetConfComputeCapabilities)
GPUSCOPE_UNSUPPORTED(nvmlSystemGetConfComputeGpusReadyState)
GPUSCOPE_UNSUPPORTED(nvmlSystemGetConfComputeKeyRotationThresholdInfo)
GPUSCOPE_UNSUPPORTED(nvmlSystemGetConfComputeSettings)
GPUSCOPE_UNSUPPORTED(nvmlSystemGetConfComputeState)
GPUSCOPE_UNSUPPORTED(nvmlSystemGetHicVersion)
GPUSCOPE_UNSUPPORTED(nvmlSystemGetNvlinkBwMode)
GPUSCOPE_UNSUPPORTED(nvmlSystemSetConfComputeGpusReadyState)
GPUSCOPE_UNSUPPORTED(nvmlSystemSetConfComputeKeyRotationThresholdInfo)
GPUSCOPE_UNSUPPORTED(nvmlSystemSetNvlinkBwMode)
GPUSCOPE_UNSUPPORTED(nvmlUnitGetDevices)
GPUSCOPE_UNSUPPORTED(nvmlUnitGetFanSpeedInfo)
GPUSCOPE_UNSUPPORTED(nvmlUnitGetHandleByIndex)
GPUSCOPE_UNSUPPORTED(nvmlUnitGetLedState)
GPUSCOPE_UNSUPPORTED(nvmlUnitGetPsuInfo)
GPUSCOPE_UNSUPPORTED(nvmlUnitGetTemperature)
GPUSCOPE_UNSUPPORTED(nvmlUnitGetUnitInfo)
GPUSCOPE_UNSUPPORTED(nvmlUnitSetLedState)
GPUSCOPE_UNSUPPORTED(nvmlVgpuInstanceClearAccountingPids)
GPUSCOPE_UNSUPPORTED(nvmlVgpuInstanceGetAccountingMode)
GPUSCOPE_UNSUPPORTED(nvmlVgpuInstanceGetAccountingPids)
GPUSCOPE_UNSUPPORTED(nvmlVgpuInstanceGetAccountingStats)
GPUSCOPE_UNSUPPORTED(nvmlVgpuInstanceGetEccMode)
GPUSCOPE_UNSUPPORTED(nvmlVgpuInstanceGetEncoderCapacity)
GPUSCOPE_UNSUPPORTED(nvmlVgpuInstanceGetEncoderSessions)
GPUSCOPE_UNSUPPORTED(nvmlVgpuInstanceGetEncoderStats)
GPUSCOPE_UNSUPPORTED(nvmlVgpuInstanceGetFBCSessions)
GPUSCOPE_UNSUPPORTED(nvmlVgpuInstanceGetFBCStats)
GPUSCOPE_UNSUPPORTED(nvmlVgpuInstanceGetFbUsage)
GPUSCOPE_UNSUPPORTED(nvmlVgpuInstanceGetFrameRateLimit)
GPUSCOPE_UNSUPPORTED(nvmlVgpuInstanceGetGpuInstanceId)
GPUSCOPE_UNSUPPORTED(nvmlVgpuInstanceGetGpuPciId)
GPUSCOPE_UNSUPPORTED(nvmlVgpuInstanceGetLicenseInfo)
GPUSCOPE_UNSUPPORTED(nvmlVgpuInstanceGetLicenseInfo_v2)
GPUSCOPE_UNSUPPORTED(nvmlVgpuInstanceGetLicenseStatus)
GPUSCOPE_UNSUPPORTED(nvmlVgpuInstanceGetMdevUUID)
GPUSCOPE_UNSUPPORTED(nvmlVgpuInstanceGetMetadata)
GPUSCOPE_UNSUPPORTED(nvmlVgpuInstanceGetPlacementId)
GPUSCOPE_UNSUPPORTED(nvmlVgpuInstanceGetType)
GPUSCOPE_UNSUPPORTED(nvmlVgpuInstanceGetUUID)
GPUSCOPE_UNSUPPORTED(nvmlVgpuInstanceGetVmDriverVersion)
GPUSCOPE_UNSUPPORTED(nvmlVgpuInstanceGetVmID)
GPUSCOPE_UNSUPPORTED(nvmlVgpuInstanceSetEncoderCapacity)
GPUSCOPE_UNSUPPORTED(nvmlVgpuTypeGetCapabilities)
GPUSCOPE_UNSUPPORTED(nvmlVgpuTypeGetClass)
GPUSCOPE_UNSUPPORTED(nvmlVgpuTypeGetDeviceID)
GPUSCOPE_UNSUPPORTED(nvmlVgpuTypeGetFbReservation)
GPUSCOPE_UNSUPPORTED(nvmlVgpuTypeGetFrameRateLimit)
GPUSCOPE_UNSUPPORTED(nvmlVgpuTypeGetFramebufferSize)
GPUSCOPE_UNSUPPORTED(nvmlVgpuTypeGetGpuInstanceProfileId)
GPUSCOPE_UNSUPPORTED(nvmlVgpuTypeGetGspHeapSize)
GPUSCOPE_UNSUPPORTED(nvmlVgpuTypeGetLicense)
GPUSCOPE_UNSUPPORTED(nvmlVgpuTypeGetMaxInstances)
GPUSCOPE_UNSUPPORTED(nvmlVgpuTypeGetMaxInstancesPerVm)
GPUSCOPE_UNSUPPORTED(nvmlVgpuTypeGetName)
GPUSCOPE_UNSUPPORTED(nvmlVgpuTypeGetNumDisplayHeads)
GPUSCOPE_UNSUPPORTED(nvmlVgpuTypeGetResolution)

#undef GPUSCOPE_UNSUPPORTED

}  // extern "C"

}  // namespace gpuscope::simulated
