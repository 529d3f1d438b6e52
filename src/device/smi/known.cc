#include "device/smi/known.h"

#include <algorithm>

namespace gpuscope::device::smi {

std::optional<std::size_t> find_known(const std::vector<Known>& known, const std::string& uuid,
                                      const std::string& bus_id) {
  const auto same = [&](const Known& one) {
    if (!uuid.empty() && !one.uuid.empty() && one.uuid != uuid) return false;
    if (!bus_id.empty() && !one.bus_id.empty()) return one.bus_id == bus_id;
    return !uuid.empty() && one.uuid == uuid;
  };
  const auto found = std::ranges::find_if(known, same);
  if (found == known.end()) return std::nullopt;
  return static_cast<std::size_t>(found - known.begin());
}

}  // namespace gpuscope::device::smi
