#include "health/health.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <cstddef>

#include "health/rules.h"
#include "health/xid_action.h"

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

// A device at a tick, and what was seen of it before; null where nobody followed it.
struct Scene {
  const DeviceSample& device;
  const model::GpuTrend* trend;
  base::WallTime now;
};

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

// Replays that DCGM's health watch allows within model::kRecent; absent where the link is not
// known.
Reading replays_allowed(const DeviceSample& device) {
  // Hundredths per minute and lane, by generation from 1 on.
  constexpr std::array<std::int64_t, 6> kPerLane{15, 30, 48, 96, 192, 384};
  constexpr std::int64_t kMinutes = model::kRecent / std::chrono::minutes{1};
  const Reading generation = device.at(Metric::kPcieGeneration);
  const Reading lanes = device.at(Metric::kPcieWidth);
  if (!generation.present() || !lanes.present() || generation.value < 1) {
    return Reading::none(Absence::kUnsupported);
  }
  const auto row = std::min<std::size_t>(static_cast<std::size_t>(generation.value), 6) - 1;
  return Reading::of((lanes.value * kPerLane[row] + 99) / 100 * kMinutes);
}

// The last XID that asks for the action and still counts.
Reading counting_xid(const Scene& scene, XidAction action) {
  const base::WallTime::duration counts =
      action == XidAction::kRestartApp ? base::WallTime::duration{model::kRecent} : kXidCounts;
  const model::XidCount* found = nullptr;
  for (const model::XidCount& xid : scene.trend->xids) {
    if (xid.last == base::WallTime{} || scene.now - xid.last >= counts) continue;
    if (xid_action(xid.code) != action) continue;
    if (found == nullptr || xid.last > found->last) found = &xid;
  }
  return found == nullptr ? Reading{} : Reading::of(static_cast<std::int64_t>(found->code));
}

struct Evidence {
  Reading value;
  Reading limit;
};

Evidence evidence_of(const Rule& rule, const Scene& scene) {
  const DeviceSample& device = scene.device;
  const bool rests =
      rule.under_load && (scene.trend == nullptr || scene.trend->busy_for < kUnderLoad);
  if (rests || (rule.lately != Lately::kNothing && scene.trend == nullptr)) return {};
  switch (rule.lately) {
    case Lately::kNothing:
      return {value_of(rule, device), limit_of(rule, device)};
    case Lately::kLinksOnceUp:
      return {device.at(rule.metric), Reading::of(scene.trend->links_up_most)};
    case Lately::kReplayGrowth: {
      static_assert(model::kGrowingMetrics[0] == Metric::kPcieReplays);
      if (!device.at(rule.metric).present()) return {};
      return {Reading::of(scene.trend->growth_recent[0]), replays_allowed(device)};
    }
    case Lately::kXid: {
      // Its number is the evidence, and stands for itself. That there is none says nothing.
      const Reading xid = counting_xid(scene, static_cast<XidAction>(rule.limit.value));
      return {xid, xid};
    }
  }
  return {};
}

bool holds(Test test, std::int64_t value, std::int64_t limit) {
  switch (test) {
    case Test::kOver:
      return value > limit;
    case Test::kAtLeast:
      return value >= limit;
    case Test::kAtMost:
      return value <= limit;
    case Test::kUnder:
      return value < limit;
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

// A flag, an absence and an XID stand for themselves.
bool has_limit(const Rule& rule) { return rule.test < Test::kIsSet && rule.lately != Lately::kXid; }

model::Finding finding(const Rule& rule, Reading value, Reading limit) {
  return {rule.id,       component_name(rule.component),
          rule.severity, rule.reason,
          rule.action,   rule.metric,
          value,         has_limit(rule) ? limit : Reading{}};
}

std::string_view word(const Tally& tally, const std::array<std::string_view, 3>& words) {
  return tally.judged ? words[static_cast<std::size_t>(tally.level)] : std::string_view{};
}

}  // namespace

model::Verdict judge(model::RuleSet set, const DeviceSample& device, const model::GpuTrend* trend,
                     base::WallTime now) {
  const Scene scene{device, trend, now};
  model::Verdict verdict;
  std::array<Tally, kComponentCount> tallies{};
  std::bitset<model::kGpuMetricCount> fired;
  bool any_judged = false;
  Health gpu = Health::kHealthy;
  Health overall = Health::kHealthy;
  for (const Rule& rule : rules_of(set)) {
    const auto [value, limit] = evidence_of(rule, scene);
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
