#include "api/live_routes.h"

#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "api/fixed_source.h"
#include "api/live_stream.h"
#include "base/clock.h"
#include "wire/gzip.h"

namespace gpuscope::api {
namespace {

using Json = nlohmann::ordered_json;

class LiveRoutesTest : public testing::Test {
 protected:
  LiveRoutesTest()
      : collector_(clock_, {.interval = std::chrono::seconds{60}}, "sim",
                   [](std::string_view method) -> base::Result<std::unique_ptr<model::Source>> {
                     if (method == "sim") return std::make_unique<FixedSource>(1);
                     return base::fail(base::ErrorKind::kUnavailable, "cannot read GPUs here");
                   }),
        routes_(collector_, cache_) {
    collector_.start();
  }
  ~LiveRoutesTest() override { collector_.stop(); }

  static http::Request request(const char* method = nullptr, bool gzip = false) {
    http::Request made;
    if (method != nullptr) made.query = {{"method", method}};
    made.accepts_gzip = gzip;
    return made;
  }
  template <typename Ask>
  static http::Response once_read(Ask ask) {
    for (;;) {
      if (auto response = ask()) return *response;
      std::this_thread::yield();
    }
  }
  http::Response snapshot(const http::Request& request) {
    return once_read([&] { return routes_.snapshot(request); });
  }
  http::Response stream(const http::Request& request) {
    return once_read([&] { return routes_.stream(request); });
  }

  base::SystemClock clock_;
  collect::Collector collector_;
  DocumentCache cache_;
  LiveRoutes routes_;
};

TEST_F(LiveRoutesTest, GiveTheCatalogueAlwaysTheSame) {
  const auto plain = routes_.catalog(request());
  EXPECT_EQ(plain.content_type, "application/json");
  EXPECT_EQ(Json::parse(*plain.body)["metrics"].size(), model::kMetricCount);
  EXPECT_EQ(routes_.catalog(request()).body, plain.body);
  const auto packed = routes_.catalog(request(nullptr, true));
  EXPECT_TRUE(packed.gzip);
  EXPECT_LT(packed.body->size(), plain.body->size() / 4);
}

TEST_F(LiveRoutesTest, GiveTheLatestSnapshotEncodedOnce) {
  const auto response = snapshot(request());
  EXPECT_EQ(response.status, 200);
  const Json json = Json::parse(*response.body);
  EXPECT_EQ(json["sequence"], 1);
  EXPECT_EQ(json["gpus"][0]["metrics"]["temperature_celsius"], 46.1);
  EXPECT_EQ(snapshot(request("sim")).body, response.body);
  EXPECT_TRUE(snapshot(request(nullptr, true)).gzip);
  EXPECT_EQ(cache_.encoded(), 1U);
  EXPECT_EQ(snapshot(request("cuda")).status, 400);
  EXPECT_EQ(snapshot(request("nvml")).status, 503);
}

TEST_F(LiveRoutesTest, BeginTheStreamWithTheSnapshotThereIs) {
  const auto response = stream(request());
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.content_type, "text/event-stream");
  const http::Stream begun = response.stream.value_or(http::Stream{});
  EXPECT_EQ(begun.topic, kTickTopic);
  EXPECT_EQ(begun.after, 1U);
  EXPECT_EQ(*response.body,
            "retry: 2000\n\nevent: tick\nid: 1\ndata: " + *snapshot(request()).body + "\n\n");
  EXPECT_FALSE(stream(request(nullptr, true)).gzip);
  EXPECT_EQ(stream(request("sim")).body, response.body) << "encoded again";
}

TEST_F(LiveRoutesTest, StreamThePrimaryMethodAlone) {
  EXPECT_EQ(stream(request("cuda")).status, 400);
  const auto other = stream(request("nvml"));
  EXPECT_EQ(other.status, 400);
  EXPECT_NE(other.body->find("started with, sim;"), std::string::npos);
  EXPECT_FALSE(other.stream);
}

}  // namespace
}  // namespace gpuscope::api
