// A GPU's verdicts as the results of DCGM's health watches. docs/formats/metrics.md has the
// mapping.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "model/snapshot.h"

namespace gpuscope::wire {

inline constexpr std::size_t kHealthWatchCount = 11;

// "PCIE", "NVLINK", …, "DRIVER", and "ALL" for what concerns the whole GPU. Numbers, names and
// error codes here are DCGM's: dcgmHealthSystems_t, dcgmHealthWatchResults_t, dcgmError_t.
std::span<const std::string_view, kHealthWatchCount> health_watch_names();

struct WatchResult {
  std::int64_t value = 0;  // 0 pass, 10 warning, 20 failure
  std::string_view code;   // "DCGM_FR_OK", …; empty: nobody has judged this watch

  bool judged() const { return !code.empty(); }
};
using WatchResults = std::array<WatchResult, kHealthWatchCount>;  // as health_watch_names()

// The worse of what the source's own tool says and of what our rules found. A watch is judged where
// the source has a verdict at all, or where one of our rules looks at it and had a reading to look
// at. Allocates nothing. Thread-safe.
WatchResults watch_results(model::RuleSet rules, const model::DeviceSample& device,
                           const model::Verdict& verdict);

}  // namespace gpuscope::wire
