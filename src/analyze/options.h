// What one may say of the fleet's analysis.
#pragma once

#include <chrono>
#include <cstdint>

namespace gpuscope::analyze {

enum class PowerSource : std::uint8_t {
  kSetting,  // ScoreOptions::power_watts for every card
  kCard,     // the card's own limit; power_watts where it does not tell
};

// The score: 100 × (gpu_util_weight · utilization + mem_copy_weight · memory copy + mem_used_weight
// · memory in use + power_weight · power), each share from 0 to 1.
struct ScoreOptions {
  double gpu_util_weight = 0.5;
  double mem_copy_weight = 0.2;
  double mem_used_weight = 0.2;
  double power_weight = 0.1;
  double memory_mb = 32'000;  // a card's memory where used and free are both 0
  double power_watts = 250;   // what counts as full power
  PowerSource power_source = PowerSource::kSetting;
  double idle_below = 10;  // scores under it are idle
  double low_below = 20;   // under it low: the threshold, 0 to 100
  // From here on high, a part of the scale itself.
  static constexpr double kHighFrom = 70;
};

struct Options {
  ScoreOptions score;
  std::chrono::seconds interval{300};  // between the begins of two runs
  std::chrono::seconds window{600};
  std::chrono::seconds step{30};
  // Of an agent's own history: windows end now and not at a whole step, and a run that finds no GPU
  // is soon made again.
  bool live = false;
  bool use_ai = false;  // whether a run asks the chat model unless told otherwise
};

}  // namespace gpuscope::analyze
