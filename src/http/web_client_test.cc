// The client against a server that answers as it is told, over real sockets on loopback.
#include "http/web_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "http/scripted_server.h"

namespace gpuscope::http {
namespace {

using base::ErrorKind;
using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;

std::unique_ptr<WebClient> client(WebClientOptions options = {}) {
  return std::move(*WebClient::create(std::move(options)));
}

TEST(WebClient, SendsABodyAndReadsTheAnswerOnOneConnection) {
  ScriptedRequest seen;
  ScriptedServer server([&](const ScriptedRequest& request) {
    seen = request;
    return ScriptedAnswer::status(201, "Retry-After:  7 \r\nX-Empty:\r\n", "made");
  });
  const auto web = client();
  for (int i = 0; i < 3; ++i) {
    const auto answer = web->send({.method = "POST",
                                   .url = server.url("/api/v1/write?x=1"),
                                   .headers = {{"X-One", "1"}, {"X-None", ""}},
                                   .body = std::string_view("a\0b", 3),
                                   .user = "me",
                                   .password = "pass"});
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->status, 201);
    EXPECT_EQ(answer->body, "made");
    EXPECT_EQ(answer->header("retry-after"), "7");
    EXPECT_EQ(answer->header("x-empty"), "");
    EXPECT_EQ(answer->header("none"), std::nullopt);
    EXPECT_THAT(seen.head, testing::StartsWith("POST /api/v1/write?x=1 HTTP/1.1\r\n"));
    EXPECT_THAT(seen.head, HasSubstr("X-One: 1\r\n"));
    EXPECT_THAT(seen.head, HasSubstr("X-None:\r\n"));
    EXPECT_THAT(seen.head, HasSubstr("Authorization: Basic bWU6cGFzcw==\r\n"));
    EXPECT_THAT(seen.head, HasSubstr("User-Agent: gpuscope\r\n"));
    EXPECT_THAT(seen.head, Not(HasSubstr("Expect")));
    EXPECT_EQ(seen.body, std::string_view("a\0b", 3));
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST(WebClient, LeavesNothingOfACallToTheNext) {
  ScriptedRequest seen;
  ScriptedServer server([&](const ScriptedRequest& request) {
    seen = request;
    return ScriptedAnswer::status(200);
  });
  const auto web = client();
  ASSERT_TRUE(web->send({.method = "PUT",
                         .url = server.url(),
                         .headers = {{"X-One", "1"}},
                         .body = "body",
                         .user = "me",
                         .password = ""}));
  ASSERT_TRUE(web->send({.url = server.url("/second")}));
  EXPECT_THAT(seen.head, testing::StartsWith("GET /second HTTP/1.1\r\n"));
  EXPECT_THAT(seen.head, Not(HasSubstr("X-One")));
  EXPECT_THAT(seen.head, Not(HasSubstr("Authorization")));
  EXPECT_EQ(seen.body, "");
}

TEST(WebClient, FollowsNoRedirect) {
  ScriptedServer server([](const ScriptedRequest&) {
    return ScriptedAnswer::status(307, "Location: http://127.0.0.1:1/\r\n");
  });
  const auto answer = client()->send({.url = server.url()});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 307);
  EXPECT_EQ(answer->header("location"), "http://127.0.0.1:1/");
}

TEST(WebClient, CutsALongBody) {
  const std::string body(100'000, 'x');
  ScriptedServer server(
      [&](const ScriptedRequest&) { return ScriptedAnswer::status(500, "", body); });
  const auto web = client({.max_body_bytes = 1000});
  for (int i = 0; i < 2; ++i) {
    const auto answer = web->send({.url = server.url()});
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->status, 500);
    EXPECT_EQ(answer->body, std::string(1000, 'x'));
    EXPECT_TRUE(answer->body_cut);
  }
}

TEST(WebClient, TellsOfAnswersThatAreNone) {
  using Then = ScriptedAnswer::Then;
  const std::pair<const char*, ScriptedAnswer> table[] = {
      {"closed at once", {"", Then::kClose}},
      {"half a head", {"HTTP/1.1 200 OK\r\nContent-Le", Then::kClose}},
      {"half a body", {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", Then::kClose}},
      {"no HTTP", {"SSH-2.0-OpenSSH_9.2\r\n\r\n", Then::kClose}},
      {"endless head",
       {"HTTP/1.1 200 OK\r\n" + std::string(70'000, 'a') + ": x\r\n", Then::kClose}},
  };
  for (const auto& [what, answer] : table) {
    SCOPED_TRACE(what);
    ScriptedServer server([&](const ScriptedRequest&) { return answer; });
    const auto got =
        client()->send({.method = "POST", .url = server.url("/?secret=1"), .body = "x"});
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().kind, ErrorKind::kUnavailable) << got.error().message;
    EXPECT_THAT(got.error().message, HasSubstr("cannot reach http://127.0.0.1:"));
    EXPECT_THAT(got.error().message, Not(HasSubstr("secret")));
  }
}

TEST(WebClient, GivesUpOnAServerThatHangs) {
  for (const std::string begin : {"", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"}) {
    ScriptedServer server(
        [&](const ScriptedRequest&) { return ScriptedAnswer{begin, ScriptedAnswer::Then::kHang}; });
    const auto answer = client({.timeout = milliseconds{200}})->send({.url = server.url()});
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().kind, ErrorKind::kDeadlineExceeded) << answer.error().message;
  }
}

TEST(WebClient, IsCancelledFromAnotherThread) {
  std::promise<void> asked;
  ScriptedServer server([&](const ScriptedRequest&) {
    asked.set_value();
    return ScriptedAnswer{"", ScriptedAnswer::Then::kHang};
  });
  const auto web = client({.timeout = std::chrono::hours{1}});
  std::thread canceller([&] {
    asked.get_future().wait();
    web->cancel();
  });
  const auto answer = web->send({.url = server.url()});
  canceller.join();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::kUnavailable);
  EXPECT_THAT(answer.error().message, HasSubstr("cancelled"));
  EXPECT_FALSE(web->send({.url = server.url()})) << "later requests are refused, too";
}

TEST(WebClient, SaysWhyNobodyAnswers) {
  std::uint16_t port = 0;
  {
    port = ScriptedServer([](const ScriptedRequest&) { return ScriptedAnswer{}; }).port();
  }
  const auto answer = client()->send({.url = "http://127.0.0.1:" + std::to_string(port) + "/"});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::kUnavailable);
  EXPECT_THAT(answer.error().message, HasSubstr("onnect"));
}

TEST(WebClient, RefusesWhatCannotBeSent) {
  const auto web = client();
  for (const std::string header : {"a\r\nX-Evil: 1", "tab\nfeed"}) {
    const auto answer = web->send({.url = "http://127.0.0.1:1/", .headers = {{"X", header}}});
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().kind, ErrorKind::kInvalidArgument);
  }
  EXPECT_FALSE(web->send({.url = "http://127.0.0.1:1/", .headers = {{"X:", "1"}}}));
  EXPECT_FALSE(web->send({.url = "http://127.0.0.1:1/", .headers = {{"", "1"}}}));
}

}  // namespace
}  // namespace gpuscope::http
