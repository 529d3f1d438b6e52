#include "health/health.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <cstddef>

#include "health/rules.h"

namespace gpuscope::health {
namespace {

using model::Absence;
using model::DeviceSample;
using model::Health;
using model::Metric;
using model::Reading;

// What the rules of one component came to.
struct Tally {
  bool judged = false;
  Level level = Level::kUsual;
};

enum class Outcome { kNotJudged, kPassed, kFired };

Reading limit_of(const Rule& rule, const DeviceSample& device) {
  if (!rule.limit.of_card) return Reading::of(rule.limit.value);
  const Reading limit = device.at(*rule.limit.of_card);
  // Drivers have been seen to give 0 for a limit that they do not know.
  return limit.present() && limit.value <= 0 ? Reading::none(Absence::kUnsupported) : limit;
}

Reading value_of(const Rule& rule, const DeviceSample& device) {
  Reading value = device.at(rule.metric);
  if (rule.plus && value.present() && device.at(*rule.plus).present()) {
    value.value += device.at(*rule.plus).value;
  }
  return value;
}

bool holds(Test test, std::int64_t value, std::int64_t limit) {
  switch (test) {
    case Test::kOver:
      return value > limit;
    case Test::kAtLeast:
      return value >= limit;
    case Test::kAtMost:
      return value <= limit;
    case Test::kEquals:
      return value == limit;
    case Test::kIsSet:
      return value != 0;
    case Test::kIsGone:
    case Test::kIsTimedOut:
      return false;
  }
  return false;
}

// Tests of absence judge nothing unless they fire: that a device is there says not that it is well.
Outcome apply(Test test, Reading value, Reading limit) {
  if (test == Test::kIsGone || test == Test::kIsTimedOut) {
    const Absence wanted = test == Test::kIsGone ? Absence::kGone : Absence::kTimedOut;
    return value.absence == wanted ? Outcome::kFired : Outcome::kNotJudged;
  }
  if (!value.present() || !limit.present()) return Outcome::kNotJudged;
  return holds(test, value.value, limit.value) ? Outcome::kFired : Outcome::kPassed;
}

void raise(Health& health, Health to) {
  if (severity_rank(to) > severity_rank(health)) health = to;
}

model::Finding finding(const Rule& rule, Reading value, Reading limit) {
  return {rule.id,       component_name(rule.component),
          rule.severity, rule.reason,
          rule.action,   rule.metric,
          value,         rule.test <= Test::kEquals ? limit : Reading{}};
}

std::string_view word(const Tally& tally, const std::array<std::string_view, 3>& words) {
  return tally.judged ? words[static_cast<std::size_t>(tally.level)] : std::string_view{};
}

}  // namespace

model::Verdict judge(model::RuleSet set, const DeviceSample& device) {
  model::Verdict verdict;
  std::array<Tally, 6> tallies{};
  std::bitset<model::kGpuMetricCount> fired;
  bool any_judged = false;
  Health gpu = Health::kHealthy;
  Health overall = Health::kHealthy;
  for (const Rule& rule : rules_of(set)) {
    const Reading value = value_of(rule, device);
    const Reading limit = limit_of(rule, device);
    const Outcome outcome = apply(rule.test, value, limit);
    if (outcome == Outcome::kNotJudged) continue;
    Tally& tally = tallies[static_cast<std::size_t>(rule.component)];
    tally.judged = true;
    any_judged = any_judged || rule.severity != Health::kHealthy;
    if (outcome == Outcome::kPassed || fired[column(rule.metric)]) continue;
    fired.set(column(rule.metric));
    tally.level = std::max(tally.level, rule.level);
    if (rule.severity == Health::kHealthy) continue;
    raise(gpu, rule.severity);
    if (rule.raises == Raises::kGpuAndOverall) raise(overall, rule.severity);
    verdict.add(finding(rule, value, limit));
  }
  const Absence temperature = device.at(Metric::kTemperature).absence;
  const bool enough =
      any_judged && (temperature == Absence::kPresent || temperature == Absence::kUnsupported);
  if (!enough) {
    raise(gpu, Health::kUnknown);
    raise(overall, Health::kUnknown);
  }
  verdict.gpu = gpu;
  verdict.overall = overall;
  verdict.temperature = word(tallies[static_cast<std::size_t>(Component::kTemperature)],
                             {"Normal", "Elevated", "High"});
  verdict.memory =
      word(tallies[static_cast<std::size_t>(Component::kMemory)], {"Stable", "Heavy", "Stressed"});
  return verdict;
}

}  // namespace gpuscope::health
