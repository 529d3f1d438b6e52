#include "wire/metrics_format.h"

#include <gtest/gtest.h>

namespace gpuscope::wire {
namespace {

TEST(MetricsFormat, GoesByWhatTheScraperTakes) {
  struct Case {
    std::string_view accept;
    bool open_metrics;
  };
  // The first ones are what Prometheus has sent over the years.
  for (const Case& each : {
           Case{
               "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
               "application/openmetrics-text;version=0.0.1;q=0.5,"
               "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,"
               "*/*;q=0.2",
               true},
           Case{"application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
                "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                true},
           Case{"application/openmetrics-text; "
                "version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                false},
           Case{"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
                "encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5,"
                "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                true},
           Case{"text/plain;version=0.0.4;q=0.5,*/*;q=0.1", false},
           Case{"", false},
           Case{"*/*", false},
           Case{"text/html,application/xhtml+xml,*/*;q=0.8", false},
           Case{"application/json", false},
           Case{"application/openmetrics-text", true},
           Case{"APPLICATION/OpenMetrics-Text ; VERSION = \"1.0.0\"", true},
           Case{"application/openmetrics-text;q=0", false},
           Case{"application/openmetrics-text;q=0.3,text/plain;q=0.4", false},
           Case{"application/openmetrics-text;q=0.4,text/plain;q=0.4", true},
           Case{"application/openmetrics-text;q=0.4,text/*;q=0.5", false},
           Case{"application/openmetrics-text;q=0.4,text/plain;q=0.1,*/*;q=0.9", true},
           Case{"application/openmetrics-text;q=0.4,*/*;q=0.9", false},
           Case{"application/openmetrics-text;version=2.0.0", false},
           Case{"application/openmetrics-text;q=high", false},
           Case{"application/openmetrics-text;q=1.0000", false},
           Case{"application/openmetrics-textile", false},
           Case{"x;a=\"application/openmetrics-text,\";q=1", false},
           Case{",,;;,application/openmetrics-text", true},
       }) {
    EXPECT_EQ(choose_metrics_format(each.accept) == MetricsFormat::kOpenMetrics, each.open_metrics)
        << each.accept;
  }
}

}  // namespace
}  // namespace gpuscope::wire
