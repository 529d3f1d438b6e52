// Profiling metrics (GPM) of Hopper and newer GPUs: what was active, and how fast bytes moved,
// between two samples of the GPU's counters. They lock nothing: other readers may run beside.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "base/clock.h"
#include "device/nvml/abi.h"
#include "device/nvml/library.h"
#include "model/reading.h"

namespace gpuscope::device::nvml {

// True when the GPU gives GPM metrics and the library has all that is needed to read them.
bool gpm_supported(const Functions& nvml, nvmlDevice_t device);

// One metric of GPM, and the column of the row that it goes to.
struct GpmRow {
  nvmlGpmMetricId_t id;
  std::size_t column;
  double factor;  // NVML's percent, or MiB/s, to the catalogue's scale
};
// Those of a whole GPU, with its PCIe rates and without; those of a MIG instance.
std::span<const GpmRow> gpm_rows_of_gpu();
std::span<const GpmRow> gpm_rows_without_pcie();
std::span<const GpmRow> gpm_rows_of_mig();

// The metrics of one GPU, or of one GPU instance of it. Not thread-safe. Allocates nothing after
// the first read().
class GpmMeter {
 public:
  // `gpu_instance` where the GPU is split.
  GpmMeter(std::shared_ptr<const Session> session, std::optional<unsigned int> gpu_instance)
      : session_(std::move(session)), gpu_instance_(gpu_instance) {}
  ~GpmMeter();
  GpmMeter(const GpmMeter&) = delete;
  GpmMeter& operator=(const GpmMeter&) = delete;

  // Takes a sample, and writes what became of each of `rows` since the one before; at the first it
  // writes kNotYet. Two calls at most; `calls` is raised by them. The code is that of the sample,
  // or of all metrics together: on an error every row is absent for it. Sooner than 50 ms after the
  // last sample nothing is done.
  nvmlReturn_t read(nvmlDevice_t device, base::WallTime tick, std::span<const GpmRow> rows,
                    std::span<model::Reading> row, int& calls);

  // What comes next has nothing before it.
  void forget() { have_ = false; }

 private:
  nvmlReturn_t prepare();
  nvmlReturn_t sample(nvmlDevice_t device);
  void request(std::span<const GpmRow> rows);

  const std::shared_ptr<const Session> session_;
  const std::optional<unsigned int> gpu_instance_;
  std::array<nvmlGpmSample_t, 2> samples_{};  // the older, and where the next one goes
  bool have_ = false;                         // the older one
  base::WallTime taken_{};                    // when
  std::unique_ptr<nvmlGpmMetricsGet_t> request_;
};

}  // namespace gpuscope::device::nvml
