#include "config/notify_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "base/text.h"
#include "base/web_url.h"
#include "config/server_credentials.h"
#include "config/setting_value.h"

namespace gpuscope::config {
namespace {

using base::ErrorKind;
using base::fail;
using base::trimmed;
using std::chrono::milliseconds;

constexpr std::uint16_t kSubmission = 587;
constexpr std::uint16_t kSubmissions = 465;  // TLS from the first byte on (RFC 8314)
constexpr std::uint16_t kLastPort = 65'535;
constexpr milliseconds kMinGiveUp{60'000};
constexpr milliseconds kMinResend{5000};

// What stands between commas; empty parts, too.
std::vector<std::string> parts_of(std::string_view text) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t comma = text.find(',');
    parts.emplace_back(trimmed(text.substr(0, comma)));
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

struct Server {
  std::string host;
  std::uint16_t port = kSubmission;
};

// "mail.example.org:587", "[::1]:25", or without a port.
std::optional<Server> parse_server(std::string_view text) {
  Server server;
  const bool bracketed = text.starts_with('[');
  const std::size_t close = bracketed ? text.find(']') : 0;
  if (close == std::string_view::npos) return std::nullopt;
  const std::size_t colon = text.find(':', close);
  if (colon != std::string_view::npos) {
    const std::string_view digits = text.substr(colon + 1);
    const auto port = parse_number<std::uint16_t>(digits, 1, kLastPort);
    if (!port) return std::nullopt;
    server.port = *port;
  }
  server.host = text.substr(0, colon);
  if (bracketed) {
    if (!server.host.ends_with(']')) return std::nullopt;
    server.host = server.host.substr(1, server.host.size() - 2);
  }
  const auto allowed = [&](char c) {
    return base::is_name_char(c) || c == '.' || c == '-' || (bracketed && c == ':');
  };
  if (server.host.empty() || !std::ranges::all_of(server.host, allowed)) return std::nullopt;
  return server;
}

struct Sender {
  std::string name;
  std::string address;
};

// "gpus@example.org" or "GPU alerts <gpus@example.org>".
std::optional<Sender> parse_sender(std::string_view text) {
  Sender sender{.name = "", .address = std::string(trimmed(text))};
  if (const std::size_t open = text.find('<'); open != std::string_view::npos) {
    std::string_view address = trimmed(text.substr(open + 1));
    if (!address.ends_with('>')) return std::nullopt;
    address.remove_suffix(1);
    std::string_view name = trimmed(text.substr(0, open));
    if (name.size() > 1 && name.front() == '"' && name.back() == '"') {
      name = name.substr(1, name.size() - 2);
    }
    sender = {.name = std::string(name), .address = std::string(trimmed(address))};
  }
  if (!notify::is_mail_address(sender.address)) return std::nullopt;
  return sender;
}

std::optional<notify::Tls> parse_tls(std::string_view text) {
  if (text == "none") return notify::Tls::kNone;
  if (text == "starttls") return notify::Tls::kStartTls;
  if (text == "tls") return notify::Tls::kTls;
  return std::nullopt;
}

std::optional<notify::WebhookFormat> parse_format(std::string_view text) {
  if (text == "json") return notify::WebhookFormat::kJson;
  if (text == "slack") return notify::WebhookFormat::kSlack;
  if (text == "teams") return notify::WebhookFormat::kTeams;
  return std::nullopt;
}

std::optional<milliseconds> parse_give_up(std::string_view text) {
  return parse_within(text, kMinGiveUp);
}
std::optional<milliseconds> parse_resend(std::string_view text) {
  return parse_within(text, kMinResend);
}

std::string check_addresses(const Setting& row, std::string_view value) {
  return std::ranges::all_of(parts_of(value), notify::is_mail_address) ? "" : is_not(row, value);
}
std::string check_severities(const Setting& row, std::string_view value) {
  if (value == "none") return "";
  const auto known = [](const std::string& word) {
    return std::ranges::find(notify::kSeverities, word) != std::end(notify::kSeverities);
  };
  return std::ranges::all_of(parts_of(value), known) ? "" : is_not(row, value);
}
// Of a URL that is a secret: what is wrong with it does not repeat it.
std::string check_secret_url(const Setting& row, std::string_view value) {
  return base::check_web_url(value).empty() ? "" : fmt::format("it is not {}", row.takes);
}
std::string check_urls(const Setting& row, std::string_view value) {
  for (const std::string& url : parts_of(value)) {
    if (std::string wrong = check_url(row, url); !wrong.empty()) return wrong;
  }
  return "";
}

constexpr std::string_view kAddresses = "addresses such as ops@example.org,me@example.org";
constexpr std::string_view kSeverityList = "some of info,warning,critical,emergency, or none";
constexpr std::string_view kAll = "info,warning,critical,emergency";

constexpr auto kNotifyTable = std::to_array<Setting>({
    {"smtp-host", "smtp.host", "SMTP_HOST", "HOST:PORT", "a server such as mail.example.org:587",
     "", "the mail server that alerts are sent through; none: nothing is mailed",
     check_by<parse_server>},
    {"smtp-from", "smtp.from", "SMTP_FROM", "ADDRESS",
     "an address such as gpus@example.org or 'GPU alerts <gpus@example.org>'", "",
     "from whom the mails are", check_by<parse_sender>},
    {"smtp-user", "smtp.user", "SMTP_USER", "NAME", "a name", "",
     "who it is to the mail server, with a password", check_present},
    {"smtp-password", "smtp.password", "SMTP_PASS", "TEXT", "a password", "",
     "the password; better in a file", check_secret, false, true},
    {"smtp-password-file", "smtp.password_file", "SMTP_PASS_FILE", "FILE", "the name of a file", "",
     "the file with the password; read again for every mail", check_present},
    {"smtp-tls", "smtp.tls", "SMTP_TLS", "HOW", "one of none, starttls, tls",
     "starttls; tls on port 465", "how the way to the mail server is kept secret",
     check_by<parse_tls>},
    {"smtp-ca-file", "smtp.ca_file", "SMTP_CA_FILE", "FILE", "the name of a PEM file",
     "those that the system trusts", "who may vouch for the mail server", check_present},
    {"email-to", "email.to", "EMAIL_TO", "ADDRESSES", kAddresses, "", "who gets mails of alerts",
     check_addresses},
    {"email-to-info", "email.to_info", "EMAIL_TO_INFO", "ADDRESSES", kAddresses, "EMAIL_TO",
     "who gets those of severity info", check_addresses},
    {"email-to-warning", "email.to_warning", "EMAIL_TO_WARNING", "ADDRESSES", kAddresses,
     "EMAIL_TO", "who gets those of severity warning", check_addresses},
    {"email-to-critical", "email.to_critical", "EMAIL_TO_CRITICAL", "ADDRESSES", kAddresses,
     "EMAIL_TO", "who gets those of severity critical", check_addresses},
    {"email-to-emergency", "email.to_emergency", "EMAIL_TO_EMERGENCY", "ADDRESSES", kAddresses,
     "EMAIL_TO", "who gets those of severity emergency", check_addresses},
    {"email-severities", "email.severities", "GPUSCOPE_EMAIL_SEVERITIES", "LIST", kSeverityList,
     kAll, "what is mailed", check_severities},
    {"webhook-url", "webhook.url", "GPUSCOPE_WEBHOOK_URL", "URL",
     "a URL such as https://hooks.example.org/gpus", "", "where alerts are posted as JSON",
     check_secret_url, false, true},
    {"webhook-url-file", "webhook.url_file", "GPUSCOPE_WEBHOOK_URL_FILE", "FILE",
     "the name of a file", "", "the file with that URL", check_present},
    {"webhook-format", "webhook.format", "GPUSCOPE_WEBHOOK_FORMAT", "FORMAT",
     "one of json, slack, teams", "json", "what is posted there", check_by<parse_format>},
    {"webhook-token", "webhook.token", "GPUSCOPE_WEBHOOK_TOKEN", "TEXT", "a token", "",
     "a bearer token for it; better in a file", check_secret, false, true},
    {"webhook-token-file", "webhook.token_file", "GPUSCOPE_WEBHOOK_TOKEN_FILE", "FILE",
     "the name of a file", "", "the file with the token", check_present},
    {"webhook-headers", "webhook.headers", "GPUSCOPE_WEBHOOK_HEADERS", "LINES",
     "a header such as 'X-Team: gpus'", "", "further headers for it, a line each", check_headers,
     false, true},
    {"webhook-headers-file", "webhook.headers_file", "GPUSCOPE_WEBHOOK_HEADERS_FILE", "FILE",
     "the name of a file", "", "the file with further headers", check_present},
    {"webhook-ca-file", "webhook.ca_file", "GPUSCOPE_WEBHOOK_CA_FILE", "FILE",
     "the name of a PEM file", "those that the system trusts",
     "who may vouch for the server of an https URL", check_present},
    {"webhook-severities", "webhook.severities", "GPUSCOPE_WEBHOOK_SEVERITIES", "LIST",
     kSeverityList, kAll, "what is posted there", check_severities},
    {"slack-url", "slack.url", "GPUSCOPE_SLACK_URL", "URL", "a URL", "",
     "an incoming webhook of Slack, Mattermost or the like; better in a file", check_secret_url,
     false, true},
    {"slack-url-file", "slack.url_file", "GPUSCOPE_SLACK_URL_FILE", "FILE", "the name of a file",
     "", "the file with that URL", check_present},
    {"slack-severities", "slack.severities", "GPUSCOPE_SLACK_SEVERITIES", "LIST", kSeverityList,
     kAll, "what is posted there", check_severities},
    {"teams-url", "teams.url", "GPUSCOPE_TEAMS_URL", "URL", "a URL", "",
     "a webhook of a workflow of Microsoft Teams; better in a file", check_secret_url, false, true},
    {"teams-url-file", "teams.url_file", "GPUSCOPE_TEAMS_URL_FILE", "FILE", "the name of a file",
     "", "the file with that URL", check_present},
    {"teams-severities", "teams.severities", "GPUSCOPE_TEAMS_SEVERITIES", "LIST", kSeverityList,
     kAll, "what is posted there", check_severities},
    {"alertmanager-url", "alertmanager.url", "GPUSCOPE_ALERTMANAGER_URL", "URLS",
     "URLs such as http://alertmanager:9093, with commas between them", "",
     "Alertmanagers that are told of every alert", check_urls},
    {"alertmanager-interval", "alertmanager.interval", "GPUSCOPE_ALERTMANAGER_INTERVAL", "DURATION",
     "a duration from 5s on, such as 1m", "1m", "how often a firing alert is sent there again",
     check_by<parse_resend>},
    {"alertmanager-token-file", "alertmanager.token_file", "GPUSCOPE_ALERTMANAGER_TOKEN_FILE",
     "FILE", "the name of a file", "", "the file with a bearer token for them", check_present},
    {"alertmanager-ca-file", "alertmanager.ca_file", "GPUSCOPE_ALERTMANAGER_CA_FILE", "FILE",
     "the name of a PEM file", "those that the system trusts",
     "who may vouch for Alertmanagers at https URLs", check_present},
    {"alertmanager-severities", "alertmanager.severities", "GPUSCOPE_ALERTMANAGER_SEVERITIES",
     "LIST", kSeverityList, kAll, "what they are told of", check_severities},
    {"notify-give-up", "notify.give_up", "GPUSCOPE_NOTIFY_GIVE_UP", "DURATION",
     "a duration from 1m on, such as 24h", "24h",
     "how long a message is tried again before it is given up", check_by<parse_give_up>},
    {"external-url", "external_url", "GPUSCOPE_EXTERNAL_URL", "URL",
     "a URL such as http://node-7:9555", "", "where people reach this agent, for links in messages",
     check_url},
});

base::Result<void> check_secrets(const Values& values) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kEither{
      {{"smtp-password", "smtp-password-file"},
       {"webhook-url", "webhook-url-file"},
       {"webhook-token", "webhook-token-file"},
       {"webhook-headers", "webhook-headers-file"},
       {"slack-url", "slack-url-file"},
       {"teams-url", "teams-url-file"}}};
  return refuse_both(values, kEither);
}

std::vector<std::string> severities_of(const Values& values, std::string_view flag) {
  const std::string text = text_of(values, flag).value_or(std::string(kAll));
  if (text == "none") return {};
  return parts_of(text);
}

void read_recipients(const Values& values, notify::EmailOptions& email) {
  for (const std::string_view severity : notify::kSeverities) {
    auto to = text_of(values, fmt::format("email-to-{}", severity));
    if (!to) to = text_of(values, "email-to");
    if (to) email.to[std::string(severity)] = parts_of(*to);
  }
}

base::Result<std::optional<notify::EmailOptions>> email_from(const Values& values) {
  const auto host = text_of(values, "smtp-host");
  notify::EmailOptions email;
  read_recipients(values, email);
  if (!host) {
    if (email.to.empty()) return std::nullopt;
    return fail(ErrorKind::kInvalidArgument,
                "cannot send mail: no server is named; give SMTP_HOST, or leave EMAIL_TO out");
  }
  if (email.to.empty()) {
    return fail(ErrorKind::kInvalidArgument,
                "cannot send mail: nobody is named who gets it; give EMAIL_TO");
  }
  const auto from = text_of(values, "smtp-from");
  if (!from) {
    return fail(ErrorKind::kInvalidArgument,
                "cannot send mail: nobody is named from whom it is; give SMTP_FROM");
  }
  const Server server = parse_server(*host).value_or(Server{});
  const Sender sender = parse_sender(*from).value_or(Sender{});
  email.host = server.host;
  email.port = server.port;
  email.from = sender.address;
  email.from_name = sender.name;
  take(values, "smtp-user", email.user);
  email.password = secret_of(values, "smtp-password");
  take(values, "smtp-ca-file", email.ca_file);
  email.tls = server.port == kSubmissions ? notify::Tls::kTls : notify::Tls::kStartTls;
  take(values, "smtp-tls", email.tls, parse_tls);
  if (email.user.empty() == email.password.is_given()) {
    return fail(ErrorKind::kInvalidArgument,
                "cannot log in to the mail server: SMTP_USER and SMTP_PASS (or SMTP_PASS_FILE) go "
                "together; give both or none");
  }
  return email;
}

void add_webhook(const Values& values, const std::string& name, notify::WebhookFormat format,
                 std::vector<notify::Receiver>& receivers) {
  notify::WebhookOptions options;
  options.url = secret_of(values, name + "-url");
  if (!options.url.is_given()) return;
  options.format = format;
  if (name == "webhook") {
    take(values, "webhook-format", options.format, parse_format);
    options.token = secret_of(values, "webhook-token");
    options.headers = secret_of(values, "webhook-headers");
    take(values, "webhook-ca-file", options.ca_file);
  }
  receivers.push_back({name, severities_of(values, name + "-severities"), std::move(options)});
}

notify::AlertmanagerOptions alertmanager_from(const Values& values) {
  notify::AlertmanagerOptions options;
  if (const auto urls = text_of(values, "alertmanager-url")) options.urls = parts_of(*urls);
  for (std::string& url : options.urls) {
    while (url.ends_with('/')) url.pop_back();
  }
  options.severities = severities_of(values, "alertmanager-severities");
  take(values, "alertmanager-token-file", options.token.file);
  take(values, "alertmanager-ca-file", options.ca_file);
  take(values, "alertmanager-interval", options.interval, parse_resend);
  return options;
}

}  // namespace

std::span<const Setting> notify_settings_table() { return kNotifyTable; }

base::Result<NotifySettings> notify_from(const Values& values) {
  if (auto fits = check_secrets(values); !fits) return std::unexpected(std::move(fits.error()));
  NotifySettings settings;
  auto email = email_from(values);
  if (!email) return std::unexpected(std::move(email.error()));
  std::vector<notify::Receiver>& receivers = settings.options.receivers;
  if (std::optional<notify::EmailOptions> mail = std::move(*email)) {
    receivers.push_back({"email", severities_of(values, "email-severities"), std::move(*mail)});
  }
  add_webhook(values, "webhook", notify::WebhookFormat::kJson, receivers);
  add_webhook(values, "slack", notify::WebhookFormat::kSlack, receivers);
  add_webhook(values, "teams", notify::WebhookFormat::kTeams, receivers);
  settings.options.alertmanager = alertmanager_from(values);
  take(values, "notify-give-up", settings.options.retry.give_up, parse_give_up);
  take(values, "external-url", settings.external_url);
  return settings;
}

}  // namespace gpuscope::config
