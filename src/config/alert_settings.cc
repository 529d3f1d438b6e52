#include "config/alert_settings.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/duration.h"
#include "base/text.h"

namespace gpuscope::config {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kMinInterval{1000};
constexpr milliseconds kMaxInterval{std::chrono::hours{1}};
constexpr milliseconds kMinRepeat{std::chrono::minutes{1}};
constexpr milliseconds kMaxRepeat{std::chrono::hours{24 * 30}};

std::optional<milliseconds> parse_within(std::string_view text, milliseconds low,
                                         milliseconds high) {
  const auto parsed = base::parse_duration(text);
  return parsed && *parsed >= low && *parsed <= high ? parsed : std::nullopt;
}

std::string_view text_of(const Values& values, std::string_view flag) {
  const auto found = values.find(flag);
  return found == values.end() ? std::string_view() : std::string_view(found->second.text);
}

// Values are checked: what is there can be parsed.
void take(const Values& values, std::string_view flag, milliseconds& target) {
  target = base::parse_duration(text_of(values, flag)).value_or(target);
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::string_view part = base::trimmed(base::take_part(text, ','), " ");
    if (!part.empty()) parts.emplace_back(part);
  }
  return parts;
}

}  // namespace

std::string check_alert_interval(const Setting& row, std::string_view value) {
  return parse_within(value, kMinInterval, kMaxInterval) ? "" : is_not(row, value);
}

std::string check_alert_wait(const Setting& row, std::string_view value) {
  return parse_within(value, milliseconds{0}, kMaxInterval) ? "" : is_not(row, value);
}

std::string check_alert_repeat(const Setting& row, std::string_view value) {
  return parse_within(value, kMinRepeat, kMaxRepeat) ? "" : is_not(row, value);
}

AlertSettings alerts_from(const Values& values) {
  AlertSettings settings;
  const std::string_view enabled = text_of(values, "alerts");
  settings.enabled = enabled.empty() || enabled == "on" || enabled == "true";
  settings.rule_files = split(text_of(values, "alert-rules"));
  alert::AlertingOptions& options = settings.options;
  take(values, "alert-interval", options.interval);
  take(values, "alert-group-wait", options.dispatch.group_wait);
  // Emergencies wait no longer than the others.
  options.dispatch.emergency_wait =
      std::min(options.dispatch.emergency_wait, options.dispatch.group_wait);
  take(values, "alert-group-interval", options.dispatch.group_interval);
  take(values, "alert-repeat-interval", options.dispatch.repeat_interval);
  return settings;
}

}  // namespace gpuscope::config
