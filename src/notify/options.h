// Who is told of alerts, and how.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/secret.h"

namespace gpuscope::notify {

// What an alert can be, from the least to the worst; also what AlertNotification::receiver says.
inline constexpr std::string_view kSeverities[] = {"info", "warning", "critical", "emergency"};

enum class Tls : std::uint8_t {
  kNone,      // everything can be read on its way
  kStartTls,  // asked for, and insisted on, once the server has greeted
  kTls,       // from the first byte on
};

// Whether it is an address as mail takes it: something@something, printable ASCII, no blanks, no
// brackets, no comma.
constexpr bool is_mail_address(std::string_view text) {
  constexpr std::size_t kLongest = 254;  // RFC 5321
  constexpr std::string_view kNever = "<>()[]\\,;:\"";
  const std::size_t at = text.find('@');
  return at != std::string_view::npos && at > 0 && at + 1 < text.size() &&
         text.find('@', at + 1) == std::string_view::npos && text.size() <= kLongest &&
         std::ranges::all_of(text, [&](char c) {
           return c > ' ' && c <= '~' && kNever.find(c) == std::string_view::npos;
         });
}

struct EmailOptions {
  std::string host;  // of the mail server
  std::uint16_t port = 587;
  Tls tls = Tls::kStartTls;
  std::string ca_file{};  // PEM file of those who may vouch for it; empty: those of the system
  std::string user{};     // empty: nobody in particular
  base::Secret password{};
  std::string from{};       // the address alone
  std::string from_name{};  // what stands before it; may be empty
  // Addresses by severity; a severity that is not there is not mailed.
  std::map<std::string, std::vector<std::string>, std::less<>> to{};
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds timeout{60'000};  // all of one mail
};

enum class WebhookFormat : std::uint8_t { kJson, kSlack, kTeams };

struct WebhookOptions {
  base::Secret url;  // http or https; that of a chat is as good as a password
  WebhookFormat format = WebhookFormat::kJson;
  base::Secret token{};    // a bearer token
  base::Secret headers{};  // further ones, `Name: value` a line
  std::string ca_file{};
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds timeout{30'000};
};

struct Receiver {
  std::string name;                     // "email"; unique
  std::vector<std::string> severities;  // that it is told of
  std::variant<EmailOptions, WebhookOptions> how;
};

// Alertmanagers that are told of every alert themselves; they group, silence and send.
struct AlertmanagerOptions {
  std::vector<std::string> urls;  // of each, without /api/v2/alerts; none: there is none
  std::vector<std::string> severities;
  base::Secret token{};
  std::string ca_file{};
  // How often a firing alert is sent again; it ends there four times as long after that.
  std::chrono::milliseconds interval{60'000};
  // How often it is looked whether any alert has changed.
  std::chrono::milliseconds look{2000};
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds timeout{30'000};
};

struct RetryOptions {
  std::chrono::milliseconds first{5000};       // after the first attempt that failed, then doubling
  std::chrono::milliseconds longest{300'000};  // between two attempts
  std::chrono::milliseconds give_up{std::chrono::hours{24}};  // after a message was taken
  std::chrono::milliseconds save_again{5000};  // after the store of states could not be written
  std::size_t most_waiting = 10'000;           // messages; then the oldest is given up
  std::size_t keep_done = 1000;  // that were sent or given up, to be shown and to know them again
};

struct Options {
  std::vector<Receiver> receivers;
  AlertmanagerOptions alertmanager;
  RetryOptions retry;
};

}  // namespace gpuscope::notify
