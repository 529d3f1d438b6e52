#include "config/remote_write_settings.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "base/text.h"
#include "config/server_credentials.h"
#include "config/setting_value.h"
#include "model/labels.h"

namespace gpuscope::config {
namespace {

using base::trimmed;
using std::chrono::milliseconds;

// Takes what stands before `mark`, or all, off the front.
std::string_view take_part(std::string_view& text, char mark) {
  return trimmed(base::take_part(text, mark));
}

std::optional<milliseconds> parse_send_interval(std::string_view text) {
  return parse_within(text, milliseconds{100}, std::chrono::hours{1});
}

// By name; an empty value is kept: it takes a label of ours away.
std::optional<std::vector<std::pair<std::string, std::string>>> parse_labels(
    std::string_view text) {
  std::vector<std::pair<std::string, std::string>> labels;
  while (!text.empty()) {
    std::string_view part = take_part(text, ',');
    if (part.empty() || part.find('=') == std::string_view::npos) return std::nullopt;
    const std::string_view name = take_part(part, '=');
    if (!model::is_label_name(name) || name.starts_with("__")) return std::nullopt;
    labels.emplace_back(name, trimmed(part));
  }
  std::ranges::sort(labels);
  const auto same = [](const auto& a, const auto& b) { return a.first == b.first; };
  if (std::ranges::adjacent_find(labels, same) != labels.end()) return std::nullopt;
  return labels;
}

}  // namespace

std::string check_remote_write_from(const Setting& row, std::string_view value) {
  return value == "now" || value == "start" ? "" : is_not(row, value);
}
std::string check_remote_write_interval(const Setting& row, std::string_view value) {
  return parse_send_interval(value) ? "" : is_not(row, value);
}

std::string check_remote_write_labels(const Setting& row, std::string_view value) {
  return parse_labels(value) ? "" : is_not(row, value);
}

base::Result<prom::RemoteWriteOptions> remote_write_from(const Values& values) {
  auto credentials = credentials_from(values, {.user = "remote-write-user",
                                               .password = "remote-write-password",
                                               .token = "remote-write-token",
                                               .headers = "remote-write-headers",
                                               .server = "remote write",
                                               .user_env = "--remote-write-user"});
  if (!credentials) return std::unexpected(std::move(credentials.error()));
  prom::RemoteWriteOptions options;
  options.credentials = std::move(*credentials);
  take(values, "remote-write-url", options.url);
  take(values, "remote-write-ca-file", options.ca_file);
  take(values, "remote-write-labels", options.labels, parse_labels);
  take(values, "remote-write-interval", options.interval, parse_send_interval);
  options.from_start = text_of(values, "remote-write-from") == "start";
  return options;
}

}  // namespace gpuscope::config
