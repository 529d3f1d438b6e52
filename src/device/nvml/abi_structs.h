// The C ABI of NVML: the layout of everything that is passed by pointer. See abi.h.
#pragma once

#include "device/nvml/abi_values.h"

// NOLINTBEGIN(readability-identifier-naming)

// --- Structures ---------------------------------------------------------------------------------

// A versioned structure says its size and version in its first member.
template <typename T>
constexpr unsigned int nvml_struct_version(unsigned int version) {
  return static_cast<unsigned int>(sizeof(T)) | version << 24U;
}

struct nvmlPciInfo_t {
  char busIdLegacy[NVML_DEVICE_PCI_BUS_ID_BUFFER_V2_SIZE];  // 0000:01:00.0
  unsigned int domain;
  unsigned int bus;
  unsigned int device;
  unsigned int pciDeviceId;  // device in the upper half, vendor 0x10DE in the lower
  unsigned int pciSubSystemId;
  char busId[NVML_DEVICE_PCI_BUS_ID_BUFFER_SIZE];  // 00000000:01:00.0
};
static_assert(sizeof(nvmlPciInfo_t) == 68);

struct nvmlPciInfoExt_t {
  unsigned int version;
  unsigned int domain;
  unsigned int bus;
  unsigned int device;
  unsigned int pciDeviceId;
  unsigned int pciSubSystemId;
  unsigned int baseClass;
  unsigned int subClass;
  char busId[NVML_DEVICE_PCI_BUS_ID_BUFFER_SIZE];
};
static_assert(sizeof(nvmlPciInfoExt_t) == 64);

struct nvmlUtilization_t {
  unsigned int gpu;     // percent
  unsigned int memory;  // percent of time in which memory was read or written
};
static_assert(sizeof(nvmlUtilization_t) == 8);

// Bytes. Here, `used` includes what the driver keeps for itself; in v2 that is `reserved`.
struct nvmlMemory_t {
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
};
static_assert(sizeof(nvmlMemory_t) == 24);

struct nvmlMemory_v2_t {
  unsigned int version;
  unsigned long long total;
  unsigned long long reserved;
  unsigned long long free;
  unsigned long long used;
};
static_assert(sizeof(nvmlMemory_v2_t) == 40);

struct nvmlBAR1Memory_t {
  unsigned long long bar1Total;
  unsigned long long bar1Free;
  unsigned long long bar1Used;
};
static_assert(sizeof(nvmlBAR1Memory_t) == 24);

// What the unversioned process lists fill.
struct nvmlProcessInfo_v1_t {
  unsigned int pid;
  unsigned long long usedGpuMemory;  // bytes, or kNvmlMemoryNotAvailable
};
static_assert(sizeof(nvmlProcessInfo_v1_t) == 16);

// What their _v2 and _v3 fill.
struct nvmlProcessInfo_t {
  unsigned int pid;
  unsigned long long usedGpuMemory;
  unsigned int gpuInstanceId;
  unsigned int computeInstanceId;
};
static_assert(sizeof(nvmlProcessInfo_t) == 24);

// Percent, over the time since the sample before.
struct nvmlProcessUtilizationSample_t {
  unsigned int pid;
  unsigned long long timeStamp;  // microseconds since 1970
  unsigned int smUtil;
  unsigned int memUtil;
  unsigned int encUtil;
  unsigned int decUtil;
};
static_assert(sizeof(nvmlProcessUtilizationSample_t) == 32);

struct nvmlProcessUtilizationInfo_v1_t {
  unsigned long long timeStamp;
  unsigned int pid;
  unsigned int smUtil;
  unsigned int memUtil;
  unsigned int encUtil;
  unsigned int decUtil;
  unsigned int jpgUtil;
  unsigned int ofaUtil;
};
static_assert(sizeof(nvmlProcessUtilizationInfo_v1_t) == 40);

struct nvmlProcessesUtilizationInfo_t {
  unsigned int version;
  unsigned int processSamplesCount;
  unsigned long long lastSeenTimeStamp;
  nvmlProcessUtilizationInfo_v1_t* procUtilArray;
};
static_assert(sizeof(nvmlProcessesUtilizationInfo_t) == 24);

union nvmlValue_t {
  double dVal;
  int siVal;
  unsigned int uiVal;
  unsigned long ulVal;
  unsigned long long ullVal;
  signed long long sllVal;
  unsigned short usVal;
};
static_assert(sizeof(nvmlValue_t) == 8);

struct nvmlFieldValue_t {
  unsigned int fieldId;
  unsigned int scopeId;
  long long timestamp;    // microseconds since 1970
  long long latencyUsec;  // how long the driver took for this one
  nvmlValueType_t valueType;
  nvmlReturn_t nvmlReturn;  // the rest means something only when this is success
  nvmlValue_t value;
};
static_assert(sizeof(nvmlFieldValue_t) == 40);

struct nvmlSample_t {
  unsigned long long timeStamp;  // microseconds since 1970
  nvmlValue_t sampleValue;
};
static_assert(sizeof(nvmlSample_t) == 16);

struct nvmlViolationTime_t {
  unsigned long long referenceTime;  // microseconds since 1970
  unsigned long long violationTime;  // nanoseconds
};
static_assert(sizeof(nvmlViolationTime_t) == 16);

struct nvmlEccErrorCounts_t {
  unsigned long long l1Cache;
  unsigned long long l2Cache;
  unsigned long long deviceMemory;
  unsigned long long registerFile;
};
static_assert(sizeof(nvmlEccErrorCounts_t) == 32);

struct nvmlRowRemapperHistogramValues_t {
  unsigned int max;  // banks with all their spare rows left, and so on down
  unsigned int high;
  unsigned int partial;
  unsigned int low;
  unsigned int none;
};
static_assert(sizeof(nvmlRowRemapperHistogramValues_t) == 20);

struct nvmlGpuThermalSettings_t {
  unsigned int count;
  struct {
    nvmlThermalController_t controller;
    int defaultMinTemp;
    int defaultMaxTemp;
    int currentTemp;
    nvmlThermalTarget_t target;
  } sensor[NVML_MAX_THERMAL_SENSORS_PER_GPU];
};
static_assert(sizeof(nvmlGpuThermalSettings_t) == 64);

struct nvmlGpuDynamicPstatesInfo_t {
  unsigned int flags;
  struct {
    unsigned int bIsPresent;
    unsigned int percentage;
    unsigned int incThreshold;
    unsigned int decThreshold;
  } utilization[NVML_MAX_GPU_UTILIZATIONS];  // graphics, frame buffer, video, bus
};
static_assert(sizeof(nvmlGpuDynamicPstatesInfo_t) == 132);

struct nvmlEventData_t {
  nvmlDevice_t device;
  unsigned long long eventType;
  unsigned long long eventData;  // the XID, for nvmlEventTypeXidCriticalError
  unsigned int gpuInstanceId;
  unsigned int computeInstanceId;
};
static_assert(sizeof(nvmlEventData_t) == 32);

struct nvmlDeviceAttributes_t {
  unsigned int multiprocessorCount;
  unsigned int sharedCopyEngineCount;
  unsigned int sharedDecoderCount;
  unsigned int sharedEncoderCount;
  unsigned int sharedJpegCount;
  unsigned int sharedOfaCount;
  unsigned int gpuInstanceSliceCount;
  unsigned int computeInstanceSliceCount;
  unsigned long long memorySizeMB;
};
static_assert(sizeof(nvmlDeviceAttributes_t) == 40);

struct nvmlAccountingStats_t {
  unsigned int gpuUtilization;
  unsigned int memoryUtilization;
  unsigned long long maxMemoryUsage;
  unsigned long long time;
  unsigned long long startTime;
  unsigned int isRunning;
  unsigned int reserved[5];
};
static_assert(sizeof(nvmlAccountingStats_t) == 56);

struct nvmlFBCStats_t {
  unsigned int sessionsCount;
  unsigned int averageFPS;
  unsigned int averageLatency;
};
static_assert(sizeof(nvmlFBCStats_t) == 12);

struct nvmlGpuFabricInfo_t {
  unsigned char clusterUuid[NVML_GPU_FABRIC_UUID_LEN];
  nvmlReturn_t status;
  unsigned int cliqueId;
  nvmlGpuFabricState_t state;
};
static_assert(sizeof(nvmlGpuFabricInfo_t) == 28);

struct nvmlGridLicenseExpiry_t {
  unsigned int year;
  unsigned short month;
  unsigned short day;
  unsigned short hour;
  unsigned short min;
  unsigned short sec;
  unsigned char status;
};
static_assert(sizeof(nvmlGridLicenseExpiry_t) == 16);

struct nvmlGridLicensableFeature_t {
  nvmlGridLicenseFeatureCode_t featureCode;
  unsigned int featureState;  // 0: not licensed now
  char licenseInfo[NVML_GRID_LICENSE_BUFFER_SIZE];
  char productName[NVML_GRID_LICENSE_BUFFER_SIZE];
  unsigned int featureEnabled;
  nvmlGridLicenseExpiry_t licenseExpiry;
};
static_assert(sizeof(nvmlGridLicensableFeature_t) == 284);

struct nvmlGridLicensableFeatures_t {
  int isGridLicenseSupported;
  unsigned int licensableFeaturesCount;
  nvmlGridLicensableFeature_t gridLicensableFeatures[NVML_GRID_LICENSE_FEATURE_MAX_COUNT];
};
static_assert(sizeof(nvmlGridLicensableFeatures_t) == 860);

struct nvmlGpmMetric_t {
  unsigned int metricId;
  nvmlReturn_t nvmlReturn;
  double value;
  struct {
    char* shortName;
    char* longName;
    char* unit;
  } metricInfo;
};
static_assert(sizeof(nvmlGpmMetric_t) == 40);

struct nvmlGpmMetricsGet_t {
  unsigned int version;
  unsigned int numMetrics;
  nvmlGpmSample_t sample1;  // the older
  nvmlGpmSample_t sample2;
  nvmlGpmMetric_t metrics[NVML_GPM_METRIC_MAX];
};
static_assert(sizeof(nvmlGpmMetricsGet_t) == 3944);

struct nvmlGpmSupport_t {
  unsigned int version;
  unsigned int isSupportedDevice;
};
static_assert(sizeof(nvmlGpmSupport_t) == 8);

// Since 565.
struct nvmlTemperature_t {
  unsigned int version;
  nvmlTemperatureSensors_t sensorType;
  int temperature;  // degrees Celsius
};
static_assert(sizeof(nvmlTemperature_t) == 12);

// Since 565.
struct nvmlMarginTemperature_t {
  unsigned int version;
  int marginTemperature;  // degrees Celsius below the slowdown
};
static_assert(sizeof(nvmlMarginTemperature_t) == 8);

// Since 565.
struct nvmlFanSpeedInfo_t {
  unsigned int version;
  unsigned int fan;    // in: which
  unsigned int speed;  // rpm
};
static_assert(sizeof(nvmlFanSpeedInfo_t) == 12);

inline constexpr unsigned int nvmlMemory_v2 = nvml_struct_version<nvmlMemory_v2_t>(2);
inline constexpr unsigned int nvmlPciInfoExt_v1 = nvml_struct_version<nvmlPciInfoExt_t>(1);
inline constexpr unsigned int nvmlProcessesUtilizationInfo_v1 =
    nvml_struct_version<nvmlProcessesUtilizationInfo_t>(1);
inline constexpr unsigned int nvmlTemperature_v1 = nvml_struct_version<nvmlTemperature_t>(1);
inline constexpr unsigned int nvmlMarginTemperature_v1 =
    nvml_struct_version<nvmlMarginTemperature_t>(1);
inline constexpr unsigned int nvmlFanSpeedInfo_v1 = nvml_struct_version<nvmlFanSpeedInfo_t>(1);

// NOLINTEND(readability-identifier-naming)
