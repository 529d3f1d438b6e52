#include "device/sim/mig.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "device/sim/card.h"
#include "device/sim/noise.h"

namespace gpuscope::device::sim {
namespace {

using model::Absence;
using model::Metric;
using model::Reading;

constexpr std::uint64_t kUuid = 106;            // a channel of its own, beside those of gpu.cc
constexpr std::uint32_t kFirstGpuInstance = 7;  // as the smallest profile numbers them

// What an instance has of the GPU's own activity.
constexpr std::array kActivities{
    std::pair{Metric::kMigGraphicsEngineActivity, Metric::kGraphicsEngineActivity},
    std::pair{Metric::kMigSmActivity, Metric::kSmActivity},
    std::pair{Metric::kMigSmOccupancy, Metric::kSmOccupancy},
    std::pair{Metric::kMigTensorActivity, Metric::kTensorActivity},
    std::pair{Metric::kMigFp64Activity, Metric::kFp64Activity},
    std::pair{Metric::kMigFp32Activity, Metric::kFp32Activity},
    std::pair{Metric::kMigFp16Activity, Metric::kFp16Activity},
    std::pair{Metric::kMigDramActivity, Metric::kDramActivity},
};

void name(const Gpu& gpu, std::size_t index, std::int64_t total_mib, model::MigInstance& instance) {
  const std::uint64_t hash = mix(mix(gpu.seed, kUuid), index);
  instance.uuid =
      fmt::format("MIG-{:08x}-{:04x}-5{:03x}-8{:03x}-{:012x}", hash >> 32U, hash & 0xffffU,
                  (hash >> 16U) & 0xfffU, hash & 0xfffU, mix(hash, 1) & 0xffff'ffff'ffffU);
  instance.profile = fmt::format("1g.{}gb", std::max<std::int64_t>((total_mib + 512) / 1024, 1));
}

}  // namespace

void read_mig(const Gpu& gpu, model::DeviceSample& out) {
  const CardModel& card = gpu.card->model;
  const auto count = static_cast<std::size_t>(card.mig_instances);
  out.mig_instances.resize(count);
  if (count == 0) return;
  // Eighths of the memory, as the smallest profile has them; one eighth stays unused.
  const std::int64_t total = memory_total_mib(card) / 8;
  const std::int64_t used = out.at(Metric::kMemoryUsed).value / kMib / (card.mig_instances + 1);
  for (std::size_t i = 0; i < count; ++i) {
    model::MigInstance& instance = out.mig_instances[i];
    instance.gpu_instance_id = kFirstGpuInstance + static_cast<std::uint32_t>(i);
    instance.compute_instance_id = 0;
    if (instance.uuid.empty()) name(gpu, i, total, instance);
    const auto put = [&](Metric metric, std::int64_t value) {
      instance.row[column(metric)] = Reading::of(value);
    };
    put(Metric::kMigMemoryUsed, std::min(used, total) * kMib);
    put(Metric::kMigMemoryFree, (total - std::min(used, total)) * kMib);
    put(Metric::kMigMemoryTotal, total * kMib);
    // No two tenants work alike; together they make what the GPU does.
    const auto share =
        100 - static_cast<std::int64_t>(10 * i) + 5 * (static_cast<std::int64_t>(count) - 1);
    for (const auto& [own, whole] : kActivities) {
      put(own, std::min<std::int64_t>(out.at(whole).value * share / 100, 10'000));
    }
    put(Metric::kMigEccUncorrected, 0);
  }
}

void withhold_for_mig(const Gpu& gpu, model::DeviceSample& out) {
  if (gpu.card->model.mig_instances == 0) return;
  const Reading none = Reading::none(Absence::kUnsupported);
  for (const Metric metric :
       {Metric::kGpuUtilization, Metric::kMemoryUtilization, Metric::kEncoderUtilization,
        Metric::kDecoderUtilization, Metric::kJpegUtilization, Metric::kOfaUtilization}) {
    out.at(metric) = none;
  }
  for (model::Process& process : out.processes) {
    for (const Metric metric :
         {Metric::kProcessSmUtilization, Metric::kProcessMemoryUtilization,
          Metric::kProcessEncoderUtilization, Metric::kProcessDecoderUtilization}) {
      process.row[column(metric)] = none;
    }
  }
}

}  // namespace gpuscope::device::sim
