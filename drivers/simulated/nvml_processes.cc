// NVML's lists of processes and of what they use.
#include <algorithm>
#include <chrono>

#include "answers.h"
#include "driver.h"

namespace gpuscope::simulated {
namespace {

using model::DeviceSample;
using model::Metric;
using model::Process;
using model::ProcessType;

unsigned long long memory_of(const Process& process) {
  const model::Reading& memory = process.row[column(Metric::kProcessMemory)];
  return memory.present() ? static_cast<unsigned long long>(memory.value) : kNvmlMemoryNotAvailable;
}
void describe(const Process& process, nvmlProcessInfo_v1_t& out) {
  out = {.pid = process.pid, .usedGpuMemory = memory_of(process)};
}
void describe(const Process& process, nvmlProcessInfo_t& out) {
  out = {.pid = process.pid,
         .usedGpuMemory = memory_of(process),
         .gpuInstanceId = kNvmlNoInstance,
         .computeInstanceId = kNvmlNoInstance};
}

enum class List { kCompute, kGraphics, kMps };

bool belongs(const Process& process, List list) {
  switch (list) {
    case List::kCompute:
      return process.type != ProcessType::kGraphics;
    case List::kGraphics:
      return process.type != ProcessType::kCompute;
    case List::kMps:
      return false;  // nobody simulates an MPS server
  }
  return false;
}

// Callers of the oldest lists take "not available" for a number, and some abort on it (nvtop 3.0):
// a process whose memory is not known is in the newer lists only.
bool can_say(const Process& process, const nvmlProcessInfo_v1_t* /*infos*/) {
  return memory_of(process) != kNvmlMemoryNotAvailable;
}
bool can_say(const Process& /*process*/, const nvmlProcessInfo_t* /*infos*/) { return true; }

// A list that does not fit is not given in part.
template <typename Info>
nvmlReturn_t give_processes(const Entry& entry, nvmlDevice_t device, List list, unsigned int* count,
                            Info* infos) {
  return entry.device(device, [&](Gpu& gpu) {
    if (count == nullptr || (*count > 0 && infos == nullptr)) return NVML_ERROR_INVALID_ARGUMENT;
    return gpu.sample([&](const DeviceSample& now, base::WallTime) {
      if (now.processes_absence != model::Absence::kPresent) return error_of(now.processes_absence);
      const auto listed = [&](const Process& process) {
        return belongs(process, list) && can_say(process, infos);
      };
      const unsigned int room = *count;
      *count = static_cast<unsigned int>(std::ranges::count_if(now.processes, listed));
      if (*count > room) return NVML_ERROR_INSUFFICIENT_SIZE;
      for (const Process& process : now.processes) {
        if (listed(process)) describe(process, *infos++);
      }
      return NVML_SUCCESS;
    });
  });
}

unsigned int percent(const Process& process, Metric metric) {
  unsigned int value = 0;
  give_reading(metric, process.row[column(metric)], &value);
  return value;
}

void describe(const Process& process, unsigned long long time,
              nvmlProcessUtilizationSample_t& out) {
  out = {.pid = process.pid,
         .timeStamp = time,
         .smUtil = percent(process, Metric::kProcessSmUtilization),
         .memUtil = percent(process, Metric::kProcessMemoryUtilization),
         .encUtil = percent(process, Metric::kProcessEncoderUtilization),
         .decUtil = percent(process, Metric::kProcessDecoderUtilization)};
}
void describe(const Process& process, unsigned long long time,
              nvmlProcessUtilizationInfo_v1_t& out) {
  out = {.timeStamp = time,
         .pid = process.pid,
         .smUtil = percent(process, Metric::kProcessSmUtilization),
         .memUtil = percent(process, Metric::kProcessMemoryUtilization),
         .encUtil = percent(process, Metric::kProcessEncoderUtilization),
         .decUtil = percent(process, Metric::kProcessDecoderUtilization),
         .jpgUtil = 0,
         .ofaUtil = 0};
}

// One sample for each process and step of simulated time, the newest only.
template <typename Sample>
nvmlReturn_t give_utilization(Gpu& gpu, Sample* samples, unsigned int* count,
                              unsigned long long last_seen) {
  return gpu.sample([&](const DeviceSample& now, base::WallTime at) {
    if (now.processes_absence != model::Absence::kPresent) return error_of(now.processes_absence);
    if (!now.mig_instances.empty()) return NVML_ERROR_NOT_SUPPORTED;
    const unsigned int room = *count;
    const auto time = static_cast<unsigned long long>(at.time_since_epoch().count());
    *count = time <= last_seen ? 0 : static_cast<unsigned int>(now.processes.size());
    if (*count == 0) return NVML_ERROR_NOT_FOUND;
    if (samples == nullptr || *count > room) return NVML_ERROR_INSUFFICIENT_SIZE;
    for (const Process& process : now.processes) describe(process, time, *samples++);
    return NVML_SUCCESS;
  });
}

}  // namespace

// NOLINTBEGIN(bugprone-macro-parentheses): a type takes no parentheses.
#define GPUSCOPE_PROCESSES(function, info, list)                                 \
  nvmlReturn_t function(nvmlDevice_t device, unsigned int* count, info* infos) { \
    static const Entry entry{__func__};                                          \
    return give_processes(entry, device, list, count, infos);                    \
  }
// NOLINTEND(bugprone-macro-parentheses)

extern "C" {

GPUSCOPE_PROCESSES(nvmlDeviceGetComputeRunningProcesses, nvmlProcessInfo_v1_t, List::kCompute)
GPUSCOPE_PROCESSES(nvmlDeviceGetComputeRunningProcesses_v2, nvmlProcessInfo_t, List::kCompute)
GPUSCOPE_PROCESSES(nvmlDeviceGetComputeRunningProcesses_v3, nvmlProcessInfo_t, List::kCompute)
GPUSCOPE_PROCESSES(nvmlDeviceGetGraphicsRunningProcesses, nvmlProcessInfo_v1_t, List::kGraphics)
GPUSCOPE_PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v2, nvmlProcessInfo_t, List::kGraphics)
GPUSCOPE_PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v3, nvmlProcessInfo_t, List::kGraphics)
GPUSCOPE_PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses, nvmlProcessInfo_v1_t, List::kMps)
GPUSCOPE_PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses_v2, nvmlProcessInfo_t, List::kMps)
GPUSCOPE_PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses_v3, nvmlProcessInfo_t, List::kMps)

nvmlReturn_t nvmlDeviceGetProcessUtilization(nvmlDevice_t device,
                                             nvmlProcessUtilizationSample_t* samples,
                                             unsigned int* count, unsigned long long last_seen) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu& gpu) {
    if (count == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    return give_utilization(gpu, samples, count, last_seen);
  });
}
nvmlReturn_t nvmlDeviceGetProcessesUtilizationInfo(nvmlDevice_t device,
                                                   nvmlProcessesUtilizationInfo_t* info) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu& gpu) {
    if (info == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    if (info->version != nvmlProcessesUtilizationInfo_v1) {
      return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    }
    return give_utilization(gpu, info->procUtilArray, &info->processSamplesCount,
                            info->lastSeenTimeStamp);
  });
}

}  // extern "C"

#undef GPUSCOPE_PROCESSES

}  // namespace gpuscope::simulated
