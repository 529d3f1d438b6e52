// NVML's profiling metrics (GPM): what a GPU of the Hopper generation or newer did between two
// samples.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "answers.h"
#include "base/mutex.h"
#include "driver.h"

namespace gpuscope::simulated {
namespace {

using model::DeviceSample;
using model::Metric;
using model::Reading;

// A moment of one GPU, or of one instance of it.
struct Moment {
  std::size_t gpu = 0;
  std::optional<unsigned int> instance;  // of the GPU, by NVML's id
  base::WallTime time{};
};

// All buffers that callers hold; a handle is the address of one.
class Moments {
 public:
  static Moments& instance() {
    static auto* const moments = new Moments;
    return *moments;
  }
  nvmlGpmSample_t add() EXCLUDES(mutex_) {
    const base::MutexLock lock(mutex_);
    all_.push_back(std::make_unique<std::optional<Moment>>());
    return handle(all_.back());
  }
  bool remove(nvmlGpmSample_t sample) EXCLUDES(mutex_) {
    const base::MutexLock lock(mutex_);
    return std::erase_if(all_, [&](const auto& one) { return handle(one) == sample; }) > 0;
  }
  bool set(nvmlGpmSample_t sample, const Moment& moment) EXCLUDES(mutex_) {
    const base::MutexLock lock(mutex_);
    const auto found = std::ranges::find(all_, sample, handle);
    if (found == all_.end()) return false;
    **found = moment;
    return true;
  }
  // Nothing for what is no buffer, or holds no sample yet.
  std::optional<Moment> get(nvmlGpmSample_t sample) EXCLUDES(mutex_) {
    const base::MutexLock lock(mutex_);
    const auto found = std::ranges::find(all_, sample, handle);
    return found == all_.end() ? std::nullopt : **found;
  }

 private:
  using Buffer = std::unique_ptr<std::optional<Moment>>;
  static nvmlGpmSample_t handle(const Buffer& buffer) {
    return reinterpret_cast<nvmlGpmSample_t>(buffer.get());
  }

  base::Mutex mutex_;
  std::vector<Buffer> all_ GUARDED_BY(mutex_);
};

// What is averaged over the steps between two moments.
struct Averaged {
  nvmlGpmMetricId_t id;
  Metric of_gpu;
  std::optional<Metric> of_instance;
  double factor;  // the catalogue's scale to NVML's percent, or MiB/s
};
constexpr double kHundredth = 0.01;
constexpr double kMebibyte = 1024.0 * 1024.0;
constexpr std::array kAveraged{
    Averaged{NVML_GPM_METRIC_GRAPHICS_UTIL, Metric::kGraphicsEngineActivity,
             Metric::kMigGraphicsEngineActivity, kHundredth},
    Averaged{NVML_GPM_METRIC_SM_UTIL, Metric::kSmActivity, Metric::kMigSmActivity, kHundredth},
    Averaged{NVML_GPM_METRIC_SM_OCCUPANCY, Metric::kSmOccupancy, Metric::kMigSmOccupancy,
             kHundredth},
    Averaged{NVML_GPM_METRIC_ANY_TENSOR_UTIL, Metric::kTensorActivity, Metric::kMigTensorActivity,
             kHundredth},
    Averaged{NVML_GPM_METRIC_DRAM_BW_UTIL, Metric::kDramActivity, Metric::kMigDramActivity,
             kHundredth},
    Averaged{NVML_GPM_METRIC_FP64_UTIL, Metric::kFp64Activity, Metric::kMigFp64Activity,
             kHundredth},
    Averaged{NVML_GPM_METRIC_FP32_UTIL, Metric::kFp32Activity, Metric::kMigFp32Activity,
             kHundredth},
    Averaged{NVML_GPM_METRIC_FP16_UTIL, Metric::kFp16Activity, Metric::kMigFp16Activity,
             kHundredth},
    Averaged{NVML_GPM_METRIC_PCIE_TX_PER_SEC, Metric::kPcieTx, std::nullopt, 1 / kMebibyte},
    Averaged{NVML_GPM_METRIC_PCIE_RX_PER_SEC, Metric::kPcieRx, std::nullopt, 1 / kMebibyte},
};

// One metric's reading at one instant, in the catalogue's scale.
Reading reading_at(const DeviceSample& now, const Averaged& row,
                   const std::optional<unsigned int>& instance) {
  if (!instance) return now.at(row.of_gpu);
  const auto found =
      std::ranges::find(now.mig_instances, *instance, &model::MigInstance::gpu_instance_id);
  if (found == now.mig_instances.end() || !row.of_instance) {
    return Reading::none(model::Absence::kUnsupported);
  }
  return found->row[column(*row.of_instance)];
}

// The mean over at most so many instants between the two moments.
constexpr std::int64_t kMostInstants = 20;

void average(const Session& session, const Moment& begin, const Moment& end,
             nvmlGpmMetricsGet_t& request) {
  thread_local DeviceSample now;
  const std::int64_t steps =
      std::max<std::int64_t>((end.time - begin.time) / device::sim::kStep, 1);
  const std::int64_t stride = (steps + kMostInstants - 1) / kMostInstants;
  for (unsigned int i = 0; i < request.numMetrics; ++i) {
    request.metrics[i].value = 0;
    request.metrics[i].nvmlReturn = NVML_ERROR_NOT_SUPPORTED;
  }
  std::int64_t counted = 0;
  for (std::int64_t step = 0; step < steps; step += stride, ++counted) {
    session.machine.read(begin.gpu, end.time - step * device::sim::kStep, now);
    for (unsigned int i = 0; i < request.numMetrics; ++i) {
      nvmlGpmMetric_t& metric = request.metrics[i];
      const auto* row = std::ranges::find(kAveraged, metric.metricId, &Averaged::id);
      if (row == kAveraged.end()) continue;
      const Reading reading = reading_at(now, *row, begin.instance);
      metric.nvmlReturn = error_of(reading.absence);
      metric.value += static_cast<double>(reading.value) * row->factor;
    }
  }
  for (unsigned int i = 0; i < request.numMetrics; ++i) {
    request.metrics[i].value /= static_cast<double>(counted);
  }
}

// NVLink's rates are what its counters did in between.
void count_links(const Session& session, const Moment& begin, const Moment& end,
                 nvmlGpmMetricsGet_t& request) {
  thread_local DeviceSample first;
  thread_local DeviceSample last;
  session.machine.read(begin.gpu, begin.time, first);
  session.machine.read(begin.gpu, end.time, last);
  const double seconds = std::chrono::duration<double>(end.time - begin.time).count();
  for (unsigned int i = 0; i < request.numMetrics; ++i) {
    nvmlGpmMetric_t& metric = request.metrics[i];
    const bool sent = metric.metricId == NVML_GPM_METRIC_NVLINK_TOTAL_TX_PER_SEC;
    if (!sent && metric.metricId != NVML_GPM_METRIC_NVLINK_TOTAL_RX_PER_SEC) continue;
    const Metric total = sent ? Metric::kNvlinkTx : Metric::kNvlinkRx;
    metric.nvmlReturn =
        begin.instance ? NVML_ERROR_NOT_SUPPORTED : error_of(last.at(total).absence);
    const auto bytes = static_cast<double>(last.at(total).value - first.at(total).value);
    metric.value = seconds > 0 ? bytes / kMebibyte / seconds : 0;
  }
}

nvmlReturn_t take(Gpu& gpu, std::optional<unsigned int> instance, nvmlGpmSample_t sample) {
  if (!gpu.has_gpm()) return NVML_ERROR_NOT_SUPPORTED;
  return gpu.sample([&](const DeviceSample& now, base::WallTime time) {
    if (instance &&
        std::ranges::find(now.mig_instances, *instance, &model::MigInstance::gpu_instance_id) ==
            now.mig_instances.end()) {
      return NVML_ERROR_INVALID_ARGUMENT;
    }
    const Moment moment{.gpu = gpu.index(), .instance = instance, .time = time};
    return Moments::instance().set(sample, moment) ? NVML_SUCCESS : NVML_ERROR_INVALID_ARGUMENT;
  });
}

}  // namespace

extern "C" {

nvmlReturn_t nvmlGpmQueryDeviceSupport(nvmlDevice_t device, nvmlGpmSupport_t* support) {
  static const Entry entry{__func__};
  return entry.device(device, [&](const Gpu& gpu) {
    if (support == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    if (support->version != NVML_GPM_SUPPORT_VERSION) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    support->isSupportedDevice = gpu.has_gpm() ? 1 : 0;
    return NVML_SUCCESS;
  });
}
nvmlReturn_t nvmlGpmSampleAlloc(nvmlGpmSample_t* sample) {
  static const Entry entry{__func__};
  return entry.system([&](Session&) {
    if (sample == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    *sample = Moments::instance().add();
    return NVML_SUCCESS;
  });
}
nvmlReturn_t nvmlGpmSampleFree(nvmlGpmSample_t sample) {
  static const Entry entry{__func__};
  return entry.system([&](Session&) {
    return Moments::instance().remove(sample) ? NVML_SUCCESS : NVML_ERROR_INVALID_ARGUMENT;
  });
}
nvmlReturn_t nvmlGpmSampleGet(nvmlDevice_t device, nvmlGpmSample_t sample) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu& gpu) { return take(gpu, std::nullopt, sample); });
}
nvmlReturn_t nvmlGpmMigSampleGet(nvmlDevice_t device, unsigned int gpu_instance,
                                 nvmlGpmSample_t sample) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu& gpu) { return take(gpu, gpu_instance, sample); });
}
nvmlReturn_t nvmlGpmMetricsGet(nvmlGpmMetricsGet_t* metrics) {
  static const Entry entry{__func__};
  return entry.system([&](const Session& session) {
    if (metrics == nullptr || metrics->numMetrics > NVML_GPM_METRIC_MAX) {
      return NVML_ERROR_INVALID_ARGUMENT;
    }
    if (metrics->version != NVML_GPM_METRICS_GET_VERSION) {
      return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    }
    const auto begin = Moments::instance().get(metrics->sample1);
    const auto end = Moments::instance().get(metrics->sample2);
    if (!begin || !end || begin->gpu != end->gpu || begin->instance != end->instance ||
        begin->time > end->time || begin->gpu >= session.gpus.size()) {
      return NVML_ERROR_INVALID_ARGUMENT;
    }
    average(session, *begin, *end, *metrics);
    count_links(session, *begin, *end, *metrics);
    return NVML_SUCCESS;
  });
}

}  // extern "C"

}  // namespace gpuscope::simulated
