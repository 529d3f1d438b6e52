// Which alerts there are: what rules say at each evaluation, and how that becomes pending, firing
// and resolved. The states and their changes are those of Prometheus 2.42.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "alert/record.h"
#include "alert/rule_set.h"
#include "base/clock.h"
#include "base/result.h"
#include "model/alert_status.h"
#include "model/labelled_series.h"
#include "model/state_store.h"
#include "query/query.h"

namespace gpuscope::alert {

// How a rule was evaluated last.
struct RuleRun {
  std::optional<base::WallTime> time;    // none: not yet
  std::chrono::microseconds duration{};  // of the evaluation
  std::string error;                     // empty: it could be evaluated
};

// What the expressions of one group gave at one time, rule by rule.
struct GroupResult {
  std::size_t group = 0;
  base::WallTime time{};
  std::vector<base::Result<query::Vector>> results;
  std::vector<std::chrono::microseconds> durations;
};

// Reads and computes; changes nothing, so that it may take its time beside everything else. Equal
// selectors of a group are read once.
GroupResult evaluate(const RuleSet& rules, std::size_t group, base::WallTime time,
                     const model::LabelledSeriesReader& reader, const base::Clock& clock,
                     const query::Limits& limits = {});

// Not thread-safe. A function of what it is given: it has no clock.
class RuleStates {
 public:
  // Resolved alerts are known for so long.
  static constexpr std::chrono::minutes kKeepResolved{15};
  // A condition that was pending when the agent went down counts on if it was down no longer.
  static constexpr std::chrono::hours kRestoreWithin{1};

  // `external_url`: of the agent, as browsers reach it; empty: alerts have no generator_url.
  RuleStates(RuleSet rules, std::string external_url);

  const RuleSet& rules() const { return rules_; }

  // Takes up what an earlier run left in the store, where its rule is still there. Firing alerts
  // fire on until the first evaluation knows better. Time in which nobody looked does not count
  // for `for`. Returns how many records could not be read: those are passed over.
  std::size_t restore(std::span<const model::StateRecord> alerts,
                      std::optional<base::WallTime> last_run);

  // What a group's rules say now.
  void apply(const GroupResult& result);

  // What is to be kept of what apply() changed since the last call: changes for the store.
  std::vector<model::StateChange> take_changes();

  // Pending, firing, and for kKeepResolved resolved ones.
  std::vector<model::AlertStatus> alerts() const;
  // Of one rule; pending and firing ones.
  std::vector<model::AlertStatus> alerts_of(std::size_t group, std::size_t rule) const;
  const RuleRun& run_of(std::size_t group, std::size_t rule) const;

 private:
  struct Entry {
    KeptAlert alert;
    bool restored = false;  // and not evaluated since
  };
  struct RuleState {
    std::map<model::Labels, Entry> alerts;
    RuleRun run;
  };

  void apply_rule(std::size_t group, std::size_t rule, base::WallTime time,
                  const query::Vector& samples);
  KeptAlert made_alert(const ReadyGroup& group, const ReadyRule& rule, base::WallTime time,
                       const query::Sample& sample) const;
  // `sample`: whether its condition holds. False: the alert is to be forgotten.
  bool advance(const ReadyRule& rule, Entry& entry, base::WallTime time, bool holds);
  void keep(const KeptAlert& alert);
  void forget(const KeptAlert& alert);
  RuleState* state_for(const KeptAlert& alert);

  RuleSet rules_;
  std::string external_url_;
  std::vector<std::vector<RuleState>> states_;  // by group and rule
  std::optional<base::WallTime> last_run_;      // before the restart
  std::vector<model::StateChange> changes_;
};

}  // namespace gpuscope::alert
