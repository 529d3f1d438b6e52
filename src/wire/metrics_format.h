// Which of the two exposition formats a scraper gets.
#pragma once

#include <cstdint>
#include <string_view>

namespace gpuscope::wire {

enum class MetricsFormat : std::uint8_t { kPrometheus, kOpenMetrics };

inline constexpr std::string_view kOpenMetricsType =
    "application/openmetrics-text; version=1.0.0; charset=utf-8";

// By an Accept field (RFC 9110, 12.5.1): OpenMetrics where it is named in a version that we have
// (1.0.0, or none said) and nothing of the older format is wanted more; ranges such as */* are
// about the older one. No field, or one that takes neither: the older one, which everybody reads.
MetricsFormat choose_metrics_format(std::string_view accept);

}  // namespace gpuscope::wire
