// Who is told of which alerts, and when: grouped, held back, repeated and silenced as Alertmanager
// 0.25 does it with deploy/alertmanager/alertmanager.yml.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "alert/options.h"
#include "alert/record.h"
#include "alert/silences.h"
#include "base/clock.h"
#include "model/alert_status.h"
#include "model/labelled_series.h"
#include "model/state_store.h"

namespace gpuscope::alert {

// While an alert that `source` fits fires, nobody is told of those that `target` fits and that have
// the same labels `equal`. Selectors as query/ has them.
struct Inhibition {
  std::string_view source;
  std::string_view target;
  std::vector<std::string_view> equal;
};
// The same as in alertmanager.yml: a test holds them against it.
std::span<const Inhibition> inhibitions();

// Not thread-safe. A function of what it is given: it has no clock.
class Dispatcher {
 public:
  explicit Dispatcher(DispatchOptions options);

  // What an earlier run left. Returns how many could not be read: those are passed over.
  std::size_t restore(std::span<const model::StateRecord> groups);

  // The messages that are due: whoever calls hands each on, and says then what became of it.
  // `alerts`: all there are.
  std::vector<model::AlertNotification> due(base::WallTime now,
                                            std::span<const model::AlertStatus> alerts,
                                            const Silences& silences);
  // Somebody has taken it for good.
  void told(const model::AlertNotification& message);
  // Nobody could: it is due again then.
  void put_off(const model::AlertNotification& message, base::WallTime until);

  // When due() is to be asked next, though no alert changes; none: not.
  std::optional<base::WallTime> next() const;

  // What is to be kept of what changed since the last call: changes for the store.
  std::vector<model::StateChange> take_changes();

 private:
  struct Group {
    model::Labels labels{};
    std::string receiver{};
    base::WallTime flush_at{};
    // Of which somebody was told that they fire, and of nothing else since.
    std::map<model::Labels, model::AlertStatus> told{};
    base::WallTime told_at{};
    std::uint64_t messages = 0;  // so far
  };
  struct CompiledInhibition {
    std::vector<model::LabelMatcher> source;
    std::vector<model::LabelMatcher> target;
    std::vector<std::string_view> equal;
  };

  // The alerts of one due(), as its parts ask for them.
  struct View {
    std::map<std::string, std::vector<const model::AlertStatus*>, std::less<>> firing;  // by group
    std::vector<const model::AlertStatus*> by_labels;
    // By inhibition: the labels `equal` of every alert that its source fits.
    std::vector<std::set<std::string>> sources;

    const model::AlertStatus* find(const model::Labels& labels) const;
  };

  std::chrono::milliseconds longest_wait() const;
  View view_of(std::span<const model::AlertStatus> alerts) const;
  bool inhibited(const model::AlertStatus& alert, const View& view) const;
  void open_groups(base::WallTime now, const View& view);
  std::optional<model::AlertNotification> message_of(const std::string& key, Group& group,
                                                     base::WallTime now, const View& view,
                                                     const Silences& silences);
  void keep(const std::string& key, const Group& group);

  DispatchOptions options_;
  std::vector<CompiledInhibition> inhibitions_;
  std::map<std::string, Group> groups_;
  std::vector<model::StateChange> changes_;
};

}  // namespace gpuscope::alert
