// GPUs read through NVIDIA's command-line tools, nvidia-smi and, where it is there, dcgmi.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/clock.h"
#include "model/source.h"

namespace gpuscope::device::smi {

struct Options {
  // Paths, or names to be found in PATH.
  std::string nvidia_smi = "nvidia-smi";
  std::string dcgmi = "dcgmi";
  // How often nvidia-smi's loop gives the values of every tick; 100 ms to 60 s.
  std::chrono::milliseconds interval{1000};
  // The whole document is read again after so long: 25 times as long as reading it took, but no
  // sooner and no later than these.
  std::chrono::milliseconds shortest_refresh{10'000};
  std::chrono::milliseconds longest_refresh{30'000};
  // The loop hangs when it is silent for three intervals, but no sooner than this.
  std::chrono::milliseconds shortest_patience{5'000};
  // A run of a tool that is not over by then is killed. The document of a big node takes 6 s.
  std::chrono::milliseconds tool_timeout{15'000};
  std::chrono::milliseconds dcgmi_timeout{5'000};
  std::chrono::milliseconds dcgmi_interval{30'000};  // DCGM itself looks every 30 s
  // /proc is looked up below this path.
  std::string root = "/";
};

// open() runs nvidia-smi a few times; from then on, three threads keep the latest of what the tools
// say, and read() copies from there, without waiting for anything. The loop is started by the
// second tick, so that one tick costs no more than it must. `clock` must outlive the source.
std::unique_ptr<model::Source> make_smi_source(const Options& options, const base::Clock& clock);

}  // namespace gpuscope::device::smi
