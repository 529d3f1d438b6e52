// Who runs on a GPU: NVML's three lists, whatever their version, as one list by pid.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "device/nvml/abi.h"
#include "device/nvml/library.h"
#include "device/nvml/slow_lane.h"
#include "model/snapshot.h"

namespace gpuscope::device::nvml {

enum class ProcessList : std::uint8_t { kCompute, kGraphics, kMps };

// The processes of one GPU. Not thread-safe. Allocates nothing while the same processes run.
class ProcessTable {
 public:
  // Asks for one list, by the newest version of the function that works. One call, but for the rare
  // one that finds its buffer too small or its version refused.
  nvmlReturn_t refresh(const Functions& nvml, nvmlDevice_t device, ProcessList list);

  // Asks for the name of one new process; false when every name has been asked for.
  bool name_one(const Functions& nvml);

  // What each process had of the GPU, by pid; it is nothing for those that are not in it.
  void set_shares(const std::vector<ProcessShare>& shares, model::Absence absence);

  // The merged list, sorted by pid, into `out.processes`, its absence and the two counts. A list
  // that could not be read counts as empty unless it is the compute list.
  void publish(model::DeviceSample& out);

 private:
  struct List {
    std::vector<nvmlProcessInfo_t> processes;
    std::vector<nvmlProcessInfo_v1_t> old_processes;
    std::uint32_t count = 0;
    std::size_t version = 0;  // into the versions of the function, newest first
    model::Absence absence = model::Absence::kNotYet;
  };
  struct Known {
    std::uint32_t pid = 0;
    model::ProcessType type = model::ProcessType::kCompute;
    model::Reading memory;
    std::string name;
    bool asked = false;  // for its name
  };

  nvmlReturn_t ask(const Functions& nvml, nvmlDevice_t device, ProcessList list, List& into);
  void merge();
  void add(const List& list, model::ProcessType type);
  void publish_shares(model::Process& process) const;

  std::array<List, 3> lists_;
  std::vector<Known> known_;     // by pid
  std::vector<Known> previous_;  // what known_ was, kept for its names and its memory
  std::vector<ProcessShare> shares_;
  model::Absence shares_absence_ = model::Absence::kNotYet;
  std::size_t unnamed_ = 0;  // how many of known_ have not been asked for
};

}  // namespace gpuscope::device::nvml
