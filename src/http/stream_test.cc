// Streams over real sockets on loopback. Nothing sleeps: a test waits by blocking until the server
// sends or closes, or for a counter to move.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "http/server.h"
#include "http/server_testing.h"

namespace gpuscope::http {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kGet = "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n";

// /stream listens to topic 1 from message 6 on, /other to topic 2; the rest is a small document.
std::optional<Response> streams(const Request& request) {
  Response response = text_response(200, "text/event-stream", "begin\n");
  if (request.path.at(0) == "stream") response.stream = Stream{.topic = 1, .after = 5};
  if (request.path.at(0) == "other") response.stream = Stream{.topic = 2};
  return response;
}

std::shared_ptr<const std::string> text(std::string bytes) {
  return std::make_shared<const std::string>(std::move(bytes));
}

// More than any socket's buffers take.
std::shared_ptr<const std::string> huge() {
  std::string bytes;
  bytes.resize(std::size_t{32} << 20, 'x');
  return text(std::move(bytes));
}

template <typename Condition>
void wait_until(Condition condition) {
  while (!condition()) std::this_thread::yield();
}

TEST(Streams, BeginWithTheBodyAndGoOnWithWhatIsPublished) {
  const auto server = serve(patient(), streams);
  Client one(server->port());
  Client two(server->port());
  one.send(kGet);
  const std::string head = one.read_until("\r\n\r\n");
  EXPECT_THAT(head, HasSubstr("200 OK"));
  EXPECT_THAT(head, HasSubstr("Connection: close"));
  EXPECT_THAT(head, Not(HasSubstr("Content-Length")));
  EXPECT_EQ(one.read_until("\n"), "begin\n");
  two.send("GET /other HTTP/1.0\r\n\r\n");
  EXPECT_THAT(two.read_until("begin\n"), HasSubstr("\r\n\r\nbegin\n"));
  EXPECT_EQ(server->listeners(), 2U);

  server->publish(1, 5, text("stands in the body\n"));
  server->publish(2, 1, text("of another topic\n"));
  for (int i = 6; i < 100; ++i) {
    server->publish(1, static_cast<std::uint64_t>(i), text(std::to_string(i) + "\n"));
    EXPECT_EQ(one.read_until("\n"), std::to_string(i) + "\n");
  }
  EXPECT_EQ(two.read_until("\n"), "of another topic\n");
  EXPECT_EQ(server->counters().streams, 2U);
  EXPECT_EQ(server->counters().streams_dropped, 0U);
}

TEST(Streams, AreForgottenWhenThePeerGoes) {
  const auto server = serve(patient(), streams);
  {
    Client client(server->port());
    client.send(kGet);
    client.read_until("begin\n");
    EXPECT_EQ(server->listeners(), 1U);
    client.send("what a listener says is not read\n");
  }
  wait_until([&] { return server->listeners() == 0; });
  server->publish(1, 6, text("nobody\n"));
  EXPECT_EQ(Client(server->port()).get("/small").body, "begin\n");
}

TEST(Streams, DropAListenerThatFallsBehindAndNoOther) {
  Options options = patient();
  options.max_stream_messages = 4;
  const auto server = serve(options, streams);
  Client stuck(server->port());
  stuck.send(kGet);
  stuck.read_until("begin\n");
  Client good(server->port());
  good.send(kGet);
  good.read_until("begin\n");
  const auto big = text(std::string(1'000'000, 'x') + "\n");
  std::uint64_t number = 5;
  while (server->counters().streams_dropped == 0) {
    ASSERT_LT(number, 1000U);
    server->publish(1, ++number, big);
    EXPECT_EQ(good.read_until("\n").size(), big->size());
  }
  EXPECT_TRUE(stuck.is_reset());
  EXPECT_EQ(server->listeners(), 1U);
  wait_until([&] { return big.use_count() == 1; });  // not held for a listener that is gone
}

TEST(Streams, DropAListenerByBytes) {
  Options options = patient();
  options.max_stream_bytes = 100'000;
  const auto server = serve(options, streams);
  Client stuck(server->port());
  stuck.send(kGet);
  stuck.read_until("begin\n");
  // One of any size is taken; with it unsent, the next is one too many.
  server->publish(1, 6, huge());
  server->publish(1, 7, text("y"));
  wait_until([&] { return server->counters().streams_dropped == 1; });
  EXPECT_TRUE(stuck.is_reset());
}

TEST(Streams, EndWhenTheListenerTakesNothing) {
  const auto server = serve(quick(), streams);
  Client stuck(server->port());
  stuck.send(kGet);
  stuck.read_until("begin\n");
  server->publish(1, 6, huge());
  EXPECT_TRUE(stuck.is_reset());
  EXPECT_EQ(server->counters().timed_out, 1U);
  EXPECT_EQ(server->counters().streams_dropped, 0U);
}

TEST(Streams, OutliveTheTimeoutsOfRequests) {
  const auto server = serve(quick(), streams);
  Client listener(server->port());
  listener.send(kGet);
  listener.read_until("begin\n");
  Client idle(server->port());
  EXPECT_EQ(idle.get("/small").body, "begin\n");
  EXPECT_TRUE(idle.is_closed());  // by its timeout, which has passed for the listener, too
  server->publish(1, 6, text("still there\n"));
  EXPECT_EQ(listener.read_until("\n"), "still there\n");
}

TEST(Streams, HaveALimitOfTheirOwn) {
  Options options = patient();
  options.max_connections = 1;
  options.max_streams = 2;
  const auto server = serve(options, streams);
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 2; ++i) {
    clients.push_back(std::make_unique<Client>(server->port()));
    clients.back()->send(kGet);
    EXPECT_EQ(clients.back()->read_until("begin\n").substr(0, 15), "HTTP/1.1 200 OK");
  }
  {
    Client third(server->port());
    const Answer refused = third.get("/stream");
    EXPECT_EQ(refused.status, 503);
    EXPECT_EQ(refused.body, R"({"detail": "too many listeners: the limit is 2"})");
    EXPECT_TRUE(third.is_closed());
  }
  // They take no place from requests, nor requests from them.
  EXPECT_EQ(Client(server->port()).get("/small").status, 200);
  clients.pop_back();
  wait_until([&] { return server->listeners() == 1; });
  Client next(server->port());
  next.send(kGet);
  EXPECT_THAT(next.read_until("begin\n"), HasSubstr("200 OK"));
}

TEST(Streams, GiveHeadWithoutBeginning) {
  const auto server = serve(patient(), streams);
  Client client(server->port());
  client.send("HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.read(true).status, 200);
  EXPECT_TRUE(client.is_closed());
  EXPECT_EQ(server->counters().streams, 0U);
}

TEST(Streams, EndWithTheServer) {
  auto server = serve(patient(), streams);
  Client reading(server->port());
  reading.send(kGet);
  reading.read_until("begin\n");
  Client stuck(server->port());
  stuck.send(kGet);
  stuck.read_until("begin\n");
  server->publish(1, 6, text("last\n"));
  EXPECT_EQ(reading.read_until("\n"), "last\n");
  server->publish(1, 7, huge());
  server->stop();
  server->publish(1, 8, text("too late\n"));
  EXPECT_EQ(server->listeners(), 0U);
  server.reset();
}

}  // namespace
}  // namespace gpuscope::http
