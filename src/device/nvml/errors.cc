#include "device/nvml/errors.h"

#include <fmt/format.h>

namespace gpuscope::device::nvml {

using base::ErrorKind;
using model::Absence;

Absence absence_of(nvmlReturn_t code) {
  switch (code) {
    case NVML_SUCCESS:
      return Absence::kPresent;
    case NVML_ERROR_NOT_SUPPORTED:
    case NVML_ERROR_FUNCTION_NOT_FOUND:
    case NVML_ERROR_ARGUMENT_VERSION_MISMATCH:
    case NVML_ERROR_DEPRECATED:
      return Absence::kUnsupported;
    case NVML_ERROR_NO_PERMISSION:
      return Absence::kDenied;
    case NVML_ERROR_TIMEOUT:
      return Absence::kTimedOut;
    case NVML_ERROR_GPU_IS_LOST:
    case NVML_ERROR_GPU_NOT_FOUND:
      return Absence::kGone;
    default:
      return Absence::kFailed;
  }
}

bool device_gone(nvmlReturn_t code) { return absence_of(code) == Absence::kGone; }

bool driver_gone(nvmlReturn_t code) {
  return code == NVML_ERROR_UNINITIALIZED || code == NVML_ERROR_DRIVER_NOT_LOADED ||
         code == NVML_ERROR_LIB_RM_VERSION_MISMATCH;
}

base::Error init_error(nvmlReturn_t code, std::string_view library) {
  const auto error = [&](ErrorKind kind, std::string_view why) {
    return base::Error{kind, fmt::format("cannot use NVML ({}): {}", library, why)};
  };
  switch (code) {
    case NVML_ERROR_DRIVER_NOT_LOADED:
      return error(
          ErrorKind::kUnavailable,
          "the NVIDIA kernel driver is not loaded; load it (modprobe nvidia), or start the "
          "container with GPU access");
    case NVML_ERROR_LIB_RM_VERSION_MISMATCH:
      return error(ErrorKind::kUnavailable,
                   "the library and the loaded kernel driver differ in version; reload the driver "
                   "or reboot");
    case NVML_ERROR_NO_PERMISSION:
      return error(ErrorKind::kPermissionDenied,
                   "no permission to talk to the driver; allow this user to read and write "
                   "/dev/nvidiactl and /dev/nvidia*");
    case NVML_ERROR_LIBRARY_NOT_FOUND:
      return error(ErrorKind::kUnavailable,
                   "it misses a library of its own; install the driver's user-space packages of "
                   "one version");
    case NVML_ERROR_FUNCTION_NOT_FOUND:
      return error(ErrorKind::kUnavailable,
                   "it is not an NVML library, or one too old; install the driver's own");
    case NVML_ERROR_OPERATING_SYSTEM:
      return error(ErrorKind::kUnavailable,
                   "the operating system blocks the GPU (a cgroup or a sandbox); give the "
                   "container access to the GPU devices");
    case NVML_ERROR_IRQ_ISSUE:
      return error(ErrorKind::kUnavailable,
                   "a GPU has trouble with its interrupts; check its external power and the kernel "
                   "log");
    case NVML_ERROR_GPU_IS_LOST:
      return error(ErrorKind::kUnavailable, "a GPU has fallen off the bus; reboot the machine");
    case NVML_ERROR_RESET_REQUIRED:
      return error(ErrorKind::kUnavailable, "a GPU needs a reset (nvidia-smi --gpu-reset)");
    case NVML_ERROR_INVALID_ARGUMENT:
      return error(ErrorKind::kInvalidArgument,
                   "it refused its settings; a simulated driver says why on stderr");
    default:
      return error(ErrorKind::kUnavailable,
                   fmt::format("it failed with error {}; see the kernel log for lines of NVRM",
                               static_cast<int>(code)));
  }
}

}  // namespace gpuscope::device::nvml
