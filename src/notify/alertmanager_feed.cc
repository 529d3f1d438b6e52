#include "notify/alertmanager_feed.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "base/web_url.h"
#include "http/web_client.h"
#include "notify/delivery_queue.h"
#include "notify/sender.h"
#include "wire/webhook_message.h"

namespace gpuscope::notify {
namespace {

using base::LogLevel;
using base::MutexLock;
using base::Result;
using base::SteadyTime;
using model::AlertStatus;

constexpr int kIntervalsUntilItEnds = 4;

}  // namespace

// One Alertmanager.
class AlertmanagerFeed::Link {
 public:
  Link(base::Clock& clock, const AlertmanagerOptions& options, const std::string& url,
       Alerts alerts, std::unique_ptr<http::WebClient> client)
      : clock_(clock),
        options_(options),
        url_(url + "/api/v2/alerts"),
        alerts_(std::move(alerts)),
        client_(std::move(client)) {
    status_.name = "alertmanager";
    status_.server = base::url_origin(url);
    status_.severities = fmt::format("{}", fmt::join(options.severities, ", "));
  }
  ~Link() { stop(); }
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  Result<void> start() {
    return base::start_thread(thread_, "alertmanager", [this] { run(); });
  }
  void stop() {
    {
      MutexLock lock(mutex_);
      stopping_ = true;
      wake_.notify_all();
    }
    client_->cancel();
    if (thread_.joinable()) thread_.join();
  }
  model::ReceiverStatus status() const {
    MutexLock lock(mutex_);
    return status_;
  }

 private:
  void run();
  // What there is to be told of.
  std::vector<AlertStatus> alerts() const;
  // Whether it is told of `now` at this time: it has changed, or is to be said again.
  bool is_due(const std::vector<AlertStatus>& now) const;
  void send(const std::vector<AlertStatus>& now);
  void note(const Attempt& attempt);
  bool wait();

  base::Clock& clock_;
  const AlertmanagerOptions options_;
  const std::string url_;
  const Alerts alerts_;
  const std::unique_ptr<http::WebClient> client_;
  std::thread thread_;
  // Of the thread alone.
  std::vector<std::string> told_;  // what was sent last, by what counts of it
  SteadyTime again_{};             // when it is to be said again, or tried again
  std::uint32_t failures_ = 0;     // in a row

  mutable base::Mutex mutex_;
  base::CondVar wake_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  model::ReceiverStatus status_ GUARDED_BY(mutex_);
};

std::vector<AlertStatus> AlertmanagerFeed::Link::alerts() const {
  std::vector<AlertStatus> all = alerts_();
  std::erase_if(all, [&](const AlertStatus& alert) {
    const std::string_view severity = model::label_value(alert.labels, "severity");
    return alert.state == model::AlertState::kPending ||
           std::ranges::find(options_.severities, severity) == options_.severities.end();
  });
  return all;
}

// A value that moves is no change.
static std::vector<std::string> gist(const std::vector<AlertStatus>& alerts) {
  std::vector<std::string> gist;
  gist.reserve(alerts.size());
  for (const AlertStatus& alert : alerts) {
    gist.push_back(fmt::format(
        "{} {} {}", wire::alert_fingerprint(alert.labels), model::alert_state_name(alert.state),
        alert.fired_at.value_or(alert.active_since).time_since_epoch().count()));
  }
  std::ranges::sort(gist);
  return gist;
}

bool AlertmanagerFeed::Link::is_due(const std::vector<AlertStatus>& now) const {
  if (clock_.steady_now() >= again_) return !now.empty();
  // While it does not answer, nothing is said early.
  return failures_ == 0 && !now.empty() && gist(now) != told_;
}

void AlertmanagerFeed::Link::send(const std::vector<AlertStatus>& now) {
  const base::WallTime time = clock_.wall_now();
  auto headers = request_headers({}, options_.token);
  Attempt attempt;
  if (headers) {
    headers->emplace_back("Content-Type", "application/json");
    std::string body;
    wire::append_alertmanager_alerts(body, now, time + options_.interval * kIntervalsUntilItEnds);
    http::WebRequest request{.method = "POST", .url = url_, .headers = std::move(*headers)};
    request.body = body;
    attempt = judge_answer(client_->send(request), base::url_origin(url_), time);
  } else {
    attempt = {Attempt::Outcome::kDown, headers.error().message};
  }
  const bool sent = attempt.outcome == Attempt::Outcome::kSent;
  if (sent) told_ = gist(now);
  failures_ = sent ? 0 : failures_ + 1;
  RetryOptions retry;
  retry.longest = options_.interval;
  const auto dice = std::hash<std::string>{}(url_) + failures_;
  again_ = clock_.steady_now() + (sent ? options_.interval : back_off(retry, failures_, dice));
  note(attempt);
}

void AlertmanagerFeed::Link::note(const Attempt& attempt) {
  std::string before;
  const bool sent = attempt.outcome == Attempt::Outcome::kSent;
  const base::WallTime now = clock_.wall_now();
  {
    MutexLock lock(mutex_);
    if (stopping_) return;
    before = std::exchange(status_.error, attempt.error);
    if (sent) status_.last_sent = now;
    ++(sent ? status_.sent : status_.retries);
  }
  if (attempt.error == before) return;
  base::log(sent ? LogLevel::kInfo : LogLevel::kWarning,
            sent ? "sends to alertmanager again" : attempt.error);
}

bool AlertmanagerFeed::Link::wait() {
  MutexLock lock(mutex_);
  const SteadyTime until = clock_.steady_now() + options_.look;
  while (!stopping_ && clock_.steady_now() < until) clock_.wait_until(wake_, lock, until);
  return !stopping_;
}

void AlertmanagerFeed::Link::run() {
  do {
    const std::vector<AlertStatus> now = alerts();
    if (is_due(now)) send(now);
  } while (wait());
}

AlertmanagerFeed::AlertmanagerFeed() = default;
AlertmanagerFeed::~AlertmanagerFeed() { stop(); }

Result<std::unique_ptr<AlertmanagerFeed>> AlertmanagerFeed::start(
    base::Clock& clock, const AlertmanagerOptions& options, const Alerts& alerts) {
  std::unique_ptr<AlertmanagerFeed> feed(new AlertmanagerFeed());
  for (const std::string& url : options.urls) {
    auto client = http::WebClient::create({.connect_timeout = options.connect_timeout,
                                           .timeout = options.timeout,
                                           .ca_file = options.ca_file});
    if (!client) return std::unexpected(std::move(client.error()));
    feed->links_.push_back(std::make_unique<Link>(clock, options, url, alerts, std::move(*client)));
    if (auto started = feed->links_.back()->start(); !started) {
      return std::unexpected(std::move(started.error()));
    }
  }
  return feed;
}

std::vector<model::ReceiverStatus> AlertmanagerFeed::statuses() const {
  std::vector<model::ReceiverStatus> all;
  all.reserve(links_.size());
  for (const auto& link : links_) all.push_back(link->status());
  return all;
}

void AlertmanagerFeed::stop() {
  for (const auto& link : links_) link->stop();
}

}  // namespace gpuscope::notify
