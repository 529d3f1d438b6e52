// What stands in front of a family's samples.
#pragma once

#include <string>
#include <string_view>

#include "wire/metrics_format.h"

namespace gpuscope::wire {

// Appends HELP and TYPE of the family whose samples are called `name`. OpenMetrics knows counters
// without their _total, and nothing whose name has none as a counter: it is "unknown" there.
void append_metrics_header(std::string& out, std::string_view name, std::string_view help,
                           bool is_counter, MetricsFormat format);

}  // namespace gpuscope::wire
