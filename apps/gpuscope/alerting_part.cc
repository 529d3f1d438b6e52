#include "alerting_part.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <iterator>
#include <utility>
#include <vector>

#include "config/rule_file.h"

namespace gpuscope::app {
namespace {

constexpr int kMicroDigits = 6;  // of a time in seconds
// A driver that does not come is not waited for any longer.
constexpr std::chrono::minutes kFirstTickLimit{1};

base::Error mistakes_error(const std::vector<alert::RuleMistake>& mistakes) {
  std::vector<std::string> lines;
  for (const alert::RuleMistake& mistake : mistakes) lines.push_back(config::describe(mistake));
  return {base::ErrorKind::kInvalidArgument,
          fmt::format("cannot use the rules of alerts:\n  {}", fmt::join(lines, "\n  "))};
}

base::Result<std::vector<alert::RuleGroup>> read_rules(const config::AgentSettings& settings) {
  std::vector<alert::RuleGroup> groups;
  std::vector<alert::RuleMistake> mistakes;
  const auto take = [&](config::RuleFile file) {
    std::ranges::move(file.groups, std::back_inserter(groups));
    std::ranges::move(file.mistakes, std::back_inserter(mistakes));
  };
  if (settings.alerts.rule_files.empty()) take(config::builtin_rules());
  for (const std::string& path : settings.alerts.rule_files) {
    auto file = config::read_rule_file(path);
    if (!file) return std::unexpected(std::move(file.error()));
    take(std::move(*file));
  }
  if (!mistakes.empty()) return std::unexpected(mistakes_error(mistakes));
  return groups;
}

}  // namespace

base::Result<std::unique_ptr<alert::Alerting>> make_alerting(const config::AgentSettings& settings,
                                                             const AlertingSetup& setup,
                                                             base::Clock& clock) {
  if (!settings.alerts.enabled || setup.series == nullptr) return nullptr;
  alert::AlertingOptions options = settings.alerts.options;
  auto rules = read_rules(settings);
  if (!rules) return std::unexpected(std::move(rules.error()));
  options.rules = std::move(*rules);
  options.external_url = setup.url;
  const base::SteadyTime latest = clock.steady_now() + kFirstTickLimit;
  auto made =
      alert::Alerting::make(clock, std::move(options),
                            {.reader = *setup.series,
                             .store = setup.store,
                             .deliver = setup.deliver,
                             .ready = [&collector = setup.collector, &clock, latest] {
                               return collector.peek(collector.primary()).snapshot != nullptr ||
                                      clock.steady_now() > latest;
                             }});
  if (!made) return std::unexpected(mistakes_error(made.error()));
  return std::move(*made);
}

std::string why_no_alerting(const config::AgentSettings& settings) {
  return settings.alerts.enabled
             ? "cannot alert: this agent keeps no history, which rules are evaluated over"
             : "cannot alert: it was told not to, by the setting alerts";
}

std::optional<wire::AlertingHealth> alerting_health(const alert::Alerting* alerting) {
  if (alerting == nullptr) return std::nullopt;
  const alert::AlertingStatus status = alerting->status();
  return wire::AlertingHealth{.error = status.error,
                              .rules = status.rules,
                              .pending = status.pending,
                              .firing = status.firing,
                              .silences = status.silences,
                              .last_evaluation = status.last_evaluation};
}

void add_metrics(const alert::Alerting& alerting, api::PartMetrics& parts) {
  const alert::AlertingStatus status = alerting.status();
  const auto gauge = [&](std::string_view name, std::string_view help, auto value, int digits = 0) {
    parts.gauges.push_back({name, help, static_cast<std::int64_t>(value), digits});
  };
  gauge("gpuscope_alerting_up", "1 while rules are evaluated and messages handed on",
        status.error.empty() ? 1 : 0);
  gauge("gpuscope_alerts_pending", "Alerts whose condition has not held for long enough yet",
        status.pending);
  gauge("gpuscope_alerts_firing", "Alerts that fire", status.firing);
  gauge("gpuscope_alert_silences", "Silences in force", status.silences);
  if (status.last_evaluation) {
    gauge("gpuscope_alerting_last_evaluation_timestamp_seconds", "When rules were evaluated last",
          status.last_evaluation->time_since_epoch().count(), kMicroDigits);
    gauge("gpuscope_alerting_last_evaluation_duration_seconds", "How long that took",
          status.last_duration.count(), kMicroDigits);
  }
  parts.counters.push_back({"gpuscope_alerting_evaluations_total", "Evaluations of groups of rules",
                            status.evaluations});
  parts.counters.push_back({"gpuscope_alerting_rule_failures_total",
                            "Evaluations of rules that came to nothing", status.rule_failures});
  parts.counters.push_back({"gpuscope_alerting_messages_total",
                            "Messages that were handed on to be delivered", status.messages});
  parts.counters.push_back({"gpuscope_alerting_message_failures_total",
                            "Attempts to hand a message on that came to nothing",
                            status.message_failures});
}

}  // namespace gpuscope::app
