#include "notify/sender.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "base/web_url.h"
#include "http/web_answer.h"
#include "notify/message_chart.h"
#include "notify/message_text.h"
#include "notify/mime.h"
#include "notify/smtp_client.h"
#include "wire/webhook_message.h"

namespace gpuscope::notify {
namespace {

using base::ErrorKind;
using base::Result;
using model::AlertNotification;
using model::Delivery;
using Outcome = Attempt::Outcome;

constexpr std::chrono::hours kLongestWait{1};  // whatever a server asks for

bool is_simulated(const Surroundings& surroundings, const AlertNotification& message) {
  return surroundings.simulated && surroundings.simulated(message);
}

// The same for every attempt, so that a mail that comes twice can be told for one.
std::string message_id(const std::string& id, const std::string& to, const std::string& host) {
  return fmt::format("{}.{}@{}", wire::alert_fingerprint({{"id", id}}),
                     wire::alert_fingerprint({{"to", to}}), host);
}

// The part of an address behind the "@": a name that belongs to whoever sends.
std::string domain_of(const std::string& address) { return address.substr(address.find('@') + 1); }

class EmailSender final : public Sender {
 public:
  EmailSender(EmailOptions options, std::unique_ptr<SmtpClient> client, base::Clock& clock,
              Surroundings surroundings)
      : options_(std::move(options)),
        client_(std::move(client)),
        clock_(clock),
        surroundings_(std::move(surroundings)) {}

  Attempt send(const Delivery& delivery) override {
    const SmtpResult result = client_->send(delivery.to, compose(delivery));
    return {judge(result), result.error, std::nullopt, result.steps};
  }
  void cancel() override { client_->cancel(); }
  std::string server() const override { return client_->server(); }

 private:
  static Outcome judge(const SmtpResult& result) {
    constexpr int kPermanent = 500;
    constexpr int kTransient = 400;
    constexpr int kShuttingDown = 421;
    if (result.sent) return Outcome::kSent;
    if (result.cancelled) return Outcome::kCancelled;
    const bool of_this_mail = result.stage >= SmtpStage::kRecipient && result.code >= kTransient;
    if (!of_this_mail || result.code == kShuttingDown) return Outcome::kDown;
    return result.code >= kPermanent ? Outcome::kRefused : Outcome::kLater;
  }

  std::string compose(const Delivery& delivery) const {
    const AlertNotification& message = *delivery.message;
    MailText text;
    text.host = surroundings_.host;
    text.external_url = surroundings_.external_url;
    text.simulated = is_simulated(surroundings_, message);
    text.sent = clock_.wall_now();
    const auto metric = find_alert_metric(message.alerts.front().expression);
    if (metric && metric->is_value) text.unit = metric->unit;
    const auto series = surroundings_.open_series ? surroundings_.open_series() : nullptr;
    if (series) text.chart = make_chart(message, *series, text.sent);
    Mail mail;
    mail.from = options_.from;
    mail.from_name = options_.from_name;
    mail.to = delivery.to;
    mail.subject = message_subject(message, text.simulated);
    mail.date = text.sent;
    const std::string domain = domain_of(options_.from);
    mail.message_id = message_id(delivery.id, delivery.to, domain);
    if (delivery.thread != delivery.id) {
      mail.in_reply_to = message_id(delivery.thread, delivery.to, domain);
    }
    const std::string chart_id = "chart." + mail.message_id;
    mail.plain = message_plain(message, text);
    mail.html = message_html(message, text, chart_id);
    if (text.chart) mail.picture = Picture{std::move(text.chart->png), chart_id};
    return encode_mail(mail);
  }

  const EmailOptions options_;
  const std::unique_ptr<SmtpClient> client_;
  base::Clock& clock_;
  const Surroundings surroundings_;
};

class WebhookSender final : public Sender {
 public:
  WebhookSender(std::string name, WebhookOptions options, std::unique_ptr<http::WebClient> client,
                base::Clock& clock, Surroundings surroundings)
      : name_(std::move(name)),
        options_(std::move(options)),
        client_(std::move(client)),
        clock_(clock),
        surroundings_(std::move(surroundings)) {}

  Attempt send(const Delivery& delivery) override {
    const auto url = base::read_secret(options_.url);
    if (!url) return {Outcome::kDown, url.error().message};
    auto headers = request_headers(options_.headers, options_.token);
    if (!headers) return {Outcome::kDown, headers.error().message};
    const std::string body = compose(delivery);
    http::WebRequest request{.method = "POST", .url = *url, .headers = std::move(*headers)};
    request.headers.emplace_back("Content-Type", "application/json");
    request.headers.emplace_back("Idempotency-Key", wire::alert_fingerprint({{"id", delivery.id}}));
    request.body = body;
    const auto answer = client_->send(request);
    const std::string to = base::url_origin(*url);
    Attempt attempt = judge_answer(answer, to, clock_.wall_now());
    if (cancelled_ && attempt.outcome != Outcome::kSent) attempt.outcome = Outcome::kCancelled;
    attempt.steps.push_back(fmt::format("> POST to {}, {} bytes", to, body.size()));
    if (answer) {
      attempt.steps.push_back(fmt::format("< {} {}", answer->status, http::one_line(answer->body)));
    }
    return attempt;
  }
  void cancel() override {
    cancelled_ = true;
    client_->cancel();
  }
  std::string server() const override {
    const auto url = base::read_secret(options_.url);
    return url ? base::url_origin(*url) : options_.url.file;
  }

 private:
  std::string compose(const Delivery& delivery) const {
    const AlertNotification& message = *delivery.message;
    const bool simulated = is_simulated(surroundings_, message);
    const std::string subject = message_subject(message, simulated);
    const wire::MessageContext context{name_, subject, surroundings_.host,
                                       surroundings_.external_url, simulated};
    std::string body;
    switch (options_.format) {
      case WebhookFormat::kJson:
        wire::append_webhook_message(body, message, context);
        break;
      case WebhookFormat::kSlack:
        wire::append_slack_message(body, message, context);
        break;
      case WebhookFormat::kTeams:
        wire::append_teams_message(body, message, context);
        break;
    }
    return body;
  }

  const std::string name_;
  const WebhookOptions options_;
  const std::unique_ptr<http::WebClient> client_;
  base::Clock& clock_;
  const Surroundings surroundings_;
  std::atomic<bool> cancelled_ = false;
};

Result<std::unique_ptr<Sender>> make_email(const EmailOptions& options, base::Clock& clock,
                                           const Surroundings& surroundings) {
  auto client = SmtpClient::create(options);
  if (!client) return std::unexpected(std::move(client.error()));
  return std::make_unique<EmailSender>(options, std::move(*client), clock, surroundings);
}

Result<std::unique_ptr<Sender>> make_webhook(const std::string& name, const WebhookOptions& options,
                                             base::Clock& clock, const Surroundings& surroundings) {
  constexpr std::size_t kMostBody = 4096;  // what a server says of itself when it refuses
  auto client = http::WebClient::create({.connect_timeout = options.connect_timeout,
                                         .timeout = options.timeout,
                                         .max_body_bytes = kMostBody,
                                         .ca_file = options.ca_file});
  if (!client) return std::unexpected(std::move(client.error()));
  return std::make_unique<WebhookSender>(name, options, std::move(*client), clock, surroundings);
}

}  // namespace

Attempt judge_answer(const Result<http::WebResponse>& answer, const std::string& server,
                     base::WallTime now) {
  if (!answer) return {Outcome::kDown, answer.error().message};
  constexpr int kTimeout = 408;
  constexpr int kTooMany = 429;
  const int status = answer->status;
  if (status >= 200 && status < 300) return {};
  Attempt attempt;
  const std::string said = http::one_line(answer->body);
  attempt.error = fmt::format("cannot send to {}: it answers {}{}", server, status,
                              said.empty() ? "" : fmt::format(" ('{}')", said));
  const bool again = status >= 500 || status == kTimeout || status == kTooMany;
  attempt.outcome = again ? Outcome::kLater : Outcome::kRefused;
  if (const auto wait = answer->header("retry-after"); wait && again) {
    attempt.wait = http::parse_retry_after(*wait, now);
    if (attempt.wait)
      attempt.wait = std::min<std::chrono::milliseconds>(*attempt.wait, kLongestWait);
  }
  return attempt;
}

Result<std::vector<std::pair<std::string, std::string>>> request_headers(
    const base::Secret& lines, const base::Secret& token) {
  const auto text = base::read_secret(lines);
  if (!text) return std::unexpected(text.error());
  const auto bearer = base::read_secret(token);
  if (!bearer) return std::unexpected(bearer.error());
  auto headers = http::parse_header_lines(*text);
  if (!headers) {
    return base::fail(ErrorKind::kInvalidArgument,
                      "cannot use the headers for a webhook: a line is not 'Name: value'");
  }
  if (!bearer->empty()) headers->emplace_back("Authorization", "Bearer " + *bearer);
  return std::move(*headers);
}

std::vector<std::string> addresses(const Receiver& receiver, std::string_view severity) {
  if (std::ranges::find(receiver.severities, severity) == receiver.severities.end()) return {};
  const auto* const email = std::get_if<EmailOptions>(&receiver.how);
  if (email == nullptr) return {""};
  const auto at = email->to.find(severity);
  return at == email->to.end() ? std::vector<std::string>() : at->second;
}

Result<std::unique_ptr<Sender>> make_sender(const Receiver& receiver, base::Clock& clock,
                                            const Surroundings& surroundings) {
  if (const auto* email = std::get_if<EmailOptions>(&receiver.how)) {
    return make_email(*email, clock, surroundings);
  }
  return make_webhook(receiver.name, std::get<WebhookOptions>(receiver.how), clock, surroundings);
}

}  // namespace gpuscope::notify
