// Which GPU is which: what does not change while the source is open.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace gpuscope::device::smi {

struct Known {
  std::string uuid;    // empty: only the bus id is known
  std::string bus_id;  // empty: only the UUID is
};

// Which of `known` this GPU is; its number.
std::optional<std::size_t> find_known(const std::vector<Known>& known, const std::string& uuid,
                                      const std::string& bus_id);

}  // namespace gpuscope::device::smi
