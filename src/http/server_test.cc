// The server over real sockets on loopback. Nothing sleeps: a test waits by blocking until the
// server sends or closes.
#include "http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <string>
#include <thread>

#include "http/server_testing.h"

namespace gpuscope::http {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// Answers with what it was asked.
std::optional<Response> echo(const Request& request) {
  std::string text{request.method};
  for (const std::string& segment : request.path) text += "|" + segment;
  for (const auto& [name, value] : request.query)
    text.append("?").append(name).append("=").append(value);
  text += request.accepts_gzip ? " gzip" : "";
  text += request.from_loopback ? " loopback" : "";
  text += request.body.empty() ? "" : " " + std::string(request.body);
  return text_response(200, "text/plain", std::move(text));
}

TEST(Server, AnswersOnOneConnectionAgainAndAgain) {
  const auto server = serve(patient(), echo);
  Client client(server->port());
  EXPECT_EQ(client.get("/gpu/a%20b?x=1&y=%2B").body, "GET|gpu|a b?x=1?y=+ loopback");
  EXPECT_EQ(client.get("/", "Accept-Encoding: gzip\r\n").body, "GET gzip loopback");
  EXPECT_EQ(client.get("http://host:1/abs?z").body, "GET|abs?z= loopback");
  EXPECT_EQ(server->counters().requests, 3U);
  EXPECT_EQ(server->counters().connections, 1U);
}

TEST(Server, TellsTheHandlerWhoseHostAndPage) {
  const auto server = serve(patient(), [](const Request& request) {
    return text_response(200, "text/plain",
                         std::string(request.host) + " " + std::string(request.origin) +
                             (is_same_origin(request) ? " same" : " other"));
  });
  Client client(server->port());
  EXPECT_EQ(client.get("/", "Origin: http://x\r\n").body, "x http://x same");
  EXPECT_EQ(client.get("/", "Origin: http://evil\r\n").body, "x http://evil other");
  EXPECT_EQ(client.get("/").body, "x  same") << "left from the request before";
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
  const auto server = serve(patient(), echo);
  Client client(server->port());
  std::string requests;
  for (int i = 0; i < 500; ++i) {
    requests += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: x\r\n\r\n";
  }
  ASSERT_TRUE(client.send(requests));
  for (int i = 0; i < 500; ++i) {
    ASSERT_EQ(client.read().body, "GET|" + std::to_string(i) + " loopback");
  }
}

TEST(Server, GivesHeadWithoutItsBody) {
  const auto server = serve(patient(), echo);
  Client client(server->port());
  client.send("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.read(true).head, HasSubstr("Content-Length: 14\r\n"));
  EXPECT_EQ(client.get("/a").body, "GET|a loopback");
}

TEST(Server, ClosesWhenAsked) {
  const auto server = serve(patient(), echo);
  Client closing(server->port());
  EXPECT_THAT(closing.get("/", "Connection: close\r\n").head, HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(closing.is_closed());
  Client old(server->port());
  old.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(old.read().status, 200);
  EXPECT_TRUE(old.is_closed());
  Client old_kept(server->port());
  old_kept.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(old_kept.read().head, HasSubstr("Connection: keep-alive\r\n"));
  EXPECT_EQ(old_kept.get("/").status, 200);
}

TEST(Server, ReadsBodies) {
  const auto server = serve(patient(), echo);
  Client client(server->port());
  client.send("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_EQ(client.read().body, "POST|p loopback hello");
  client.send("POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n");
  client.send("3\r\nllo\r\n0\r\n\r\n");
  EXPECT_EQ(client.read().body, "POST|p loopback hello");
  const std::string big(900'000, 'b');
  client.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n" + big);
  EXPECT_EQ(client.read().body, "PUT loopback " + big);
}

TEST(Server, AsksForABodyThatIsHeldBack) {
  const auto server = serve(patient(), echo);
  Client client(server->port());
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read().head, "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("ok");
  EXPECT_EQ(client.read().body, "POST loopback ok");
}

TEST(Server, SaysThatABodyIsGzip) {
  const auto server = serve(patient(), [](const Request& request) {
    Response response = text_response(200, "text/plain", request.accepts_gzip ? "zz" : "plain");
    response.gzip = request.accepts_gzip;
    return response;
  });
  Client client(server->port());
  const Answer plain = client.get("/", "Accept-Encoding: gzip;q=0\r\n");
  EXPECT_EQ(plain.body, "plain");
  EXPECT_THAT(plain.head, Not(HasSubstr("Content-Encoding")));
  EXPECT_THAT(plain.head, HasSubstr("Vary: Accept-Encoding\r\n"));
  const Answer gzip = client.get("/", "Accept-Encoding: br\r\nAccept-Encoding: gzip\r\n");
  EXPECT_EQ(gzip.body, "zz");
  EXPECT_THAT(gzip.head, HasSubstr("Content-Encoding: gzip\r\n"));
}

TEST(Server, RefusesBadRequestsAndGoesOn) {
  const auto server = serve(patient(), echo);
  Client other(server->port());
  EXPECT_EQ(other.get("/1").status, 200);
  struct Case {
    std::string text;
    int status;
  };
  for (const Case& bad : {Case{"nonsense\r\n\r\n", 400}, Case{"GET /%zz HTTP/1.0\r\n\r\n", 400},
                          Case{"GET /?a=%z HTTP/1.0\r\n\r\n", 400},
                          Case{"GET / HTTP/3.0\r\n\r\n", 505}, Case{"GET / HTTP/1.1\r\n\r\n", 400},
                          Case{"POST / HTTP/1.0\r\nContent-Length: 9999999\r\n\r\n", 413}}) {
    Client client(server->port());
    ASSERT_TRUE(client.send(bad.text));
    const Answer answer = client.read();
    EXPECT_EQ(answer.status, bad.status) << bad.text;
    EXPECT_THAT(answer.body, StartsWith("{\"detail\": \""));
    EXPECT_THAT(answer.head, HasSubstr("Content-Type: application/json\r\n"));
    EXPECT_TRUE(client.is_closed());
  }
  EXPECT_EQ(other.get("/2").status, 200);
  EXPECT_EQ(server->counters().bad_requests, 6U);
}

TEST(Server, AnswersAHugeHeaderBeforeItsEnd) {
  const auto server = serve(patient(), echo);
  Client client(server->port());
  std::thread reader([&] { EXPECT_EQ(client.read().status, 431); });
  client.send("GET / HTTP/1.1\r\nA: ");
  const std::string megabyte(std::size_t{1} << 20, 'a');
  for (int i = 0; i < 10 && client.send(megabyte); ++i) {
  }
  reader.join();
}

TEST(Server, DropsHalfARequest) {
  const auto server = serve(quick(), echo);
  Client silent(server->port());
  Client half(server->port());
  half.send("GET / HT");
  Client body(server->port());
  body.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf");
  EXPECT_TRUE(silent.is_closed());
  EXPECT_EQ(half.read().status, 408);
  EXPECT_TRUE(half.is_closed());
  EXPECT_EQ(body.read().status, 408);
}

// One byte now and then buys no time.
TEST(Server, DropsASlowHeader) {
  const auto server = serve(quick(), echo);
  Client client(server->port());
  std::thread drip([&] {
    client.send("GET / HTTP/1.1\r\n");
    while (client.send("A: b\r\n")) {
      pollfd nothing{};
      poll(&nothing, 0, 10);  // the pace of the drip, not a wait for anything
    }
  });
  const Answer answer = client.read();
  EXPECT_TRUE(answer.status == 408 || answer.status == 0) << answer.head;
  EXPECT_TRUE(client.is_closed());
  drip.join();
}

TEST(Server, ClosesIdleConnections) {
  const auto server = serve(quick(), echo);
  Client client(server->port());
  EXPECT_EQ(client.get("/").status, 200);
  EXPECT_TRUE(client.is_closed());
  EXPECT_EQ(server->counters().timed_out, 1U);
}

TEST(Server, SurvivesClientsThatLeave) {
  const auto server = serve(patient(), echo);
  for (int i = 0; i < 50; ++i) {
    Client client(server->port());
    client.send(i % 2 == 0 ? "GET / HTTP/1.1\r\nHost: x\r\n\r\n" : "GET / HTT");
  }
  EXPECT_EQ(Client(server->port()).get("/").status, 200);
}

Handler huge_or_small() {
  const auto body = std::make_shared<const std::string>(24 * 1024 * 1024, 'x');
  return [body](const Request& request) {
    if (request.path.empty()) return text_response(200, "text/plain", "small");
    return Response{.content_type = "text/plain", .body = body, .headers = {}};
  };
}

TEST(Server, SendsHugeBodiesPieceByPiece) {
  const auto server = serve(patient(), huge_or_small());
  Client client(server->port());
  const std::string body = client.get("/huge").body;
  EXPECT_EQ(body.size(), 24U * 1024 * 1024);
  EXPECT_EQ(body.find_first_not_of('x'), std::string::npos);
  EXPECT_EQ(client.get("/").body, "small");
}

TEST(Server, DropsAReaderThatDoesNotRead) {
  const auto server = serve(quick(), huge_or_small());
  Client stopped(server->port());
  stopped.send("GET /huge HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(Client(server->port()).get("/").body, "small");
  EXPECT_TRUE(stopped.is_reset());
}

TEST(Server, RefusesConnectionsOverTheLimit) {
  Options options = patient();
  options.max_connections = 2;
  const auto server = serve(options, echo);
  Client first(server->port());
  Client second(server->port());
  EXPECT_EQ(first.get("/").status, 200);
  EXPECT_EQ(second.get("/").status, 200);
  Client third(server->port());
  const Answer refused = third.read();
  EXPECT_EQ(refused.status, 503);
  EXPECT_THAT(refused.body, HasSubstr("too many connections"));
  EXPECT_TRUE(third.is_closed());
  EXPECT_EQ(first.get("/").status, 200);
  EXPECT_EQ(server->counters().refused, 1U);
}

TEST(Server, TellsOnlySomeOfACrowd) {
  Options options = patient();
  options.max_connections = 1;
  const auto server = serve(options, echo);
  Client first(server->port());
  EXPECT_EQ(first.get("/").status, 200);
  std::vector<std::unique_ptr<Client>> crowd;
  crowd.reserve(100);
  for (int i = 0; i < 100; ++i) crowd.push_back(std::make_unique<Client>(server->port()));
  for (const auto& client : crowd) EXPECT_TRUE(client->is_closed());
  EXPECT_EQ(first.get("/").status, 200);
}

TEST(Server, AsksAgainUntilThereIsAnAnswer) {
  std::atomic<bool> ready{false};
  std::atomic<std::int64_t> waited{0};
  const auto server = serve(patient(), [&](const Request& request) -> std::optional<Response> {
    if (request.path.empty()) return text_response(200, "text/plain", "at once");
    waited = request.waited.count();
    if (!ready || request.waited < milliseconds{40}) return std::nullopt;
    return text_response(200, "text/plain", std::string(request.path[0]));
  });
  Client pending(server->port());
  pending.send("GET /later HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(Client(server->port()).get("/").body, "at once");
  ready = true;
  EXPECT_EQ(pending.read().body, "later");
  EXPECT_EQ(pending.read().body, "at once");
  EXPECT_GE(waited, 40);
}

TEST(Server, AsksAgainAtOnceWhenItIsWoken) {
  std::atomic<bool> ready{false};
  std::atomic<int> calls{0};
  std::atomic<std::int64_t> waited{0};
  const auto server = serve(patient(), [&](const Request& request) -> std::optional<Response> {
    ++calls;
    waited = request.waited.count();
    if (!ready) return std::nullopt;
    return text_response(200, "text/plain", "now");
  });
  Client pending(server->port());
  pending.send("GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
  while (calls < 500) {
    server->wake();
    std::this_thread::yield();
  }
  EXPECT_LT(waited, 500 * 20) << "by itself it asks every 20 ms";
  ready = true;
  EXPECT_EQ(pending.read().body, "now");
  server->stop();
  server->wake();
}

TEST(Server, ForgetsAPendingRequestWhoseClientHasGone) {
  Options options = patient();
  options.max_connections = 1;
  std::atomic<int> calls{0};
  const auto server = serve(options, [&](const Request& request) -> std::optional<Response> {
    ++calls;
    if (request.path.empty()) return text_response(200, "text/plain", "");
    return std::nullopt;
  });
  Client pending(server->port());
  pending.send("GET /never HTTP/1.1\r\nHost: x\r\n\r\n");
  while (calls == 0) std::this_thread::yield();
  pending.close();
  // There is room for one: the next client gets in once the first is forgotten.
  int status = 503;
  for (int i = 0; i < 100'000 && status != 200; ++i)
    status = Client(server->port()).get("/").status;
  EXPECT_EQ(status, 200);
}

TEST(Server, OutlivesAHandlerThatThrows) {
  const auto server = serve(patient(), [](const Request& request) -> std::optional<Response> {
    if (request.path.empty()) throw std::runtime_error("no");
    return text_response(200, "text/plain", "yes");
  });
  Client client(server->port());
  EXPECT_EQ(client.get("/").status, 500);
  EXPECT_EQ(client.get("/a").body, "yes");
  EXPECT_EQ(server->counters().handler_failures, 1U);
}

TEST(Server, StopsWithConnectionsOpen) {
  std::atomic<int> calls{0};
  const auto server = serve(patient(), [&](const Request& request) -> std::optional<Response> {
    ++calls;
    if (request.path.empty()) return text_response(200, "text/plain", std::string(24 << 20, 'x'));
    return std::nullopt;
  });
  Client idle(server->port());
  Client unread(server->port());
  unread.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  Client pending(server->port());
  pending.send("GET /never HTTP/1.1\r\nHost: x\r\n\r\n");
  while (calls < 2) std::this_thread::yield();
  server->stop();
  EXPECT_TRUE(idle.is_closed());
  EXPECT_EQ(pending.read().status, 503);
  EXPECT_TRUE(pending.is_closed());
  server->stop();
}

TEST(Server, StopsWithoutHavingStarted) {
  auto server = Server::listen(patient(), echo);
  ASSERT_TRUE(server);
  (*server)->stop();
  (*server)->start();  // nothing to serve any more
}

TEST(Server, FreesItsPort) {
  Options options = patient();
  {
    const auto server = serve(options, echo);
    options.port = server->port();
    EXPECT_EQ(Client(options.port).get("/").status, 200);
  }
  const auto again = Server::listen(options, echo);
  EXPECT_TRUE(again) << again.error().message;
}

TEST(Server, SaysWhyItCannotListen) {
  const auto server = serve(patient(), echo);
  Options options = patient();
  options.port = server->port();
  const auto taken = Server::listen(options, echo);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().kind, base::ErrorKind::kAlreadyExists);
  EXPECT_THAT(taken.error().message,
              StartsWith("cannot listen on 127.0.0.1:" + std::to_string(server->port()) +
                         ": address already in use"));
  options.host = "192.0.2.1";
  EXPECT_EQ(Server::listen(options, echo).error().kind, base::ErrorKind::kInvalidArgument);
  for (const char* host : {"", "no such host", "256.1.1.1"}) {
    options.host = host;
    EXPECT_EQ(Server::listen(options, echo).error().kind, base::ErrorKind::kInvalidArgument);
  }
}

TEST(Server, ListensOnEveryKindOfAddress) {
  for (const char* host : {"127.0.0.1", "localhost", "0.0.0.0"}) {
    Options options = patient();
    options.host = host;
    EXPECT_EQ(Client(serve(options, echo)->port()).get("/").body, "GET loopback") << host;
  }
}

TEST(Server, ListensOnIpv6) {
  for (const char* host : {"[::1]", "::1"}) {
    Options options = patient();
    options.host = host;
    const auto server = Server::listen(options, echo);
    if (!server) GTEST_SKIP() << server.error().message;
    EXPECT_NE((*server)->port(), 0);
  }
  Options options = patient();
  options.host = "::";  // an IPv4 client shows as ::ffff:127.0.0.1
  EXPECT_EQ(Client(serve(options, echo)->port()).get("/").body, "GET loopback");
}

TEST(Server, WaitsForFilesToBeFree) {
  const auto server = serve(patient(), echo);
  Client client;  // its socket is there before the limit bites
  rlimit saved{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &saved), 0);
  const rlimit none{.rlim_cur = 0, .rlim_max = saved.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  client.connect_to(server->port());
  client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  while (server->counters().accept_failures == 0) std::this_thread::yield();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &saved), 0);
  EXPECT_EQ(client.read().status, 200);
}

}  // namespace
}  // namespace gpuscope::http
