// What a message says to people, in words.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "model/alert_status.h"

namespace gpuscope::notify {

// A line of the legend below a chart.
struct ChartKey {
  std::string color;  // "#1f77b4"
  std::string text;   // "GPU 0, SIM-RTX4090: 71 to 91 °C"
};

// A picture, and what stands below it.
struct MailChart {
  std::string png;
  std::string title;  // "Temperature, °C, last 3 hours"
  std::vector<ChartKey> keys;
};

// What a message says beside its alerts.
struct MailText {
  std::string host;                  // where the agent runs
  std::string external_url;          // of the agent; empty: not known
  bool simulated = false;            // the GPUs are not real
  std::string unit;                  // of the alerts' values: "°C"; empty: none
  base::WallTime sent{};             // when it is sent
  std::optional<MailChart> chart{};  // none: there is nothing to draw
};

// "[FIRING:2] GPUHighTemperature SIM-RTX4090 (critical)": one line.
std::string message_subject(const model::AlertNotification& message, bool simulated);

// Lines end in "\n".
std::string message_plain(const model::AlertNotification& message, const MailText& text);
// A whole HTML document; the picture is `cid:CHART_ID`.
std::string message_html(const model::AlertNotification& message, const MailText& text,
                         std::string_view chart_id);

}  // namespace gpuscope::notify
