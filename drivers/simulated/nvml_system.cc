// NVML's functions that are about the driver, and those that find a device.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "answers.h"
#include "driver.h"

// By it a program can know, without calling anything, that no GPU behind this library is real.
extern "C" const char* const gpuscope_simulated_driver = GPUSCOPE_VERSION;

namespace gpuscope::simulated {
namespace {

using model::Fact;

struct ErrorText {
  nvmlReturn_t code;
  const char* text;
};
// The words that the real library has for them, which scripts look for.
constexpr std::array<ErrorText, 31> kErrorTexts{{
    {NVML_SUCCESS, "Success"},
    {NVML_ERROR_UNINITIALIZED, "Uninitialized"},
    {NVML_ERROR_INVALID_ARGUMENT, "Invalid Argument"},
    {NVML_ERROR_NOT_SUPPORTED, "Not Supported"},
    {NVML_ERROR_NO_PERMISSION, "Insufficient Permissions"},
    {NVML_ERROR_ALREADY_INITIALIZED, "Already Initialized"},
    {NVML_ERROR_NOT_FOUND, "Not Found"},
    {NVML_ERROR_INSUFFICIENT_SIZE, "Insufficient Size"},
    {NVML_ERROR_INSUFFICIENT_POWER, "Insufficient External Power"},
    {NVML_ERROR_DRIVER_NOT_LOADED, "Driver Not Loaded"},
    {NVML_ERROR_TIMEOUT, "Timeout"},
    {NVML_ERROR_IRQ_ISSUE, "Interrupt Request Issue"},
    {NVML_ERROR_LIBRARY_NOT_FOUND, "NVML Shared Library Not Found"},
    {NVML_ERROR_FUNCTION_NOT_FOUND, "Function Not Found"},
    {NVML_ERROR_CORRUPTED_INFOROM, "Corrupted infoROM"},
    {NVML_ERROR_GPU_IS_LOST, "GPU is lost"},
    {NVML_ERROR_RESET_REQUIRED, "GPU requires reset"},
    {NVML_ERROR_OPERATING_SYSTEM, "GPU access blocked by the operating system"},
    {NVML_ERROR_LIB_RM_VERSION_MISMATCH, "Driver/library version mismatch"},
    {NVML_ERROR_IN_USE, "In use by another client"},
    {NVML_ERROR_MEMORY, "Insufficient Memory"},
    {NVML_ERROR_NO_DATA, "No data"},
    {NVML_ERROR_VGPU_ECC_NOT_SUPPORTED, "vGPU is not supported with ECC Enabled"},
    {NVML_ERROR_INSUFFICIENT_RESOURCES, "Insufficient Resources"},
    {NVML_ERROR_FREQ_NOT_SUPPORTED, "Frequency Not Supported"},
    {NVML_ERROR_ARGUMENT_VERSION_MISMATCH, "Argument Version Mismatch"},
    {NVML_ERROR_DEPRECATED, "Deprecated"},
    {NVML_ERROR_NOT_READY, "Not Ready"},
    {NVML_ERROR_GPU_NOT_FOUND, "GPU not found"},
    {NVML_ERROR_INVALID_STATE, "Invalid State"},
    {NVML_ERROR_UNKNOWN, "Unknown Error"},
}};

// "12.0" is 12000, "12.4" is 12040.
int cuda_version(std::string_view text) {
  constexpr int kMajor = 1000;
  constexpr int kMinor = 10;
  int major = 0;
  int minor = 0;
  const char* begin = text.data();
  const char* end = begin + text.size();
  const auto first = std::from_chars(begin, end, major);
  if (first.ptr < end && *first.ptr == '.') std::from_chars(first.ptr + 1, end, minor);
  return major * kMajor + minor * kMinor;
}

using Index = std::optional<std::size_t>;

nvmlReturn_t find_by_fact(const Entry& entry, Fact fact, const char* wanted, nvmlDevice_t* device) {
  if (wanted == nullptr) device = nullptr;
  return entry.search(device, NVML_ERROR_NOT_FOUND, [&](const Session& session) -> Index {
    for (const auto& gpu : session.gpus) {
      if (gpu->info().fact(fact).value == wanted) return gpu->index();
    }
    return std::nullopt;
  });
}

// The domain may have four digits, eight, or be left out, in either case.
bool same_bus_id(std::string_view mine, std::string_view wanted) {
  if (wanted.size() > mine.size() || wanted.empty()) return false;
  const std::string_view zeros = mine.substr(0, mine.size() - wanted.size());
  constexpr std::string_view kNoDomain = "00000000:";
  const auto lower = [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c; };
  return kNoDomain.starts_with(zeros) &&
         std::ranges::equal(mine.substr(zeros.size()), wanted, {}, lower, lower);
}

nvmlReturn_t find_by_bus_id(const Entry& entry, const char* wanted, nvmlDevice_t* device) {
  if (wanted == nullptr) device = nullptr;
  return entry.search(device, NVML_ERROR_NOT_FOUND, [&](const Session& session) -> Index {
    for (const auto& gpu : session.gpus) {
      if (same_bus_id(gpu->info().fact(Fact::kPciBusId).value, wanted)) return gpu->index();
    }
    return std::nullopt;
  });
}

nvmlReturn_t find_by_index(const Entry& entry, unsigned int index, nvmlDevice_t* device) {
  return entry.search(device, NVML_ERROR_INVALID_ARGUMENT, [&](const Session& session) -> Index {
    return index < session.gpus.size() ? Index(index) : std::nullopt;
  });
}

nvmlReturn_t give_count(const Entry& entry, unsigned int* count) {
  return entry.system([&](Session& session) {
    return give(static_cast<unsigned int>(session.gpus.size()), count);
  });
}

nvmlReturn_t give_system_fact(const Entry& entry, Fact fact, char* out, unsigned int length) {
  return entry.system(
      [&](Session& session) { return give_fact(*session.gpus.front(), fact, out, length); });
}

nvmlReturn_t give_cuda_version(const Entry& entry, int* version) {
  return entry.system([&](Session& session) {
    return give(cuda_version(session.machine.info(0).fact(Fact::kCudaVersion).value), version);
  });
}

// Its name, if a process of this number runs on this GPU.
bool process_name(Gpu& gpu, unsigned int pid, std::string& name) {
  return gpu.sample([&](const model::DeviceSample& now, base::WallTime) {
    const auto process = std::ranges::find(now.processes, pid, &model::Process::pid);
    if (process == now.processes.end()) return false;
    name = process->name;
    return true;
  });
}

}  // namespace

extern "C" {

nvmlReturn_t nvmlInit() {
  static const Entry entry{__func__};
  return entry.init();
}
nvmlReturn_t nvmlInit_v2() {
  static const Entry entry{__func__};
  return entry.init();
}
nvmlReturn_t nvmlInitWithFlags(unsigned int /*flags*/) {
  static const Entry entry{__func__};
  return entry.init();
}
nvmlReturn_t nvmlShutdown() {
  static const Entry entry{__func__};
  return entry.shutdown();
}

const char* nvmlErrorString(nvmlReturn_t code) {
  const auto* known = std::ranges::find(kErrorTexts, code, &ErrorText::code);
  return known == kErrorTexts.end() ? "Unknown Error" : known->text;
}

nvmlReturn_t nvmlSystemGetDriverVersion(char* version, unsigned int length) {
  static const Entry entry{__func__};
  return give_system_fact(entry, Fact::kDriverVersion, version, length);
}
nvmlReturn_t nvmlSystemGetNVMLVersion(char* version, unsigned int length) {
  static const Entry entry{__func__};
  return give_system_fact(entry, Fact::kNvmlVersion, version, length);
}
nvmlReturn_t nvmlSystemGetCudaDriverVersion(int* version) {
  static const Entry entry{__func__};
  return give_cuda_version(entry, version);
}
nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int* version) {
  static const Entry entry{__func__};
  return give_cuda_version(entry, version);
}

nvmlReturn_t nvmlSystemGetProcessName(unsigned int pid, char* name, unsigned int length) {
  static const Entry entry{__func__};
  return entry.system([&](Session& session) {
    if (name == nullptr || length == 0) return NVML_ERROR_INVALID_ARGUMENT;
    std::string found;
    for (const auto& gpu : session.gpus) {
      if (process_name(*gpu, pid, found)) {
        // Cut to fit, as the real one does.
        return give_text(std::string_view(found).substr(0, length - 1), name, length);
      }
    }
    return NVML_ERROR_NOT_FOUND;
  });
}

nvmlReturn_t nvmlSystemGetTopologyGpuSet(unsigned int /*cpu*/, unsigned int* count,
                                         nvmlDevice_t* set) {
  static const Entry entry{__func__};
  return entry.system([&](Session& session) {
    if (count == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    const auto all = static_cast<unsigned int>(session.gpus.size());
    for (unsigned int i = 0; set != nullptr && i < std::min(all, *count); ++i) {
      set[i] = make_handle({.gpu = i, .mig = std::nullopt});
    }
    *count = all;
    return NVML_SUCCESS;
  });
}

nvmlReturn_t nvmlGetExcludedDeviceCount(unsigned int* count) {
  static const Entry entry{__func__};
  return entry.system([&](Session&) { return give(0U, count); });
}
nvmlReturn_t nvmlUnitGetCount(unsigned int* count) {
  static const Entry entry{__func__};
  return entry.system([&](Session&) { return give(0U, count); });
}

nvmlReturn_t nvmlDeviceGetCount(unsigned int* count) {
  static const Entry entry{__func__};
  return give_count(entry, count);
}
nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int* count) {
  static const Entry entry{__func__};
  return give_count(entry, count);
}
nvmlReturn_t nvmlDeviceGetHandleByIndex(unsigned int index, nvmlDevice_t* device) {
  static const Entry entry{__func__};
  return find_by_index(entry, index, device);
}
nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t* device) {
  static const Entry entry{__func__};
  return find_by_index(entry, index, device);
}
nvmlReturn_t nvmlDeviceGetHandleBySerial(const char* serial, nvmlDevice_t* device) {
  static const Entry entry{__func__};
  return find_by_fact(entry, Fact::kSerial, serial, device);
}
nvmlReturn_t nvmlDeviceGetHandleByUUID(const char* uuid, nvmlDevice_t* device) {
  static const Entry entry{__func__};
  return find_by_fact(entry, Fact::kUuid, uuid, device);
}
nvmlReturn_t nvmlDeviceGetHandleByPciBusId(const char* bus_id, nvmlDevice_t* device) {
  static const Entry entry{__func__};
  return find_by_bus_id(entry, bus_id, device);
}
nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char* bus_id, nvmlDevice_t* device) {
  static const Entry entry{__func__};
  return find_by_bus_id(entry, bus_id, device);
}

}  // extern "C"

}  // namespace gpuscope::simulated
