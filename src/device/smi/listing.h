// `nvidia-smi -L`: the one place where the tool gives the UUIDs of MIG instances.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gpuscope::device::smi {

struct ListedMig {
  std::int64_t index = 0;  // "Device N"
  std::string profile;     // "1g.10gb"
  std::string uuid;        // "MIG-…"
};

struct ListedGpu {
  std::int64_t index = 0;
  std::string name;
  std::string uuid;
  std::vector<ListedMig> mig;
};

// Lines that are none of a list are skipped. Thread-safe.
std::vector<ListedGpu> parse_listing(std::string_view text);

}  // namespace gpuscope::device::smi
