// Shares, which NVML has in percent and the catalogue in hundredths of that.
#pragma once

#include <cstdint>

namespace gpuscope::device::nvml {

inline constexpr std::int64_t kPercent = 100;

}  // namespace gpuscope::device::nvml
