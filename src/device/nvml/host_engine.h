// DCGM's daemon, which reads the same counters.
#pragma once

#include <optional>
#include <string>

namespace gpuscope::device::nvml {

// The pid of a process nv-hostengine in the /proc below `root`; nothing where there is none or
// nothing can be read.
std::optional<int> find_host_engine(const std::string& root);

}  // namespace gpuscope::device::nvml
