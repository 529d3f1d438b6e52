// Alerts of one agent: rules evaluated over its own history, on a thread of their own, messages
// handed on.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "alert/dispatcher.h"
#include "alert/options.h"
#include "alert/rule_states.h"
#include "alert/silences.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/queue_thread.h"
#include "base/result.h"
#include "model/alert_status.h"
#include "model/labelled_series.h"
#include "model/state_store.h"

namespace gpuscope::alert {

// All of them outlive the Alerting.
struct AlertingPorts {
  const model::LabelledSeriesReader& reader;
  model::StateStore& store;
  // Takes a message for good, or says why not; called on the thread that evaluates, may wait.
  std::function<base::Result<void>(const model::AlertNotification&)> deliver;
  // Whether anything was read since the start: before, everything would look as if it were gone.
  std::function<bool()> ready;
};

// How rules stand, as of the last evaluation.
struct RuleView {
  const ReadyRule* rule = nullptr;  // of the Alerting, which it must not outlive
  RuleRun run;
  std::vector<model::AlertStatus> alerts;  // pending and firing
};
struct GroupView {
  const ReadyGroup* group = nullptr;
  std::vector<RuleView> rules;
};

struct AlertingStatus {
  std::size_t rules = 0;
  std::size_t pending = 0;
  std::size_t firing = 0;
  std::size_t silences = 0;       // in force
  std::uint64_t evaluations = 0;  // of groups
  std::uint64_t rule_failures = 0;
  std::uint64_t messages = 0;  // that somebody took
  std::uint64_t message_failures = 0;
  std::optional<base::WallTime> last_evaluation;
  std::chrono::microseconds last_duration{};  // of all groups that were due
  std::string error;                          // what does not work now; empty: nothing
};

class Alerting {
 public:
  // Mistakes of the rules.
  static std::expected<std::unique_ptr<Alerting>, std::vector<RuleMistake>> make(
      base::Clock& clock, AlertingOptions options, AlertingPorts ports);
  ~Alerting() { stop(); }
  Alerting(const Alerting&) = delete;
  Alerting& operator=(const Alerting&) = delete;

  // Starts the thread; stop() joins it, and writes down what changed. Both belong to one thread.
  base::Result<void> start();
  void stop();

  // All that is to be done at this time, by whoever drives it: the thread, or a test. Returns when
  // there is more to do.
  base::WallTime step(base::WallTime now);

  // Thread-safe, at once: as of the last step.
  std::vector<GroupView> rules() const;
  // Pending and firing ones.
  std::vector<model::AlertStatus> alerts() const;
  // Firing ones, and those that resolved within the last 15 minutes.
  std::vector<model::AlertStatus> active() const;
  AlertingStatus status() const;

  // Thread-safe, at once; what changes is written down by the thread. Errors as of Silences.
  std::vector<Silence> silences() const;
  std::optional<Silence> silence(std::string_view id) const;
  base::Result<std::string> set_silence(Silence silence);
  base::Result<void> expire_silence(std::string_view id);
  base::WallTime now() const { return clock_.wall_now(); }

 private:
  Alerting(base::Clock& clock, AlertingOptions options, AlertingPorts ports, RuleSet rules);

  void run();
  void wait(base::WallTime until);
  // Whether what an earlier run left is there, or is not waited for any more.
  bool restored(base::WallTime now);
  base::Result<void> restore();
  void evaluate_due(base::WallTime now);
  void tell(base::WallTime now);
  void note(std::vector<model::StateChange> changes);
  void write_down();
  void publish(base::WallTime now);

  base::Clock& clock_;
  const AlertingOptions options_;
  AlertingPorts ports_;
  std::thread thread_;

  // Of the thread alone.
  RuleStates states_;
  Dispatcher dispatcher_;
  std::vector<base::WallTime> next_;  // by group
  bool is_restored_ = false;
  std::optional<base::WallTime> first_step_;
  // What the store does not have yet, by kind and key.
  std::map<std::pair<std::string, std::string>, std::optional<std::string>> unwritten_;
  std::string store_error_;
  std::string message_error_;
  std::string rule_error_;
  AlertingStatus totals_;
  base::TroubleLog trouble_{"alerting works again"};

  mutable base::Mutex mutex_;
  base::CondVar wake_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool hurry_ GUARDED_BY(mutex_) = false;  // a silence changed
  Silences silences_ GUARDED_BY(mutex_);
  std::vector<GroupView> groups_ GUARDED_BY(mutex_);
  std::vector<model::AlertStatus> alerts_ GUARDED_BY(mutex_);
  AlertingStatus status_ GUARDED_BY(mutex_);
};

}  // namespace gpuscope::alert
