#include "config/alert_settings.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/duration.h"
#include "base/text.h"
#include "config/setting_value.h"

namespace gpuscope::config {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLongest{std::chrono::hours{1}};
constexpr milliseconds kMinRepeat{std::chrono::minutes{1}};
constexpr milliseconds kMaxRepeat{std::chrono::hours{24 * 30}};

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
  return parse_within(value, std::chrono::seconds{1}, kLongest) ? "" : is_not(row, value);
}

std::string check_alert_wait(const Setting& row, std::string_view value) {
  return parse_within(value, milliseconds{0}, kLongest) ? "" : is_not(row, value);
}

std::string check_alert_repeat(const Setting& row, std::string_view value) {
  return parse_within(value, kMinRepeat, kMaxRepeat) ? "" : is_not(row, value);
}

AlertSettings alerts_from(const Values& values) {
  AlertSettings settings;
  take(values, "alerts", settings.enabled, parse_switch);
  settings.rule_files = split(text_of(values, "alert-rules").value_or(""));
  alert::AlertingOptions& options = settings.options;
  take(values, "alert-interval", options.interval, base::parse_duration);
  take(values, "alert-group-wait", options.dispatch.group_wait, base::parse_duration);
  // Emergencies wait no longer than the others.
  options.dispatch.emergency_wait =
      std::min(options.dispatch.emergency_wait, options.dispatch.group_wait);
  take(values, "alert-group-interval", options.dispatch.group_interval, base::parse_duration);
  take(values, "alert-repeat-interval", options.dispatch.repeat_interval, base::parse_duration);
  return settings;
}

}  // namespace gpuscope::config
