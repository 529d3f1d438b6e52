#include "device/nvml/library.h"

#include <array>
#include <filesystem>
#include <system_error>

#include <dlfcn.h>
#include <fmt/format.h>

#include "device/nvml/errors.h"

namespace gpuscope::device::nvml {
namespace {

using base::ErrorKind;

template <typename Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
}

Functions find_functions(void* library) {
  Functions found;
#define GPUSCOPE_NVML_FIND(name) find(library, #name, found.name);
  GPUSCOPE_NVML_FUNCTIONS(GPUSCOPE_NVML_FIND)
#undef GPUSCOPE_NVML_FIND
  return found;
}

}  // namespace

bool kernel_driver_present(const std::string& root) {
  // The last two are WSL's paravirtual GPU and the driver of NVIDIA's integrated GPUs.
  static constexpr std::array<const char*, 5> kSigns{"proc/driver/nvidia/version", "dev/nvidiactl",
                                                     "sys/module/nvidia", "dev/dxg",
                                                     "sys/module/nvgpu"};
  for (const char* sign : kSigns) {
    std::error_code ignored;
    if (std::filesystem::exists(std::filesystem::path(root) / sign, ignored)) return true;
  }
  return false;
}

base::Result<std::shared_ptr<const Session>> Session::open(const Options& options) {
  // Never closed: NVML leaves threads and handlers behind, and a stuck call runs inside it.
  void* library = dlopen(options.library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* why = dlerror();
    return base::fail(ErrorKind::kUnavailable,
                      fmt::format("cannot load {}: {}; install the NVIDIA driver, or start the "
                                  "container with GPU access",
                                  options.library, why == nullptr ? "unknown reason" : why));
  }
  auto session = std::shared_ptr<Session>(new Session);
  session->functions_ = find_functions(library);
  session->simulated_ = dlsym(library, "gpuscope_simulated_driver") != nullptr;
  // The real library, as root and without a driver, would leave a dead /dev/nvidiactl behind.
  if (!session->simulated_ && !kernel_driver_present(options.root)) {
    return std::unexpected(init_error(NVML_ERROR_DRIVER_NOT_LOADED, options.library));
  }
  const Functions& nvml = session->functions_;
  auto* init = nvml.nvmlInit_v2 != nullptr ? nvml.nvmlInit_v2 : nvml.nvmlInit;
  const nvmlReturn_t code = init != nullptr ? init() : NVML_ERROR_FUNCTION_NOT_FOUND;
  if (code != NVML_SUCCESS) return std::unexpected(init_error(code, options.library));
  session->initialised_ = true;
  return session;
}

Session::~Session() {
  if (initialised_ && functions_.nvmlShutdown != nullptr) functions_.nvmlShutdown();
}

}  // namespace gpuscope::device::nvml
