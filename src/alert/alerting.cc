#include "alert/alerting.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/log.h"
#include "base/thread.h"

namespace gpuscope::alert {
namespace {

using base::MutexLock;
using base::Result;
using base::WallTime;
using model::AlertState;
using std::chrono::milliseconds;

constexpr milliseconds kTryAgain{5000};         // the store, a message
constexpr milliseconds kRestoreWithin{60'000};  // then it goes on without
constexpr milliseconds kLookAgain{200};         // whether there is data
constexpr std::string_view kLastRun = "last";

}  // namespace

std::expected<std::unique_ptr<Alerting>, std::vector<RuleMistake>> Alerting::make(
    base::Clock& clock, AlertingOptions options, AlertingPorts ports) {
  auto rules = make_rule_set(options.rules, options.interval);
  if (!rules) return std::unexpected(std::move(rules.error()));
  return std::unique_ptr<Alerting>(
      new Alerting(clock, std::move(options), std::move(ports), std::move(*rules)));
}

Alerting::Alerting(base::Clock& clock, AlertingOptions options, AlertingPorts ports, RuleSet rules)
    : clock_(clock),
      options_(std::move(options)),
      ports_(std::move(ports)),
      states_(std::move(rules), options_.external_url),
      dispatcher_(options_.dispatch),
      next_(states_.rules().size()) {
  publish(clock_.wall_now());
}

Result<void> Alerting::start() {
  return base::start_thread(thread_, "alerts", [this] { run(); });
}

void Alerting::stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Alerting::run() {
  for (;;) {
    const WallTime next = step(clock_.wall_now());
    wait(next);
    MutexLock lock(mutex_);
    if (stopping_) break;
  }
  // A silence may have come since the last step.
  {
    MutexLock lock(mutex_);
    note(silences_.take_changes());
  }
  write_down();
}

void Alerting::wait(WallTime until) {
  const auto left = std::max(until - clock_.wall_now(), WallTime::duration{});
  const base::SteadyTime deadline = clock_.steady_now() + left;
  MutexLock lock(mutex_);
  while (!stopping_ && !hurry_ && clock_.steady_now() < deadline) {
    clock_.wait_until(wake_, lock, deadline);
  }
  hurry_ = false;
}

WallTime Alerting::step(WallTime now) {
  if (!restored(now)) {
    publish(now);
    return now + kTryAgain;
  }
  const bool ready = ports_.ready();
  if (ready) {
    evaluate_due(now);
    write_down();  // before anybody is told: a message of an alert that is not known may come twice
    tell(now);
  }
  {
    MutexLock lock(mutex_);
    silences_.clean(now);
    note(silences_.take_changes());
  }
  write_down();
  publish(now);
  if (!ready) return now + kLookAgain;
  WallTime next = now + options_.interval;
  for (const WallTime group : next_) next = std::min(next, group);
  if (const auto message = dispatcher_.next()) next = std::min(next, *message);
  if (!unwritten_.empty()) next = std::min(next, now + kTryAgain);
  return next;
}

bool Alerting::restored(WallTime now) {
  if (is_restored_) return true;
  if (!first_step_) first_step_ = now;
  const auto done = restore();
  store_error_ = done ? "" : done.error().message;
  is_restored_ = done || now - *first_step_ >= kRestoreWithin;
  return is_restored_;
}

Result<void> Alerting::restore() {
  const auto alerts = ports_.store.list(kAlertKind);
  if (!alerts) return std::unexpected(alerts.error());
  const auto groups = ports_.store.list(kGroupKind);
  if (!groups) return std::unexpected(groups.error());
  const auto silences = ports_.store.list(kSilenceKind);
  if (!silences) return std::unexpected(silences.error());
  const auto run = ports_.store.get(kRunKind, kLastRun);
  if (!run) return std::unexpected(run.error());
  std::optional<WallTime> last_run;
  if (*run) {
    const auto fields = read_record(**run);
    for (const RecordField& field : fields.value_or(std::vector<RecordField>{})) {
      const auto time = time_of(field);
      if (field.name == "evaluated_at" && time) last_run = *time;
    }
  }
  std::size_t unread = states_.restore(*alerts, last_run) + dispatcher_.restore(*groups);
  {
    MutexLock lock(mutex_);
    unread += silences_.restore(*silences);
  }
  if (unread > 0) {
    base::log(
        base::LogLevel::kWarning,
        fmt::format("cannot read {} records of alerts and silences: goes on without", unread));
  }
  return {};
}

void Alerting::evaluate_due(WallTime now) {
  const base::SteadyTime start = clock_.steady_now();
  bool any = false;
  for (std::size_t g = 0; g < next_.size(); ++g) {
    const milliseconds interval = states_.rules()[g].interval;
    // A clock that was set back does not stop it.
    if (next_[g] > now && next_[g] <= now + interval) continue;
    next_[g] = next_[g] + interval > now && next_[g] <= now ? next_[g] + interval : now + interval;
    const GroupResult result = evaluate(states_.rules(), g, now, ports_.reader, clock_,
                                        {.subquery_step = options_.interval});
    states_.apply(result);
    ++totals_.evaluations;
    any = true;
  }
  if (!any) return;
  rule_error_.clear();
  for (std::size_t g = 0; g < next_.size(); ++g) {
    for (std::size_t r = 0; r < states_.rules()[g].rules.size(); ++r) {
      const RuleRun& run = states_.run_of(g, r);
      if (run.error.empty()) continue;
      if (run.time == now) ++totals_.rule_failures;
      if (rule_error_.empty()) {
        rule_error_ =
            fmt::format("cannot evaluate {}: {}", states_.rules()[g].rules[r].name, run.error);
      }
    }
  }
  totals_.last_evaluation = now;
  totals_.last_duration =
      std::chrono::duration_cast<std::chrono::microseconds>(clock_.steady_now() - start);
  note(states_.take_changes());
  // Only what is pending asks for it, after a restart.
  const auto alerts = states_.alerts();
  if (std::ranges::any_of(alerts,
                          [](const auto& alert) { return alert.state == AlertState::kPending; })) {
    RecordWriter writer;
    writer.add("evaluated_at", now);
    unwritten_[{std::string(kRunKind), std::string(kLastRun)}] = writer.take();
  }
}

void Alerting::tell(WallTime now) {
  const auto alerts = states_.alerts();
  std::vector<model::AlertNotification> messages;
  {
    MutexLock lock(mutex_);
    messages = dispatcher_.due(now, alerts, silences_);
  }
  for (const model::AlertNotification& message : messages) {
    if (const auto taken = ports_.deliver(message); taken) {
      dispatcher_.told(message);
      ++totals_.messages;
      message_error_.clear();
    } else {
      dispatcher_.put_off(message, now + kTryAgain);
      ++totals_.message_failures;
      message_error_ = taken.error().message;
    }
  }
  note(dispatcher_.take_changes());
}

void Alerting::note(std::vector<model::StateChange> changes) {
  for (model::StateChange& change : changes) {
    unwritten_[{std::move(change.kind), std::move(change.key)}] = std::move(change.value);
  }
}

void Alerting::write_down() {
  if (unwritten_.empty()) return;
  std::vector<model::StateChange> changes;
  for (const auto& [key, value] : unwritten_) changes.push_back({key.first, key.second, value});
  const auto written = ports_.store.apply(changes);
  store_error_ = written ? "" : written.error().message;
  if (written) unwritten_.clear();
}

void Alerting::publish(WallTime now) {
  std::vector<GroupView> groups;
  AlertingStatus status = totals_;
  for (std::size_t g = 0; g < states_.rules().size(); ++g) {
    const ReadyGroup& group = states_.rules()[g];
    groups.push_back({&group, {}});
    for (std::size_t r = 0; r < group.rules.size(); ++r) {
      groups.back().rules.push_back(
          {&group.rules[r], states_.run_of(g, r), states_.alerts_of(g, r)});
      ++status.rules;
    }
  }
  auto alerts = states_.alerts();
  for (const model::AlertStatus& alert : alerts) {
    status.pending += alert.state == AlertState::kPending ? 1U : 0U;
    status.firing += alert.state == AlertState::kFiring ? 1U : 0U;
  }
  for (const std::string* error : {&store_error_, &message_error_, &rule_error_}) {
    if (status.error.empty()) status.error = *error;
  }
  trouble_.note(status.error);
  MutexLock lock(mutex_);
  status.silences = 0;
  for (const Silence& silence : silences_.all(now)) {
    status.silences += state_of(silence, now) == SilenceState::kActive ? 1U : 0U;
  }
  groups_ = std::move(groups);
  alerts_ = std::move(alerts);
  status_ = std::move(status);
}

std::vector<GroupView> Alerting::rules() const {
  MutexLock lock(mutex_);
  return groups_;
}

std::vector<model::AlertStatus> Alerting::alerts() const {
  MutexLock lock(mutex_);
  std::vector<model::AlertStatus> found;
  std::ranges::copy_if(alerts_, std::back_inserter(found),
                       [](const auto& alert) { return alert.state != AlertState::kResolved; });
  return found;
}

std::vector<model::AlertStatus> Alerting::active() const {
  MutexLock lock(mutex_);
  std::vector<model::AlertStatus> found;
  std::ranges::copy_if(alerts_, std::back_inserter(found),
                       [](const auto& alert) { return alert.state != AlertState::kPending; });
  return found;
}

AlertingStatus Alerting::status() const {
  MutexLock lock(mutex_);
  return status_;
}

std::vector<Silence> Alerting::silences() const {
  MutexLock lock(mutex_);
  return silences_.all(clock_.wall_now());
}

std::optional<Silence> Alerting::silence(std::string_view id) const {
  MutexLock lock(mutex_);
  return silences_.find(id);
}

Result<std::string> Alerting::set_silence(Silence silence) {
  MutexLock lock(mutex_);
  auto id = silences_.set(std::move(silence), clock_.wall_now());
  hurry_ = true;
  wake_.notify_all();
  return id;
}

Result<void> Alerting::expire_silence(std::string_view id) {
  MutexLock lock(mutex_);
  auto ended = silences_.expire(id, clock_.wall_now());
  hurry_ = true;
  wake_.notify_all();
  return ended;
}

}  // namespace gpuscope::alert
