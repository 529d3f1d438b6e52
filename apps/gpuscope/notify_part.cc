#include "notify_part.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "agent_parts.h"
#include "history/state_store.h"
#include "metrics_setup.h"
#include "model/memory_state_store.h"

namespace gpuscope::app {

std::unique_ptr<model::StateStore> open_states(const config::AgentSettings& settings) {
  if (settings.data_dir.empty()) return std::make_unique<model::MemoryStateStore>();
  return std::make_unique<history::SqliteStateStore>(history_path(settings.data_dir));
}

NotifyPart::NotifyPart(base::Clock& clock, notify::AlertmanagerOptions alertmanager, bool durable)
    : clock_(clock), alertmanager_(std::move(alertmanager)), durable_(durable) {}

base::Result<std::unique_ptr<NotifyPart>> NotifyPart::start(
    const config::AgentSettings& settings, base::Clock& clock, model::StateStore& store,
    const notify::Surroundings& surroundings) {
  const notify::Options& options = settings.notify.options;
  std::unique_ptr<NotifyPart> part(new NotifyPart(clock, options.alertmanager, store.durable()));
  auto notifier = notify::Notifier::start(clock, options, store, surroundings);
  if (!notifier) return std::unexpected(std::move(notifier.error()));
  part->notifier_ = std::move(*notifier);
  return part;
}

base::Result<void> NotifyPart::follow(notify::AlertmanagerFeed::Alerts alerts) {
  if (alertmanager_.urls.empty()) return {};
  auto feed = notify::AlertmanagerFeed::start(clock_, alertmanager_, std::move(alerts));
  if (!feed) return std::unexpected(std::move(feed.error()));
  feed_ = std::move(*feed);
  return {};
}

void NotifyPart::unfollow() {
  if (feed_) feed_->stop();
}

void NotifyPart::stop() {
  unfollow();
  notifier_->stop();
}

std::vector<model::ReceiverStatus> NotifyPart::receivers() const {
  std::vector<model::ReceiverStatus> all = notifier_->statuses();
  if (feed_) std::ranges::move(feed_->statuses(), std::back_inserter(all));
  return all;
}

wire::Notifications NotifyPart::look(std::size_t most) const {
  auto view = notifier_->view(most);
  return {.receivers = receivers(),
          .deliveries = std::move(view.deliveries),
          .store_error = std::move(view.store_error),
          .durable = durable_};
}

std::optional<wire::NotificationsHealth> NotifyPart::health() const {
  const auto all = receivers();
  if (all.empty()) return std::nullopt;
  wire::NotificationsHealth health;
  health.error = notifier_->view(0).store_error;
  health.durable = durable_;
  health.receivers = all.size();
  for (const model::ReceiverStatus& receiver : all) {
    health.queued += receiver.queued;
    health.failed += receiver.failed;
    if (receiver.error.empty()) continue;
    if (!health.error.empty()) health.error += "; ";
    health.error += receiver.name + ": " + receiver.error;
  }
  return health;
}

void NotifyPart::add_metrics(api::PartMetrics& parts) const {
  const auto all = receivers();
  if (all.empty()) return;
  model::ReceiverStatus sum;
  std::int64_t failing = 0;
  for (const model::ReceiverStatus& receiver : all) {
    sum.queued += receiver.queued;
    sum.sent += receiver.sent;
    sum.failed += receiver.failed;
    sum.retries += receiver.retries;
    if (!receiver.error.empty()) ++failing;
  }
  parts.gauges.push_back({"gpuscope_notifications_queued", "Messages of alerts that wait",
                          static_cast<std::int64_t>(sum.queued)});
  parts.gauges.push_back({"gpuscope_notifications_failing_receivers",
                          "Receivers of alerts whose last attempt failed", failing});
  parts.counters.push_back(
      {"gpuscope_notifications_sent_total", "Messages of alerts that were sent", sum.sent});
  parts.counters.push_back(
      {"gpuscope_notifications_failed_total", "Messages of alerts that were given up", sum.failed});
  parts.counters.push_back({"gpuscope_notifications_retries_total",
                            "Attempts that failed and are made again", sum.retries});
}

notify::Surroundings notify_surroundings(const config::AgentSettings& settings,
                                         const collect::Collector& collector,
                                         const history::History* history) {
  notify::Surroundings surroundings;
  surroundings.host = settings.hostname.empty() ? own_hostname() : settings.hostname;
  surroundings.external_url = settings.notify.external_url;
  surroundings.simulated = [&collector](const model::AlertNotification&) {
    const collect::View view = collector.peek(collector.primary());
    // Before the first tick, what an earlier agent left is sent already.
    return view.snapshot ? view.snapshot->inventory->simulated : collector.primary() == "sim";
  };
  if (history != nullptr) {
    surroundings.open_series = [history] { return history->reader(); };
  }
  return surroundings;
}

}  // namespace gpuscope::app
