// The memory of the host, for GPUs that have none of their own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gpuscope::device::nvml {

// Bytes.
struct HostMemory {
  std::int64_t total = 0;
  std::int64_t available = 0;  // what a program can still have; at most `total`
};

// Of the text of /proc/meminfo; nothing where it does not say both.
std::optional<HostMemory> parse_meminfo(std::string_view text);

// Reads the file at `path` without allocating; nothing where that cannot be done.
std::optional<HostMemory> read_host_memory(const std::string& path);

}  // namespace gpuscope::device::nvml
