// `gpuscope notify test`: one message to each receiver, now, and what both sides said.
#include <fmt/format.h>
#include <unistd.h>

#include <iostream>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/web_url.h"
#include "commands.h"
#include "config/agent_settings.h"
#include "http/web_client.h"
#include "metrics_setup.h"
#include "notify/message_text.h"
#include "notify/sender.h"
#include "wire/webhook_message.h"

namespace gpuscope::app {
namespace {

using model::AlertNotification;
using model::AlertState;
using model::AlertStatus;

AlertNotification test_message(const std::string& host, std::string_view severity,
                               base::WallTime now) {
  AlertStatus alert;
  alert.labels = {{"alertname", "GpuscopeTest"},
                  {"instance", host},
                  {"service", "gpu-monitoring"},
                  {"severity", std::string(severity)}};
  alert.annotations = {
      {"description", "Somebody ran `gpuscope notify test`. Nothing is wrong with any GPU."},
      {"summary", "This is a test of how alerts are sent"}};
  alert.state = AlertState::kFiring;
  alert.active_since = now;
  alert.fired_at = now;
  alert.value = 1;
  alert.rule = "GpuscopeTest";
  AlertNotification message;
  message.id = fmt::format("test/{}", now.time_since_epoch().count());
  message.group_key = message.id;
  message.group_labels = {{"alertname", "GpuscopeTest"}};
  message.receiver = severity;
  message.time = now;
  message.alerts.push_back(std::move(alert));
  return message;
}

bool report(const std::string& what, const notify::Attempt& attempt) {
  for (const std::string& step : attempt.steps) std::cout << "  " << step << '\n';
  const bool sent = attempt.outcome == notify::Attempt::Outcome::kSent;
  std::cout << fmt::format("{}: {}\n", what, sent ? "sent" : attempt.error) << std::flush;
  return sent;
}

bool test_receiver(const notify::Receiver& receiver, base::Clock& clock,
                   const notify::Surroundings& surroundings) {
  auto sender = notify::make_sender(receiver, clock, surroundings);
  if (!sender)
    return report(receiver.name, {notify::Attempt::Outcome::kDown, sender.error().message});
  if (receiver.severities.empty()) {
    std::cout << fmt::format("{}: no severity goes there\n", receiver.name);
    return true;
  }
  bool all = true;
  for (const std::string& severity : receiver.severities) {
    const auto message = std::make_shared<const AlertNotification>(
        test_message(surroundings.host, severity, clock.wall_now()));
    for (const std::string& to : notify::addresses(receiver, severity)) {
      model::Delivery delivery;
      delivery.id = message->id;
      delivery.thread = message->id;
      delivery.to = to;
      delivery.message = message;
      const std::string what =
          fmt::format("{} ({}{}{})", receiver.name, severity, to.empty() ? "" : ", to ", to);
      std::cout << fmt::format("{} through {}\n", what, (*sender)->server());
      all = report(what, (*sender)->send(delivery)) && all;
    }
  }
  return all;
}

bool test_alertmanager(const notify::AlertmanagerOptions& options, const std::string& url,
                       base::Clock& clock, const std::string& host) {
  const std::string what = fmt::format("alertmanager ({})", base::url_origin(url));
  auto client = http::WebClient::create({.connect_timeout = options.connect_timeout,
                                         .timeout = options.timeout,
                                         .ca_file = options.ca_file});
  auto headers = notify::request_headers({}, options.token);
  if (!client || !headers) {
    return report(what, {notify::Attempt::Outcome::kDown,
                         client ? headers.error().message : client.error().message});
  }
  const base::WallTime now = clock.wall_now();
  const AlertNotification message = test_message(host, "info", now);
  std::string body;
  wire::append_alertmanager_alerts(body, message.alerts, now + std::chrono::minutes{1});
  headers->emplace_back("Content-Type", "application/json");
  http::WebRequest request{
      .method = "POST", .url = url + "/api/v2/alerts", .headers = std::move(*headers)};
  request.body = body;
  return report(what, notify::judge_answer((*client)->send(request), base::url_origin(url), now));
}

}  // namespace

int run(const NotifyTestCommand& command) {
  const auto settings =
      config::load_agent_settings(command.flags, config::process_environment(), geteuid() == 0);
  if (!settings) {
    std::cerr << "gpuscope: " << settings.error().message << '\n';
    return 1;
  }
  base::SystemClock clock;
  const notify::Options& options = settings->notify.options;
  notify::Surroundings surroundings;
  surroundings.host = settings->hostname.empty() ? own_hostname() : settings->hostname;
  surroundings.external_url = settings->notify.external_url;
  bool all = true;
  std::size_t tested = 0;
  for (const notify::Receiver& receiver : options.receivers) {
    if (!command.receiver.empty() && command.receiver != receiver.name) continue;
    ++tested;
    all = test_receiver(receiver, clock, surroundings) && all;
  }
  for (const std::string& url : options.alertmanager.urls) {
    if (!command.receiver.empty() && command.receiver != "alertmanager") continue;
    ++tested;
    all = test_alertmanager(options.alertmanager, url, clock, surroundings.host) && all;
  }
  if (tested > 0) return all ? 0 : 1;
  std::cerr << (command.receiver.empty()
                    ? std::string("gpuscope: cannot send a test: nobody is to be told of alerts; "
                                  "give SMTP_HOST and EMAIL_TO, or a webhook\n")
                    : fmt::format("gpuscope: cannot send a test: there is no receiver '{}'\n",
                                  command.receiver));
  return 1;
}

}  // namespace gpuscope::app
