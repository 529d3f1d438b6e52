#include "api/router.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace gpuscope::api {
namespace {

Route route(std::string_view method, std::string_view pattern, bool changes = false) {
  return {method, pattern, pattern, changes, [pattern](const http::Request&, Captures captures) {
            std::string body(pattern);
            for (const std::string& capture : captures) body += " " + capture;
            return http::text_response(200, "text/plain", std::move(body));
          }};
}

const Router& router() {
  static const Router made({route("GET", "/"), route("GET", "/gpu/list"),
                            route("GET", "/gpu/{uuid}"), route("GET", "/gpu/{uuid}/static"),
                            route("GET", "/gpu/{uuid}/{path}"), route("POST", "/config", true),
                            route("GET", "/config")});
  return made;
}

http::Response ask(std::string_view method, std::vector<std::string> path,
                   bool from_loopback = true) {
  http::Request request;
  request.method = method;
  request.path = std::move(path);
  request.from_loopback = from_loopback;
  request.host = "127.0.0.1:9555";
  auto response = router().handle(request);
  if (!response) return http::error_response(0, "no answer yet");
  return *response;
}

TEST(Router, TakesTheFirstPatternThatMatches) {
  EXPECT_EQ(*ask("GET", {}).body, "/");
  EXPECT_EQ(*ask("GET", {"gpu", "list"}).body, "/gpu/list");
  EXPECT_EQ(*ask("HEAD", {"gpu", "list"}).body, "/gpu/list");
  EXPECT_EQ(*ask("GET", {"gpu", "a"}).body, "/gpu/{uuid} a");
  EXPECT_EQ(*ask("GET", {"gpu", "a", "static"}).body, "/gpu/{uuid}/static a");
  EXPECT_EQ(*ask("GET", {"gpu", "a", "b"}).body, "/gpu/{uuid}/{path} a b");
  EXPECT_EQ(*ask("GET", {"gpu", "a", "b", "", "c d"}).body, "/gpu/{uuid}/{path} a b  c d");
}

TEST(Router, SaysWhatIsWrong) {
  EXPECT_EQ(ask("GET", {"gpu"}).status, 404);
  EXPECT_EQ(*ask("GET", {"none"}).body, *http::error_response(404, "Not Found").body);
  const http::Response response = ask("DELETE", {"config"});
  EXPECT_EQ(response.status, 405);
  ASSERT_EQ(response.headers.size(), 1U);
  EXPECT_EQ(response.headers[0].first, "Allow");
  EXPECT_EQ(response.headers[0].second, "POST, GET, HEAD");
}

TEST(Router, RefusesChangesFromElsewhere) {
  EXPECT_EQ(ask("POST", {"config"}, true).status, 200);
  EXPECT_EQ(ask("POST", {"config"}, false).status, 403);
  EXPECT_EQ(ask("GET", {"config"}, false).status, 200);
}

}  // namespace
}  // namespace gpuscope::api
