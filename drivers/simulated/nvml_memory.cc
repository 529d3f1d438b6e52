// NVML's functions about memory, and about the errors in it.
#include <algorithm>
#include <array>

#include "answers.h"
#include "driver.h"

namespace gpuscope::simulated {
namespace {

using model::DeviceSample;
using model::Metric;
using model::Reading;

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

// A GPU without memory of its own has nothing to say of it.
bool shares_memory(const DeviceSample& now) {
  return now.at(Metric::kUnifiedMemory) == Reading::of(1);
}

// The one counter that an instance has of its own.
nvmlReturn_t give_instance_ecc(const DeviceSample& now, std::size_t index,
                               nvmlMemoryErrorType_t type, nvmlEccCounterType_t counter,
                               nvmlMemoryLocation_t location, unsigned long long* count) {
  if (index >= now.mig_instances.size()) return NVML_ERROR_NOT_FOUND;
  if (type != NVML_MEMORY_ERROR_TYPE_UNCORRECTED || counter != NVML_VOLATILE_ECC ||
      location != NVML_MEMORY_LOCATION_SRAM) {
    return NVML_ERROR_NOT_SUPPORTED;
  }
  const Metric metric = Metric::kMigEccUncorrected;
  return give_reading(metric, now.mig_instances[index].row[column(metric)], count);
}

}  // namespace

extern "C" {

GPUSCOPE_READING(nvmlDeviceGetDefaultEccMode, nvmlEnableState_t, Metric::kEccMode)
GPUSCOPE_READING(nvmlDeviceGetRetiredPagesPendingStatus, nvmlEnableState_t,
                 Metric::kRetiredPagesPending)

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
      if (shares_memory(now)) return NVML_ERROR_NOT_SUPPORTED;
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
      if (shares_memory(now)) return NVML_ERROR_NOT_SUPPORTED;
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
  return entry.any_device(device, [&](Session&, Gpu& gpu, const auto& mig) {
    if (location >= NVML_MEMORY_LOCATION_COUNT) return NVML_ERROR_INVALID_ARGUMENT;
    if (mig) {
      return gpu.sample([&](const DeviceSample& now, base::WallTime) {
        return give_instance_ecc(now, *mig, type, counter, location, count);
      });
    }
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

}  // extern "C"

}  // namespace gpuscope::simulated
