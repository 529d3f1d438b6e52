#include "device/sim/processes.h"

#include <array>
#include <chrono>
#include <string_view>

#include "device/sim/card.h"
#include "device/sim/noise.h"

namespace gpuscope::device::sim {
namespace {

using model::Absence;
using model::Metric;
using model::Reading;

constexpr std::int64_t kCountSteps = std::chrono::seconds(30) / kStep;
constexpr std::int64_t kTenancySteps = std::chrono::minutes(5) / kStep;

// Short enough that a string holds them without allocating.
constexpr std::array<std::string_view, 8> kNames{"python3", "torchrun", "vllm",    "ollama",
                                                 "blender", "ffmpeg",   "gromacs", "tritonserver"};

enum ProcessChannel : std::uint64_t { kCount = 200, kTenancy };

// One process, until another takes its place: everything about it follows from this number.
std::uint64_t tenant(std::uint64_t seed, std::int64_t step, std::uint64_t slot) {
  const std::uint64_t own = mix(mix(seed, kTenancy), slot);
  // They do not all change at once.
  const auto stagger = static_cast<std::int64_t>(own % kTenancySteps);
  return mix(own, static_cast<std::uint64_t>((step + stagger) / kTenancySteps));
}

std::uint64_t weight(std::uint64_t who) { return 1 + who % 4; }

}  // namespace

void read_processes(const Phase& phase, std::uint64_t seed, std::int64_t step,
                    model::DeviceSample& out) {
  const auto span = static_cast<std::uint64_t>(phase.processes_max - phase.processes_min + 1);
  const std::uint64_t hash = mix(mix(seed, kCount), static_cast<std::uint64_t>(step / kCountSteps));
  const std::uint64_t count = static_cast<std::uint64_t>(phase.processes_min) + hash % span;
  out.processes.resize(count);
  out.processes_absence = Absence::kPresent;
  out.at(Metric::kComputeProcesses) = Reading::of(static_cast<std::int64_t>(count));
  std::uint64_t weights = 0;
  for (std::uint64_t slot = 0; slot < count; ++slot) weights += weight(tenant(seed, step, slot));
  for (std::uint64_t slot = 0; slot < count; ++slot) {
    const std::uint64_t who = tenant(seed, step, slot);
    model::Process& process = out.processes[slot];
    // Below the kernel's 4194304, and never twice on one GPU.
    process.pid = static_cast<std::uint32_t>(1000 + who / 64 % 260'000 * kMaxProcesses + slot);
    process.type = model::ProcessType::kCompute;
    process.name = kNames[who / 8 % kNames.size()];
    const auto share = [&](Metric of) {
      const Reading& whole = out.at(of);
      const auto part = static_cast<std::int64_t>(weight(who));
      return whole.value / static_cast<std::int64_t>(weights) * part;
    };
    const bool tells = who / 1024 % 5 != 0;
    process.row[column(Metric::kProcessMemory)] =
        tells ? Reading::of(share(Metric::kMemoryUsed) / kMib * kMib)
              : Reading::none(Absence::kUnsupported);
    const auto percent = [&](Metric of) { return Reading::of(share(of) / 100 * 100); };
    process.row[column(Metric::kProcessSmUtilization)] = percent(Metric::kGpuUtilization);
    process.row[column(Metric::kProcessMemoryUtilization)] = percent(Metric::kMemoryUtilization);
    process.row[column(Metric::kProcessEncoderUtilization)] = percent(Metric::kEncoderUtilization);
    process.row[column(Metric::kProcessDecoderUtilization)] = percent(Metric::kDecoderUtilization);
  }
}

}  // namespace gpuscope::device::sim
