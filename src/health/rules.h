// The health rules as a table: adding a rule is one row in rules.cc.
#pragma once

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
  kClocks
};
std::string_view component_name(Component component);

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
};

// The rules of a set, worst severity first. Of several rules on one metric only the first that
// fires counts: "over 80" hides "over 70".
std::span<const Rule> rules_of(model::RuleSet set);

// critical > warning > caution > unknown > healthy: what is certain beats what is not known.
int severity_rank(model::Health health);

}  // namespace gpuscope::health
