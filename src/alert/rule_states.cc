#include "alert/rule_states.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "base/text.h"
#include "model/labels.h"

namespace gpuscope::alert {
namespace {

using base::WallTime;
using model::AlertState;
using model::AlertStatus;
using model::Labels;
using model::set_label;
using std::chrono::milliseconds;

std::int64_t milliseconds_of(WallTime time) {
  return std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
}

// A text that cannot be made says so, as in Prometheus: better a mail with that than none.
std::string expand(const Template& text, const Labels& labels, double value) {
  auto expanded = text.expand({labels, value});
  return expanded ? std::move(*expanded)
                  : fmt::format("<error expanding template: {}>", expanded.error().message);
}

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = base::is_name_char(c) || c == '-' || c == '.' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string store_key(const KeptAlert& alert) {
  return fingerprint(alert.group) + fingerprint(alert.status.expression) +
         fingerprint(alert.status.labels);
}

}  // namespace

GroupResult evaluate(const RuleSet& rules, std::size_t group, WallTime time,
                     const model::LabelledSeriesReader& reader, const base::Clock& clock,
                     const query::Limits& limits) {
  GroupResult result{.group = group, .time = time, .results = {}, .durations = {}};
  query::Querier querier(reader, milliseconds_of(time), limits);
  std::vector<query::Expression> expressions;
  for (const ReadyRule& rule : rules[group].rules) expressions.push_back(rule.expression);
  const auto read = querier.read(expressions);
  for (const query::Expression& expression : expressions) {
    const base::SteadyTime start = clock.steady_now();
    result.results.push_back(read ? querier.vector(expression) : std::unexpected(read.error()));
    result.durations.push_back(
        std::chrono::duration_cast<std::chrono::microseconds>(clock.steady_now() - start));
  }
  return result;
}

RuleStates::RuleStates(RuleSet rules, std::string external_url)
    : rules_(std::move(rules)), external_url_(std::move(external_url)) {
  for (const ReadyGroup& group : rules_) states_.emplace_back(group.rules.size());
}

RuleStates::RuleState* RuleStates::state_for(const KeptAlert& alert) {
  RuleState* same_name = nullptr;
  for (std::size_t g = 0; g < rules_.size(); ++g) {
    if (rules_[g].name != alert.group) continue;
    for (std::size_t r = 0; r < rules_[g].rules.size(); ++r) {
      const ReadyRule& rule = rules_[g].rules[r];
      if (rule.name != alert.status.rule) continue;
      if (rule.expression.text() == alert.status.expression) return &states_[g][r];
      // One that was written anew goes on where its alerts have the severity that it gives.
      const auto severity = model::label_value(rule.label_texts, "severity");
      if (severity == model::label_value(alert.status.labels, "severity")) {
        same_name = &states_[g][r];
      }
    }
  }
  return same_name;
}

std::size_t RuleStates::restore(std::span<const model::StateRecord> alerts,
                                std::optional<WallTime> last_run) {
  last_run_ = last_run;
  std::size_t unread = 0;
  for (const model::StateRecord& record : alerts) {
    auto alert = read_alert(record.value);
    RuleState* state = alert ? state_for(*alert) : nullptr;
    unread += alert ? 0U : 1U;
    if (state == nullptr) {
      changes_.push_back({std::string(kAlertKind), record.key, std::nullopt});
      continue;
    }
    Labels labels = alert->status.labels;
    state->alerts.insert_or_assign(std::move(labels), Entry{std::move(*alert), true});
  }
  return unread;
}

void RuleStates::keep(const KeptAlert& alert) {
  changes_.push_back({std::string(kAlertKind), store_key(alert), write_alert(alert)});
}

void RuleStates::forget(const KeptAlert& alert) {
  changes_.push_back({std::string(kAlertKind), store_key(alert), std::nullopt});
}

std::vector<model::StateChange> RuleStates::take_changes() { return std::exchange(changes_, {}); }

KeptAlert RuleStates::made_alert(const ReadyGroup& group, const ReadyRule& rule, WallTime time,
                                 const query::Sample& sample) const {
  Labels series = *sample.labels;
  set_label(series, model::kNameLabel, "");
  AlertStatus status{.labels = series,
                     .annotations = {},
                     .state = AlertState::kPending,
                     .active_since = time,
                     .fired_at = {},
                     .resolved_at = {},
                     .value = sample.value,
                     .rule = rule.name,
                     .expression = rule.expression.text(),
                     .generator_url = {}};
  for (const auto& [name, text] : rule.labels) {
    set_label(status.labels, name, expand(text, *sample.labels, sample.value));
  }
  set_label(status.labels, "alertname", rule.name);
  for (const auto& [name, text] : rule.annotations) {
    set_label(status.annotations, name, expand(text, *sample.labels, sample.value));
  }
  if (!external_url_.empty()) {
    status.generator_url =
        fmt::format("{}/api/v1/query?query={}", external_url_, percent_encoded(status.expression));
  }
  return {group.name, std::move(status), std::nullopt};
}

void RuleStates::apply(const GroupResult& result) {
  const ReadyGroup& group = rules_[result.group];
  for (std::size_t r = 0; r < group.rules.size(); ++r) {
    RuleRun& run = states_[result.group][r].run;
    run = {result.time, result.durations[r], ""};
    if (result.results[r]) {
      apply_rule(result.group, r, result.time, *result.results[r]);
    } else {
      run.error = result.results[r].error().message;
    }
  }
}

void RuleStates::apply_rule(std::size_t group, std::size_t rule, WallTime time,
                            const query::Vector& samples) {
  const ReadyRule& ready = rules_[group].rules[rule];
  RuleState& state = states_[group][rule];
  std::map<Labels, KeptAlert> now;
  for (const query::Sample& sample : samples) {
    KeptAlert alert = made_alert(rules_[group], ready, time, sample);
    Labels labels = alert.status.labels;
    if (!now.emplace(std::move(labels), std::move(alert)).second) {
      state.run.error = fmt::format(
          "cannot tell alerts of {} apart: two of them have the same labels", ready.name);
      return;
    }
  }
  std::set<Labels> holding;
  for (auto& [labels, alert] : now) {
    holding.insert(labels);
    const auto at = state.alerts.find(labels);
    if (at == state.alerts.end() || at->second.alert.status.state == AlertState::kResolved) {
      state.alerts.insert_or_assign(labels, Entry{std::move(alert)});
      keep(state.alerts.at(labels).alert);
      continue;
    }
    AlertStatus& known = at->second.alert.status;
    known.value = alert.status.value;
    known.annotations = std::move(alert.status.annotations);
    known.generator_url = std::move(alert.status.generator_url);
    if (known.expression != alert.status.expression) {
      forget(at->second.alert);
      known.expression = std::move(alert.status.expression);
      keep(at->second.alert);
    }
  }
  for (auto at = state.alerts.begin(); at != state.alerts.end();) {
    const bool stays = advance(ready, at->second, time, holding.contains(at->first));
    if (!stays) forget(at->second.alert);
    at = stays ? std::next(at) : state.alerts.erase(at);
  }
}

bool RuleStates::advance(const ReadyRule& rule, Entry& entry, WallTime time, bool holds) {
  KeptAlert& alert = entry.alert;
  AlertStatus& status = alert.status;
  const bool restored = std::exchange(entry.restored, false);
  if (holds) {
    if (restored && status.state == AlertState::kPending) {
      const auto down = last_run_ ? time - *last_run_ : kRestoreWithin * 2;
      if (down > kRestoreWithin) {
        status.active_since = time;
      } else if (*last_run_ - status.active_since < rule.hold) {
        status.active_since += std::max(down, decltype(down){});
      }
      keep(alert);
    }
    if (std::exchange(alert.keep_since, std::nullopt)) keep(alert);
    if (status.state == AlertState::kPending && time - status.active_since >= rule.hold) {
      status.state = AlertState::kFiring;
      status.fired_at = time;
      keep(alert);
    }
    return true;
  }
  switch (status.state) {
    case AlertState::kPending:
      return false;
    case AlertState::kResolved:
      return time - *status.resolved_at <= kKeepResolved;
    case AlertState::kFiring:
      break;
  }
  if (rule.keep_firing > milliseconds::zero()) {
    if (!alert.keep_since) {
      alert.keep_since = time;
      keep(alert);
    }
    if (time - *alert.keep_since < rule.keep_firing) return true;
  }
  status.state = AlertState::kResolved;
  status.resolved_at = time;
  keep(alert);
  return true;
}

std::vector<AlertStatus> RuleStates::alerts() const {
  std::vector<AlertStatus> all;
  for (const auto& group : states_) {
    for (const RuleState& state : group) {
      for (const auto& [labels, entry] : state.alerts) all.push_back(entry.alert.status);
    }
  }
  return all;
}

std::vector<AlertStatus> RuleStates::alerts_of(std::size_t group, std::size_t rule) const {
  std::vector<AlertStatus> all;
  for (const auto& [labels, entry] : states_[group][rule].alerts) {
    if (entry.alert.status.state != AlertState::kResolved) all.push_back(entry.alert.status);
  }
  return all;
}

const RuleRun& RuleStates::run_of(std::size_t group, std::size_t rule) const {
  return states_[group][rule].run;
}

}  // namespace gpuscope::alert
