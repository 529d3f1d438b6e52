#include "device/nvml/process_table.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include "device/nvml/errors.h"

namespace gpuscope::device::nvml {
namespace {

using model::Absence;
using model::Metric;
using model::ProcessType;
using model::Reading;

// Room for this many processes from the start, so that the usual machine never asks twice.
constexpr std::size_t kFirstCapacity = 64;
// NVML's way to say that a process's memory is not known.
constexpr unsigned long long kNotAvailable = ~0ULL;

using ListFunction = decltype(Functions::nvmlDeviceGetComputeRunningProcesses_v3);
using OldListFunction = decltype(Functions::nvmlDeviceGetComputeRunningProcesses);

struct Versions {
  std::array<ListFunction, 2> current;  // v3, v2
  OldListFunction old;
};

Versions versions(const Functions& nvml, ProcessList list) {
  switch (list) {
    case ProcessList::kCompute:
      return {{nvml.nvmlDeviceGetComputeRunningProcesses_v3,
               nvml.nvmlDeviceGetComputeRunningProcesses_v2},
              nvml.nvmlDeviceGetComputeRunningProcesses};
    case ProcessList::kGraphics:
      return {{nvml.nvmlDeviceGetGraphicsRunningProcesses_v3,
               nvml.nvmlDeviceGetGraphicsRunningProcesses_v2},
              nvml.nvmlDeviceGetGraphicsRunningProcesses};
    case ProcessList::kMps:
      return {{nvml.nvmlDeviceGetMPSComputeRunningProcesses_v3,
               nvml.nvmlDeviceGetMPSComputeRunningProcesses_v2},
              nvml.nvmlDeviceGetMPSComputeRunningProcesses};
  }
  return {};
}

// Calls `function` with room for what `buffer` holds, and again with more where that was too
// little.
template <typename Function, typename Info>
nvmlReturn_t fetch(Function function, nvmlDevice_t device, std::vector<Info>& buffer,
                   std::uint32_t& count) {
  if (function == nullptr) return NVML_ERROR_FUNCTION_NOT_FOUND;
  if (buffer.empty()) buffer.resize(kFirstCapacity);
  nvmlReturn_t code = NVML_ERROR_INSUFFICIENT_SIZE;
  // New processes may start between two tries, so the buffer grows by more than was asked for.
  for (int tries = 0; tries < 3 && code == NVML_ERROR_INSUFFICIENT_SIZE; ++tries) {
    unsigned int found = static_cast<unsigned int>(buffer.size());
    code = function(device, &found, buffer.data());
    if (code == NVML_ERROR_INSUFFICIENT_SIZE) {
      buffer.resize(std::max<std::size_t>(found, buffer.size()) + kFirstCapacity);
    } else {
      count = std::min(found, static_cast<unsigned int>(buffer.size()));
    }
  }
  return code;
}

// "/usr/bin/python3 train.py" is "python3".
std::string_view program_name(std::string_view command) {
  const std::string_view path = command.substr(0, command.find(' '));
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos || slash + 1 == path.size() ? path
                                                                     : path.substr(slash + 1);
}

}  // namespace

nvmlReturn_t ProcessTable::ask(const Functions& nvml, nvmlDevice_t device, ProcessList list,
                               List& into) {
  const Versions functions = versions(nvml, list);
  for (;; ++into.version) {
    const bool old = into.version >= functions.current.size();
    nvmlReturn_t code;
    if (old) {
      code = fetch(functions.old, device, into.old_processes, into.count);
      if (into.processes.size() < into.old_processes.size()) {
        into.processes.resize(into.old_processes.size());
      }
      for (std::size_t i = 0; code == NVML_SUCCESS && i < into.count; ++i) {
        into.processes[i].pid = into.old_processes[i].pid;
        into.processes[i].usedGpuMemory = into.old_processes[i].usedGpuMemory;
      }
    } else {
      code = fetch(functions.current[into.version], device, into.processes, into.count);
    }
    if (old || absence_of(code) != Absence::kUnsupported) return code;
  }
}

nvmlReturn_t ProcessTable::refresh(const Functions& nvml, nvmlDevice_t device, ProcessList list) {
  List& into = lists_[static_cast<std::size_t>(list)];
  const nvmlReturn_t code = ask(nvml, device, list, into);
  into.absence = absence_of(code);
  if (code != NVML_SUCCESS) into.count = 0;
  merge();
  return code;
}

void ProcessTable::add(const List& list, ProcessType type) {
  for (std::size_t i = 0; i < list.count; ++i) {
    const nvmlProcessInfo_t& process = list.processes[i];
    const Reading memory = process.usedGpuMemory == kNotAvailable
                               ? Reading::none(Absence::kUnsupported)
                               : Reading::of(static_cast<std::int64_t>(process.usedGpuMemory));
    const auto at = std::ranges::lower_bound(known_, process.pid, {}, &Known::pid);
    if (at == known_.end() || at->pid != process.pid) {
      Known& known = *known_.insert(at, Known{});
      known.pid = process.pid;
      known.type = type;
      known.memory = memory;
      continue;
    }
    // A process that computes and draws stands in two lists, with the same memory in both; one in
    // two instances stands twice in one list.
    if (at->type != type) at->type = ProcessType::kComputeAndGraphics;
    if (memory.present() && (!at->memory.present() || memory.value > at->memory.value)) {
      at->memory = memory;
    }
  }
}

void ProcessTable::merge() {
  std::swap(known_, previous_);
  known_.clear();
  add(lists_[static_cast<std::size_t>(ProcessList::kCompute)], ProcessType::kCompute);
  add(lists_[static_cast<std::size_t>(ProcessList::kMps)], ProcessType::kCompute);
  add(lists_[static_cast<std::size_t>(ProcessList::kGraphics)], ProcessType::kGraphics);
  unnamed_ = 0;
  for (Known& known : known_) {
    const auto before = std::ranges::lower_bound(previous_, known.pid, {}, &Known::pid);
    if (before != previous_.end() && before->pid == known.pid) {
      std::swap(known.name, before->name);
      known.asked = before->asked;
    }
    if (!known.asked) ++unnamed_;
  }
}

bool ProcessTable::name_one(const Functions& nvml) {
  if (unnamed_ == 0) return false;
  const auto known = std::ranges::find(known_, false, &Known::asked);
  known->asked = true;
  --unnamed_;
  if (nvml.nvmlSystemGetProcessName == nullptr) return true;
  std::array<char, 256> name{};
  if (nvml.nvmlSystemGetProcessName(known->pid, name.data(), name.size()) == NVML_SUCCESS) {
    name.back() = '\0';
    known->name = program_name(name.data());
  }
  return true;
}

void ProcessTable::set_shares(const std::vector<ProcessShare>& shares, Absence absence) {
  shares_ = shares;
  shares_absence_ = absence;
}

void ProcessTable::publish_shares(model::Process& process) const {
  const auto found = std::ranges::lower_bound(shares_, process.pid, {}, &ProcessShare::pid);
  const ProcessShare share =
      found != shares_.end() && found->pid == process.pid ? *found : ProcessShare{};
  const auto set = [&](Metric metric, std::int64_t value) {
    process.row[model::column(metric)] =
        shares_absence_ == Absence::kPresent ? Reading::of(value) : Reading::none(shares_absence_);
  };
  set(Metric::kProcessSmUtilization, share.sm);
  set(Metric::kProcessMemoryUtilization, share.memory);
  set(Metric::kProcessEncoderUtilization, share.encoder);
  set(Metric::kProcessDecoderUtilization, share.decoder);
}

void ProcessTable::publish(model::DeviceSample& out) {
  const List& compute = lists_[static_cast<std::size_t>(ProcessList::kCompute)];
  const List& graphics = lists_[static_cast<std::size_t>(ProcessList::kGraphics)];
  out.processes_absence = compute.absence;
  out.processes.resize(known_.size());
  std::int64_t computing = 0;
  std::int64_t drawing = 0;
  for (std::size_t i = 0; i < known_.size(); ++i) {
    const Known& known = known_[i];
    model::Process& process = out.processes[i];
    process.pid = known.pid;
    process.type = known.type;
    process.name = known.name;
    process.row[model::column(Metric::kProcessMemory)] = known.memory;
    publish_shares(process);
    if (known.type != ProcessType::kGraphics) ++computing;
    if (known.type != ProcessType::kCompute) ++drawing;
  }
  const auto count = [](const List& list, std::int64_t processes) {
    return list.absence == Absence::kPresent ? Reading::of(processes) : Reading::none(list.absence);
  };
  out.at(Metric::kComputeProcesses) = count(compute, computing);
  out.at(Metric::kGraphicsProcesses) = count(graphics, drawing);
}

}  // namespace gpuscope::device::nvml
