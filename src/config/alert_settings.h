// Settings of alerts: what one may say of them, and what that becomes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "alert/options.h"
#include "config/settings.h"

namespace gpuscope::config {

struct AlertSettings {
  bool enabled = true;
  std::vector<std::string> rule_files;  // empty: the rules that are built in
  alert::AlertingOptions options;       // but for the rules and the URL
};

std::string check_alert_interval(const Setting& row, std::string_view value);
std::string check_alert_wait(const Setting& row, std::string_view value);
std::string check_alert_repeat(const Setting& row, std::string_view value);

AlertSettings alerts_from(const Values& values);

}  // namespace gpuscope::config
