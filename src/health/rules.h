// The health rules as a table: adding a rule is one row in rules.cc.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "model/health.h"
#include "model/snapshot.h"

namespace gpuscope::health {

enum class Test : std::uint8_t {
  kOver,     // value > limit
  kAtLeast,  // value >= limit
  kAtMost,   // value <= limit
  kUnder,    // value < limit
  kEquals,   // value == limit
  kIsSet,    // value != 0: a flag, no limit
  // Of the absence instead of the value.
  kIsGone,
  kIsTimedOut,
};

// What a reading is held against: a constant in the metric's own scale, or another reading of the
// same scale, the card's own limit.
struct Limit {
  std::int64_t value = 0;
  std::optional<model::Metric> of_card;
};

enum class Component : std::uint8_t {
  kDevice,
  kTemperature,
  kMemory,
  kUtilization,
  kPower,
  kClocks,
  kLinks
};
inline constexpr std::size_t kComponentCount = 7;
std::string_view component_name(Component component);

// What a rule holds against each other where one tick's readings do not tell: what was seen since
// the agent began to watch the GPU. Without that it is not judged.
enum class Lately : std::uint8_t {
  kNothing,       // the tick's readings do
  kLinksOnceUp,   // the limit is the most links that were ever up at once
  kReplayGrowth,  // the value is how much the counter grew within model::kRecent, the limit what
                  // the link is allowed by DCGM's health watch: per lane, by generation
  kXid,  // the value is the last XID that asks for the action `limit.value` (a XidAction) and
         // still counts: for an hour, or until the devices are opened anew; what a job can
         // do to itself, for model::kRecent
};

// How far a rule moves its component's word: Normal, Elevated, High for temperature; Stable, Heavy,
// Stressed for memory.
enum class Level : std::uint8_t { kUsual, kRaised, kHigh };

enum class Raises : std::uint8_t { kGpuAlone, kGpuAndOverall };

struct Rule {
  std::string_view id;
  Component component;
  model::Metric metric;
  Test test;
  Limit limit;
  model::Health severity;  // kHealthy: moves the word alone and is no finding
  Level level;
  Raises raises;
  std::string_view reason;
  std::string_view action;
  std::optional<model::Metric> plus = std::nullopt;  // added to the reading where present
  Lately lately = Lately::kNothing;
  bool under_load = false;  // only once the GPU has been busy for kUnderLoad
};

// Longer than sources take to read again what load changes.
inline constexpr std::chrono::minutes kUnderLoad{2};
inline constexpr std::chrono::hours kXidCounts{1};

// The rules of a set, worst severity first. Of several rules on one metric only the first that
// fires counts: "over 80" hides "over 70".
std::span<const Rule> rules_of(model::RuleSet set);

// critical > warning > caution > unknown > healthy: what is certain beats what is not known.
int severity_rank(model::Health health);

}  // namespace gpuscope::health
