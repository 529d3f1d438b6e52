// For tests of notify: messages as alert/ makes them.
#pragma once

#include <chrono>
#include <string>

#include "model/alert_status.h"

namespace gpuscope::notify {

inline constexpr base::WallTime kTestTime{std::chrono::seconds{1'780'000'000}};

inline model::AlertStatus test_alert(model::AlertState state = model::AlertState::kFiring,
                                     const std::string& gpu = "0") {
  model::AlertStatus alert;
  alert.labels = {{"alertname", "GPUHighTemperature"}, {"gpu_index", gpu},
                  {"gpu_name", "SIM-RTX4090"},         {"gpu_uuid", "GPU-" + gpu},
                  {"service", "gpu-monitoring"},       {"severity", "critical"}};
  alert.annotations = {
      {"description", "SIM-RTX4090 (GPU " + gpu + ") is at 91.3 \u00b0C, above 80 \u00b0C"},
      {"runbook_url", "https://example.org/runbooks#GPUHighTemperature"},
      {"summary", "GPU " + gpu + " is too hot"}};
  alert.state = state;
  alert.active_since = kTestTime - std::chrono::minutes{6};
  alert.fired_at = kTestTime - std::chrono::minutes{1};
  if (state == model::AlertState::kResolved) alert.resolved_at = kTestTime;
  alert.value = 91.3;
  alert.rule = "GPUHighTemperature";
  alert.expression = "max without(gpu_health) (gpu_temperature_celsius{gpu_uuid!=\"\"}) > 80";
  return alert;
}

inline model::AlertNotification test_message(const std::string& id, bool firing = true,
                                             const std::string& group = "hot/SIM-RTX4090") {
  model::AlertNotification message;
  message.id = id;
  message.group_key = group;
  message.group_labels = {{"alertname", "GPUHighTemperature"}, {"gpu_name", "SIM-RTX4090"}};
  message.receiver = "critical";
  message.time = kTestTime;
  message.alerts.push_back(
      test_alert(firing ? model::AlertState::kFiring : model::AlertState::kResolved));
  return message;
}

}  // namespace gpuscope::notify
