#include "model/naming.h"

#include <array>

namespace gpuscope::model {
namespace {

constexpr std::uint8_t kBytesToMib = 20;

// clang-format off
constexpr std::array kGpuMetricFamilies{
  Family{Metric::kPower, "gpu_power_watts", "power_watts",
         "GPU power consumption in watts"},
  Family{Metric::kTemperature, "gpu_temperature_celsius", "temperature_celsius",
         "GPU temperature in celsius"},
  Family{Metric::kSmClock, "gpu_clock_mhz", "gpu_clock_mhz",
         "GPU clock frequency in MHz"},
  Family{Metric::kMemoryClock, "gpu_memory_clock_mhz", "memory_clock_mhz",
         "GPU memory clock frequency in MHz"},
  Family{Metric::kGpuUtilization, "gpu_utilization_percent", "gpu_utilization_percent",
         "GPU utilization percentage"},
  Family{Metric::kMemoryUtilization, "gpu_memory_utilization_percent", "memory_utilization_percent",
         "GPU memory utilization percentage"},
  Family{Metric::kMemoryUsed, "gpu_memory_used_mib", "memory_used_mib",
         "GPU memory used in MiB", Kind::kGauge, kBytesToMib},
  Family{Metric::kMemoryTotal, "gpu_memory_total_mib", "memory_total_mib",
         "GPU memory total in MiB", Kind::kGauge, kBytesToMib},
  Family{Metric::kMemoryUsagePercent, "gpu_memory_usage_percent", "memory_usage_percent",
         "GPU memory usage percentage"},
  Family{Metric::kFanSpeed, "gpu_fan_speed", "fan_speed",
         "GPU fan speed in rpm"},
  Family{std::nullopt, "gpu_health_status", "health_status_numeric",
         "GPU health status (0=Healthy, 1=Caution, 2=Warning, 3=Critical, 4=Unknown)", Kind::kState},
  Family{Metric::kFanSpeedPercent, "gpu_fan_speed_percent", "fan_speed_percent",
         "GPU fan speed as a percentage of its maximum"},
};
constexpr std::array kGpuMetricLabels{
  Label{"gpu_uuid", LabelSource::kUuid},
  Label{"gpu_index", LabelSource::kIndex},
  Label{"gpu_name", LabelSource::kName},
  Label{"gpu_health", LabelSource::kHealth},
};
// clang-format on

}  // namespace

Naming gpu_metric_naming() { return {kGpuMetricFamilies, kGpuMetricLabels}; }

std::string_view prometheus_type(Kind kind) { return kind == Kind::kCounter ? "counter" : "gauge"; }

int decimals(const Family& family) {
  if (!family.metric) return 0;
  // What is rounded to whole units keeps no digits of the finer one.
  const int own = family.binary_shift == 0 ? info(*family.metric).decimals : 0;
  return own + family.decimal_shift;
}

}  // namespace gpuscope::model
