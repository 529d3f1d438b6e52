#include "latency.h"

#include <algorithm>
#include <array>
#include <thread>

#include "base/clock.h"
#include "device/nvml/abi.h"

namespace gpuscope::simulated {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

struct Cost {
  std::string_view prefix;  // of the function's name
  nanoseconds time;
};
// Measured by others on real hardware (drivers 535 to 610); what is not here is an ordinary call,
// which projects report at 50 to 100 µs. The first prefix that fits wins.
constexpr std::array<Cost, 11> kCosts{{
    {"nvmlInit", milliseconds(4)},
    {"nvmlShutdown", milliseconds(1)},
    {"nvmlErrorString", nanoseconds(0)},
    {"nvmlDeviceGetHandleBy", milliseconds(6)},
    {"nvmlDeviceGetClockInfo", nanoseconds(500)},
    {"nvmlDeviceGetPcieThroughput", milliseconds(20)},
    {"nvmlDeviceGetProcessUtilization", microseconds(1500)},
    {"nvmlDeviceGetProcessesUtilizationInfo", microseconds(1500)},
    {"nvmlDeviceGetComputeRunningProcesses", microseconds(500)},
    {"nvmlDeviceGetGraphicsRunningProcesses", microseconds(500)},
    {"nvmlDeviceGetMPSComputeRunningProcesses", microseconds(500)},
}};
constexpr nanoseconds kOrdinaryCall = microseconds(75);
constexpr nanoseconds kOrdinaryField = microseconds(3);
constexpr nanoseconds kSleepsFrom = milliseconds(1);

}  // namespace

nanoseconds published_latency(std::string_view function) {
  const auto* cost = std::ranges::find_if(
      kCosts, [&](const Cost& row) { return function.starts_with(row.prefix); });
  return cost == kCosts.end() ? kOrdinaryCall : cost->time;
}

nanoseconds published_field_latency(unsigned int field) {
  switch (field) {
    case NVML_FI_DEV_POWER_AVERAGE:
      return microseconds(3300);
    case NVML_FI_DEV_PCIE_COUNT_TX_BYTES:
    case NVML_FI_DEV_PCIE_COUNT_RX_BYTES:
      return microseconds(300);
    default:
      return kOrdinaryField;
  }
}

void spend(nanoseconds time) {
  if (time <= nanoseconds(0)) return;
  if (time >= kSleepsFrom) {
    std::this_thread::sleep_for(time);
    return;
  }
  const base::SystemClock clock;
  const base::SteadyTime end = clock.steady_now() + time;
  while (clock.steady_now() < end) {
  }
}

}  // namespace gpuscope::simulated
