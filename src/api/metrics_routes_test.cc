#include "api/metrics_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "api/fixed_source.h"
#include "base/clock.h"

namespace gpuscope::api {
namespace {

using testing::HasSubstr;
using testing::Not;

// "sim" works, "nvml" fails.
class MetricsRouteTest : public testing::Test {
 protected:
  void start(std::string primary) {
    collector_ = std::make_unique<collect::Collector>(
        clock_, collect::Options{.interval = std::chrono::seconds{60}}, std::move(primary),
        [](std::string_view method) -> base::Result<std::unique_ptr<model::Source>> {
          std::optional<base::Error> error;
          if (method == "nvml") {
            error = base::Error{base::ErrorKind::kUnavailable, "cannot load the \"driver\""};
          }
          return std::make_unique<FixedSource>(1, error);
        });
    route_ = std::make_unique<MetricsRoute>(*collector_, "1.2.3", cache_);
    MetricsSetup setup;
    setup.options.hostname = "node-1";
    setup.http_counters = [] {
      http::Counters counters;
      counters.requests = 17;
      return counters;
    };
    route_->configure(std::move(setup));
    collector_->start();
  }
  void TearDown() override { collector_->stop(); }

  http::Response ask(std::string_view accept = {}, bool gzip = false, std::string method = {}) {
    http::Request request;
    request.method = "GET";
    request.path = {"metrics"};
    request.accept = accept;
    request.accepts_gzip = gzip;
    if (!method.empty()) request.query = {{"method", std::move(method)}};
    while (true) {
      if (auto response = route_->answer(request)) return *response;
      std::this_thread::yield();
    }
  }

  base::SystemClock clock_;
  DocumentCache cache_;
  std::unique_ptr<collect::Collector> collector_;
  std::unique_ptr<MetricsRoute> route_;
};

constexpr std::string_view kPrometheusAsks =
    "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";

TEST_F(MetricsRouteTest, ServesEitherFormatEncodedOnceATick) {
  start("sim");
  const http::Response text = ask();
  EXPECT_EQ(text.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(*text.body, HasSubstr(R"(DCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="GPU-aaaa-0000")"));
  EXPECT_THAT(*text.body, HasSubstr("gpuscope_source_up{method=\"sim\"} 1\n"));
  EXPECT_THAT(*text.body, HasSubstr("gpuscope_source_gpus_present{method=\"sim\"} 1\n"));
  EXPECT_THAT(*text.body, HasSubstr("gpuscope_http_requests_total 17\n"));
  EXPECT_THAT(*text.body, HasSubstr("process_resident_memory_bytes "));
  EXPECT_THAT(text.headers,
              testing::Contains(std::pair<std::string_view, std::string>("Vary", "Accept")));
  const http::Response open_metrics = ask(kPrometheusAsks);
  EXPECT_EQ(open_metrics.content_type,
            "application/openmetrics-text; version=1.0.0; charset=utf-8");
  EXPECT_TRUE(open_metrics.body->ends_with("# EOF\n"));
  EXPECT_EQ(cache_.encoded(), 2U);
  EXPECT_EQ(ask().body, text.body);
  EXPECT_EQ(ask(kPrometheusAsks).body, open_metrics.body);
  const http::Response compressed = ask(kPrometheusAsks, true);
  EXPECT_TRUE(compressed.gzip);
  EXPECT_EQ(ask(kPrometheusAsks, true).body, compressed.body);
  EXPECT_EQ(cache_.encoded(), 2U);
  EXPECT_EQ(cache_.compressed(), 1U);
}

TEST_F(MetricsRouteTest, IsOfThePrimaryMethodAlone) {
  start("sim");
  EXPECT_EQ(ask({}, false, "sim").status, 200);
  const http::Response other = ask({}, false, "nvml");
  EXPECT_EQ(other.status, 400);
  EXPECT_THAT(*other.body, HasSubstr("'sim'; /gpu/metric has the others"));
  EXPECT_EQ(ask({}, false, "none").status, 400);
  EXPECT_THAT(*ask().body, Not(HasSubstr("method=\"nvml\"")));
}

TEST_F(MetricsRouteTest, SaysWhyThereIsNothingToRead) {
  start("nvml");
  const http::Response response = ask(kPrometheusAsks);
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(*response.body, HasSubstr("gpuscope_source_up{method=\"nvml\"} 0\n"));
  EXPECT_THAT(
      *response.body,
      HasSubstr(
          R"(gpuscope_source_error_info{method="nvml",error="cannot load the \"driver\""} 1)"));
  EXPECT_THAT(*response.body, Not(HasSubstr("DCGM_")));
  EXPECT_TRUE(response.body->ends_with("# EOF\n"));
}

}  // namespace
}  // namespace gpuscope::api
