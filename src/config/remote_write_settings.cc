#include "config/remote_write_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "base/duration.h"
#include "base/text.h"
#include "base/web_url.h"
#include "model/labels.h"

namespace gpuscope::config {
namespace {

using base::ErrorKind;
using base::fail;
using base::trimmed;
using std::chrono::milliseconds;

constexpr milliseconds kMinInterval{100};
constexpr milliseconds kMaxInterval{3'600'000};

std::string text_of(const Values& values, std::string_view flag) {
  const auto found = values.find(flag);
  return found == values.end() ? std::string() : found->second.text;
}

// Takes what stands before `mark`, or all, off the front.
std::string_view take_part(std::string_view& text, char mark) {
  return trimmed(base::take_part(text, mark));
}

std::optional<milliseconds> parse_interval(std::string_view text) {
  const auto parsed = base::parse_duration(text);
  if (!parsed || *parsed < kMinInterval || *parsed > kMaxInterval) return std::nullopt;
  return std::chrono::duration_cast<milliseconds>(*parsed);
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

base::Result<void> check_together(const Values& values) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kEither{
      {{"remote-write-password", "remote-write-password-file"},
       {"remote-write-token", "remote-write-token-file"},
       {"remote-write-headers", "remote-write-headers-file"},
       {"remote-write-user", "remote-write-token"},
       {"remote-write-user", "remote-write-token-file"}}};
  if (auto refused = refuse_both(values, kEither); !refused) return refused;
  const bool has_password =
      values.contains("remote-write-password") || values.contains("remote-write-password-file");
  if (has_password && !values.contains("remote-write-user")) {
    return fail(ErrorKind::kInvalidArgument,
                "cannot use a password for remote write without a user; give --remote-write-user");
  }
  return {};
}

}  // namespace

std::string check_remote_write_url(const Setting&, std::string_view value) {
  return base::check_web_url(value);
}

std::string check_remote_write_from(const Setting& row, std::string_view value) {
  return value == "now" || value == "start" ? "" : is_not(row, value);
}
std::string check_remote_write_interval(const Setting& row, std::string_view value) {
  return parse_interval(value) ? "" : is_not(row, value);
}

std::string check_remote_write_labels(const Setting& row, std::string_view value) {
  return parse_labels(value) ? "" : is_not(row, value);
}

std::string check_remote_write_headers(const Setting& row, std::string_view value) {
  while (!value.empty()) {
    std::string_view line = take_part(value, '\n');
    if (line.empty()) continue;
    const bool has_colon = line.find(':') != std::string_view::npos;
    if (!has_colon || take_part(line, ':').empty()) {
      return fmt::format("a line is not {}", row.takes);
    }
  }
  return "";
}

std::string check_secret(const Setting& row, std::string_view value) {
  return value.empty() ? fmt::format("it is not {}", row.takes) : "";
}

base::Result<prom::RemoteWriteOptions> remote_write_from(const Values& values) {
  if (auto fits = check_together(values); !fits) return std::unexpected(std::move(fits.error()));
  prom::RemoteWriteOptions options;
  options.url = text_of(values, "remote-write-url");
  options.credentials.user = text_of(values, "remote-write-user");
  options.credentials.password = {text_of(values, "remote-write-password"),
                                  text_of(values, "remote-write-password-file")};
  options.credentials.token = {text_of(values, "remote-write-token"),
                               text_of(values, "remote-write-token-file")};
  options.credentials.headers = {text_of(values, "remote-write-headers"),
                                 text_of(values, "remote-write-headers-file")};
  options.ca_file = text_of(values, "remote-write-ca-file");
  options.labels = parse_labels(text_of(values, "remote-write-labels")).value_or(options.labels);
  options.interval =
      parse_interval(text_of(values, "remote-write-interval")).value_or(options.interval);
  options.from_start = text_of(values, "remote-write-from") == "start";
  return options;
}

}  // namespace gpuscope::config
