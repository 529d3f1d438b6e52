#include "device/nvml/gpm.h"

#include <chrono>
#include <cmath>
#include <utility>

#include "device/nvml/errors.h"
#include "device/nvml/percent.h"
#include "model/catalog.h"

namespace gpuscope::device::nvml {
namespace {

using model::Absence;
using model::Metric;
using model::Reading;

// Percents have two decimals; rates are MiB/s here and bytes a second there.
constexpr double kMebibyte = 1024.0 * 1024.0;
constexpr std::chrono::milliseconds kShortest{50};

constexpr GpmRow row(nvmlGpmMetricId_t id, Metric metric, double factor = kPercent) {
  return {id, model::column(metric), factor};
}

constexpr std::array kGpuRows{
    row(NVML_GPM_METRIC_GRAPHICS_UTIL, Metric::kGraphicsEngineActivity),
    row(NVML_GPM_METRIC_SM_UTIL, Metric::kSmActivity),
    row(NVML_GPM_METRIC_SM_OCCUPANCY, Metric::kSmOccupancy),
    row(NVML_GPM_METRIC_ANY_TENSOR_UTIL, Metric::kTensorActivity),
    row(NVML_GPM_METRIC_FP64_UTIL, Metric::kFp64Activity),
    row(NVML_GPM_METRIC_FP32_UTIL, Metric::kFp32Activity),
    row(NVML_GPM_METRIC_FP16_UTIL, Metric::kFp16Activity),
    row(NVML_GPM_METRIC_DRAM_BW_UTIL, Metric::kDramActivity),
    row(NVML_GPM_METRIC_NVLINK_TOTAL_TX_PER_SEC, Metric::kNvlinkTxRate, kMebibyte),
    row(NVML_GPM_METRIC_NVLINK_TOTAL_RX_PER_SEC, Metric::kNvlinkRxRate, kMebibyte),
    // Last: a GPU whose PCIe counters are read as fields does without these.
    row(NVML_GPM_METRIC_PCIE_TX_PER_SEC, Metric::kPcieTx, kMebibyte),
    row(NVML_GPM_METRIC_PCIE_RX_PER_SEC, Metric::kPcieRx, kMebibyte),
};
constexpr std::size_t kPcieRows = 2;

constexpr std::array kMigRows{
    row(NVML_GPM_METRIC_GRAPHICS_UTIL, Metric::kMigGraphicsEngineActivity),
    row(NVML_GPM_METRIC_SM_UTIL, Metric::kMigSmActivity),
    row(NVML_GPM_METRIC_SM_OCCUPANCY, Metric::kMigSmOccupancy),
    row(NVML_GPM_METRIC_ANY_TENSOR_UTIL, Metric::kMigTensorActivity),
    row(NVML_GPM_METRIC_FP64_UTIL, Metric::kMigFp64Activity),
    row(NVML_GPM_METRIC_FP32_UTIL, Metric::kMigFp32Activity),
    row(NVML_GPM_METRIC_FP16_UTIL, Metric::kMigFp16Activity),
    row(NVML_GPM_METRIC_DRAM_BW_UTIL, Metric::kMigDramActivity),
};

void set_all(std::span<const GpmRow> rows, std::span<Reading> out, Absence why) {
  for (const GpmRow& one : rows) out[one.column] = Reading::none(why);
}

Reading reading_of(const nvmlGpmMetric_t& metric, double factor) {
  if (metric.nvmlReturn != NVML_SUCCESS) return Reading::none(absence_of(metric.nvmlReturn));
  constexpr double kLimit = 9e18;
  const double value = metric.value * factor;
  if (!(value >= 0 && value < kLimit)) return Reading::none(Absence::kFailed);  // NaN too
  return Reading::of(std::llround(value));
}

}  // namespace

bool gpm_supported(const Functions& nvml, nvmlDevice_t device) {
  if (nvml.nvmlGpmQueryDeviceSupport == nullptr || nvml.nvmlGpmSampleAlloc == nullptr ||
      nvml.nvmlGpmSampleFree == nullptr || nvml.nvmlGpmSampleGet == nullptr ||
      nvml.nvmlGpmMetricsGet == nullptr) {
    return false;
  }
  nvmlGpmSupport_t support{};
  support.version = NVML_GPM_SUPPORT_VERSION;
  return nvml.nvmlGpmQueryDeviceSupport(device, &support) == NVML_SUCCESS &&
         support.isSupportedDevice != 0;
}

std::span<const GpmRow> gpm_rows_of_gpu() { return std::span(kGpuRows); }
std::span<const GpmRow> gpm_rows_without_pcie() {
  return std::span(kGpuRows).first(kGpuRows.size() - kPcieRows);
}
std::span<const GpmRow> gpm_rows_of_mig() { return kMigRows; }

GpmMeter::~GpmMeter() {
  for (nvmlGpmSample_t one : samples_) {
    if (one != nullptr) session_->nvml().nvmlGpmSampleFree(one);
  }
}

nvmlReturn_t GpmMeter::prepare() {
  if (request_ != nullptr) return NVML_SUCCESS;
  for (nvmlGpmSample_t& one : samples_) {
    if (one != nullptr) continue;
    const nvmlReturn_t code = session_->nvml().nvmlGpmSampleAlloc(&one);
    if (code != NVML_SUCCESS) return code;
  }
  request_ = std::make_unique<nvmlGpmMetricsGet_t>();
  return NVML_SUCCESS;
}

nvmlReturn_t GpmMeter::sample(nvmlDevice_t device) {
  const Functions& nvml = session_->nvml();
  if (!gpu_instance_) return nvml.nvmlGpmSampleGet(device, samples_[1]);
  if (nvml.nvmlGpmMigSampleGet == nullptr) return NVML_ERROR_FUNCTION_NOT_FOUND;
  return nvml.nvmlGpmMigSampleGet(device, *gpu_instance_, samples_[1]);
}

void GpmMeter::request(std::span<const GpmRow> rows) {
  request_->version = NVML_GPM_METRICS_GET_VERSION;
  request_->numMetrics = static_cast<unsigned int>(rows.size());
  request_->sample1 = samples_[0];
  request_->sample2 = samples_[1];
  for (std::size_t i = 0; i < rows.size(); ++i) {
    request_->metrics[i] = {};
    request_->metrics[i].metricId = rows[i].id;
  }
}

nvmlReturn_t GpmMeter::read(nvmlDevice_t device, base::WallTime tick, std::span<const GpmRow> rows,
                            std::span<Reading> out, int& calls) {
  // A clock that was set back must not stop anything.
  if (have_ && tick >= taken_ && tick - taken_ < kShortest) return NVML_SUCCESS;
  nvmlReturn_t code = prepare();
  if (code == NVML_SUCCESS) {
    ++calls;
    code = sample(device);
  }
  if (code != NVML_SUCCESS) {
    have_ = false;
    set_all(rows, out, absence_of(code));
    return code;
  }
  taken_ = tick;
  if (!std::exchange(have_, true)) {
    set_all(rows, out, Absence::kNotYet);
  } else {
    request(rows);
    ++calls;
    code = session_->nvml().nvmlGpmMetricsGet(request_.get());
    if (code != NVML_SUCCESS) set_all(rows, out, absence_of(code));
    for (std::size_t i = 0; code == NVML_SUCCESS && i < rows.size(); ++i) {
      out[rows[i].column] = reading_of(request_->metrics[i], rows[i].factor);
    }
  }
  std::swap(samples_[0], samples_[1]);
  return code;
}

}  // namespace gpuscope::device::nvml
