// What a message's alerts are about, as numbers: which metric, where its limit is, how it went.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "model/alert_status.h"
#include "model/catalog.h"
#include "model/series.h"
#include "notify/message_text.h"

namespace gpuscope::notify {

// The metric that a rule's expression selects first, in the unit of the name that it uses.
struct AlertMetric {
  model::Metric metric = model::Metric::kTemperature;
  std::uint8_t binary_shift = 0;  // as model::Family has them
  std::int8_t decimal_shift = 0;
  std::string unit;             // "°C", "MiB"; empty: a plain number
  bool is_value = false;        // the alert's value is one of this metric's, in this unit
  std::optional<double> limit;  // what it is held against
};
// Nullopt where the expression names no metric of a GPU.
std::optional<AlertMetric> find_alert_metric(std::string_view expression);

// Draws what the alerts' GPUs did in the last three hours. None where there is nothing to draw: no
// metric, no GPU, no history.
std::optional<MailChart> make_chart(const model::AlertNotification& message,
                                    const model::SeriesReader& series, base::WallTime now);

}  // namespace gpuscope::notify
