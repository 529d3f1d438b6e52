// GPUs read through the NVIDIA Management Library, loaded at run time and never linked.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/clock.h"
#include "model/source.h"

namespace gpuscope::device::nvml {

struct Options {
  // What dlopen() is given. The loader's own search order applies (LD_LIBRARY_PATH, ld.so.cache).
  std::string library = "libnvidia-ml.so.1";
  // /proc, /sys and /dev are looked up below this path.
  std::string root = "/";
  // How long open() waits for one GPU to say what it is. A GPU that is slower is listed without its
  // facts, and the source counts as lost() once it has answered, so that it is opened again.
  std::chrono::milliseconds open_deadline{3000};
  // Whether to read profiling metrics (GPM) where a GPU gives them: activity of its units.
  bool gpm = true;
};

// What a tick costs: at most this many NVML calls per GPU at one tick a second, 16 with those that
// come in groups (profiling metrics, MIG instances), and 11 in the mean; process lists, limits,
// modes and error details take turns. The few calls that block for milliseconds are made beside the
// ticks, every ten seconds, and so is the wait for XIDs: two calls a second, for all GPUs together.
inline constexpr int kMaxCallsPerTick = 13;

// `clock` must outlive the source; only open() asks it.
std::unique_ptr<model::Source> make_nvml_source(const Options& options, const base::Clock& clock);

}  // namespace gpuscope::device::nvml
