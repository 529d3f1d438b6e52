// The parts that need no socket: decoding, negotiation, heads, the parser.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <ostream>
#include <string>

#include "base/utf8.h"
#include "http/negotiate.h"
#include "http/request_parser.h"
#include "http/response.h"
#include "http/server.h"
#include "http/web_answer.h"

namespace gpuscope::http {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Optional;
using testing::Pair;
using testing::StartsWith;

TEST(DecodePath, SplitsAndDecodes) {
  EXPECT_THAT(decode_path("/"), Optional(IsEmpty()));
  EXPECT_THAT(decode_path("/gpu/list"), Optional(ElementsAre("gpu", "list")));
  EXPECT_THAT(decode_path("/gpu/list/"), Optional(ElementsAre("gpu", "list")));
  EXPECT_THAT(decode_path("/a%20b/c"), Optional(ElementsAre("a b", "c")));
  EXPECT_THAT(decode_path("/a%2Fb"), Optional(ElementsAre("a/b")));
  EXPECT_THAT(decode_path("/a+b"), Optional(ElementsAre("a+b")));
  EXPECT_THAT(decode_path("//a//b"), Optional(ElementsAre("", "a", "", "b")));
  EXPECT_THAT(decode_path("/%E2%82%ac"), Optional(ElementsAre("€")));
}

TEST(DecodePath, RefusesWhatIsNoPath) {
  for (const char* path : {"", "a", "*", "/%", "/%4", "/%zz", "/%0a", "/a%00b", "/%7f", "/%ff",
                           "/%c0%af", "/%ed%a0%80", "/%f4%90%80%80"}) {
    EXPECT_EQ(decode_path(path), std::nullopt) << path;
  }
}

TEST(DecodeQuery, KeepsOrderAndRepeats) {
  EXPECT_THAT(decode_query(""), Optional(IsEmpty()));
  EXPECT_THAT(decode_query("a=1&b=%20&a=2"),
              Optional(ElementsAre(Pair("a", "1"), Pair("b", " "), Pair("a", "2"))));
  EXPECT_THAT(decode_query("a+b=c+d"), Optional(ElementsAre(Pair("a b", "c d"))));
  EXPECT_THAT(decode_query("flag&&=x&y==%3D"),
              Optional(ElementsAre(Pair("flag", ""), Pair("", "x"), Pair("y", "=="))));
  EXPECT_THAT(decode_query("q=a%0Ab"), Optional(ElementsAre(Pair("q", "a\nb"))));
}

TEST(DecodeQuery, RefusesBrokenEscapes) {
  for (const char* query : {"a=%", "%1", "a=%g1", "a=%80"}) {
    EXPECT_EQ(decode_query(query), std::nullopt) << query;
  }
}

TEST(Request, FindsTheFirstValueOfAParameter) {
  Request request;
  request.query = {{"method", "sim"}, {"method", "nvml"}, {"empty", ""}};
  EXPECT_EQ(request.query_value("method"), "sim");
  EXPECT_EQ(request.query_value("empty"), "");
  EXPECT_EQ(request.query_value("other"), std::nullopt);
}

TEST(SameOrigin, IsThePageOfTheVeryHostAndPort) {
  const auto same = [](const char* host, const char* origin) {
    Request request;
    request.host = host;
    request.origin = origin;
    return is_same_origin(request);
  };
  EXPECT_TRUE(same("gpu7:9555", ""));  // no page
  EXPECT_TRUE(same("", ""));
  EXPECT_TRUE(same("gpu7:9555", "http://gpu7:9555"));
  EXPECT_TRUE(same("GPU7.example", "https://gpu7.EXAMPLE"));
  EXPECT_TRUE(same("[::1]:9555", "http://[::1]:9555"));
  EXPECT_FALSE(same("gpu7:9555", "http://gpu7"));
  EXPECT_FALSE(same("gpu7:9555", "http://gpu7:95555"));
  EXPECT_FALSE(same("gpu7:9555", "http://gpu7:955"));
  EXPECT_FALSE(same("gpu7:9555", "http://evil/gpu7:9555"));
  EXPECT_FALSE(same("gpu7:9555", "null"));
  EXPECT_FALSE(same("gpu7:9555", "gpu7:9555"));
  EXPECT_FALSE(same("gpu7:9555", "chrome-extension://gpu7:9555"));
  EXPECT_FALSE(same("", "http://"));
}

TEST(AcceptsGzip, FollowsTheWeights) {
  for (const char* yes :
       {"gzip", "GZIP", "x-gzip", "deflate, gzip", "gzip;q=0.1", "gzip ; Q=1.000", "*", "*;q=0.5",
        "br;q=1.0, gzip;q=0.8, *;q=0.1", ",,gzip,", "identity;q=1, gzip;q=0.001"}) {
    EXPECT_TRUE(accepts_gzip(yes)) << yes;
  }
  for (const char* no : {"", " ", "identity", "gzip;q=0", "gzip;q=0.000", "*;q=0", "gzip;q=0, *",
                         "br", "gzipped", "gzip;q=", "gzip;q=x", "gzip;q=-1", "deflate;gzip"}) {
    EXPECT_FALSE(accepts_gzip(no)) << no;
  }
}

TEST(ErrorResponse, IsJsonWhateverTheDetail) {
  EXPECT_EQ(*error_response(404, "Not Found").body, R"({"detail": "Not Found"})");
  EXPECT_EQ(*error_response(400, "a\"b\\c\n\x01").body, R"({"detail": "a\"b\\c\u000a\u0001"})");
  EXPECT_EQ(*error_response(400, "\xff€\xe2\x82").body, "{\"detail\": \"\uFFFD€\uFFFD\uFFFD\"}");
  EXPECT_EQ(error_response(404, "").status, 404);
}

TEST(Utf8, KnowsTheEdges) {
  for (const char* good : {"", "a", "é", "\u07ff", "\u0800", "\uffff", "\U0010ffff"}) {
    EXPECT_TRUE(base::is_utf8(good)) << good;
  }
  for (const char* bad : {"\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
                          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "a\xe2"}) {
    EXPECT_FALSE(base::is_utf8(bad)) << bad;
  }
}

std::string head_of(const Response& response, const Delivery& delivery) {
  std::string out;
  append_head(out, response, delivery);
  return out;
}

TEST(Head, SaysWhatTheBodyIs) {
  const Response response = text_response(200, "text/plain", "12345");
  EXPECT_EQ(head_of(response, {.keep_alive = true, .http_1_0 = false, .date = "now"}),
            "HTTP/1.1 200 OK\r\nDate: now\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n"
            "Vary: Accept-Encoding\r\nX-Content-Type-Options: nosniff\r\n\r\n");
}

TEST(Head, HasNoLengthWhereThereIsNoBody) {
  const std::string head = head_of(text_response(304, "text/plain", ""), {});
  EXPECT_THAT(head, StartsWith("HTTP/1.1 304 Not Modified\r\n"));
  EXPECT_THAT(head, Not(HasSubstr("Content-Type: ")));
  EXPECT_THAT(head, Not(HasSubstr("Content-Length")));
}

TEST(Head, GuardsPages) {
  Response page = text_response(200, "text/html; charset=utf-8", "");
  EXPECT_THAT(head_of(page, {}), HasSubstr("\r\nContent-Security-Policy: default-src 'self'"));
  page.headers.emplace_back("content-security-policy", "default-src 'none'");
  EXPECT_THAT(head_of(page, {}), Not(HasSubstr("'self'")));
}

TEST(Head, LetsNoValueBeginAHeader) {
  Response response = text_response(307, "text/plain", "");
  response.headers.emplace_back("Location", "/a\r\nSet-Cookie: b");
  EXPECT_THAT(head_of(response, {}), HasSubstr("\r\nLocation: /a  Set-Cookie: b\r\n"));
}

TEST(HttpDate, IsTheFixedForm) {
  using std::chrono::seconds;
  EXPECT_EQ(http_date(base::WallTime{seconds{784111777}}), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(http_date(base::WallTime{}), "Thu, 01 Jan 1970 00:00:00 GMT");
}

// Feeds `bytes` in pieces of `step`, as a connection would; returns how many were taken.
std::size_t feed(RequestParser& parser, std::string_view bytes, std::size_t step) {
  std::size_t taken = 0;
  std::string buffer;
  while (!bytes.empty() && parser.state() < RequestParser::State::kDone) {
    buffer += bytes.substr(0, step);
    bytes.remove_prefix(std::min(step, bytes.size()));
    const std::size_t n = parser.put(buffer);
    taken += n;
    buffer.erase(0, n);
  }
  return taken;
}

TEST(RequestParser, ReadsARequestHoweverItIsCut) {
  const std::string text =
      "\r\nPOST /a?b=c HTTP/1.1\r\nHost: x\r\nOrigin: http://y\r\nAccept: a/b\r\nAccept: c/d\r\n"
      "Accept-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\nA;e=f\r\n0123456789\r\n0\r\nTrailer: t\r\nHost: again\r\n\r\n";
  for (std::size_t step = 1; step <= text.size(); ++step) {
    RequestParser parser(1024, 1024);
    EXPECT_EQ(feed(parser, text, step), text.size()) << step;
    ASSERT_EQ(parser.state(), RequestParser::State::kDone) << step;
    const Message& message = parser.message();
    EXPECT_EQ(message.method, "POST");
    EXPECT_EQ(message.target, "/a?b=c");
    EXPECT_EQ(message.host, "x");
    EXPECT_EQ(message.origin, "http://y");
    EXPECT_EQ(message.accept, "a/b, c/d");
    EXPECT_EQ(message.accept_encoding, "gzip");
    EXPECT_EQ(message.body, "abc0123456789");
    EXPECT_TRUE(message.keep_alive);
  }
}

TEST(RequestParser, ReadsAnEmptyChunkedBodyHoweverItIsCut) {
  const std::string text =
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
  for (std::size_t step = 1; step <= text.size(); ++step) {
    RequestParser parser(1024, 1024);
    EXPECT_EQ(feed(parser, text, step), text.size()) << step;
    EXPECT_EQ(parser.state(), RequestParser::State::kDone) << step;
    EXPECT_EQ(parser.message().body, "") << step;
  }
}

TEST(RequestParser, StopsAtTheEndOfOneRequest) {
  const std::string one = "GET /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab";
  RequestParser parser(1024, 1024);
  EXPECT_EQ(parser.put(one + "GET /2"), one.size());
  EXPECT_EQ(parser.message().body, "ab");
  parser.reset();
  EXPECT_EQ(parser.state(), RequestParser::State::kIdle);
  EXPECT_EQ(parser.message().body, "");
  parser.put("GET /2 HTTP/1.0\r\n\r\n");
  EXPECT_EQ(parser.state(), RequestParser::State::kDone);
  EXPECT_FALSE(parser.message().keep_alive);
}

struct Refusal {
  const char* name;
  std::string text;
  int status;

  friend void PrintTo(const Refusal& refusal, std::ostream* out) { *out << refusal.name; }
};

class RequestParserRefuses : public testing::TestWithParam<Refusal> {};

TEST_P(RequestParserRefuses, WithTheRightStatus) {
  for (const std::size_t step : {1UL, 7UL, 100'000UL}) {
    RequestParser parser(256, 64);
    feed(parser, GetParam().text, step);
    ASSERT_EQ(parser.state(), RequestParser::State::kFailed) << step;
    EXPECT_EQ(parser.failure().status, GetParam().status) << *parser.failure().body;
  }
}

const std::string host_field = "Host: x\r\n";

INSTANTIATE_TEST_SUITE_P(
    All, RequestParserRefuses,
    testing::Values(
        Refusal{"Garbage", "\x16\x03\x01\x02\x01\x01", 400},
        Refusal{"TwoSpaces", "GET  / HTTP/1.1\r\n\r\n", 400},
        Refusal{"BlankInTarget", "GET /a b HTTP/1.1\r\n" + host_field + "\r\n", 400},
        Refusal{"BadField", "GET / HTTP/1.1\r\nno colon\r\n\r\n", 400},
        Refusal{"NoHost", "GET / HTTP/1.1\r\n\r\n", 400},
        Refusal{"TwoHosts", "GET / HTTP/1.1\r\n" + host_field + host_field + "\r\n", 400},
        Refusal{"Http2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
        Refusal{"Http09", "GET / HTTP/0.9\r\n\r\n", 505},
        Refusal{"Expect", "GET / HTTP/1.1\r\n" + host_field + "Expect: magic\r\n\r\n", 417},
        Refusal{"LongTarget", "GET /" + std::string(300, 'a') + " HTTP/1.1\r\n", 431},
        Refusal{"LongField", "GET / HTTP/1.1\r\nA: " + std::string(300, 'a') + "\r\n\r\n", 431},
        Refusal{"LongBody", "POST / HTTP/1.1\r\n" + host_field + "Content-Length: 65\r\n\r\n", 413},
        Refusal{"LongChunk",
                "POST / HTTP/1.1\r\n" + host_field + "Transfer-Encoding: chunked\r\n\r\n41\r\na",
                413},
        Refusal{"LongChunkHead",
                "POST / HTTP/1.1\r\n" + host_field + "Transfer-Encoding: chunked\r\n\r\n1;" +
                    std::string(300, 'a'),
                400},
        Refusal{"BadChunk",
                "POST / HTTP/1.1\r\n" + host_field + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
                400},
        Refusal{
            "TwoLengths",
            "POST / HTTP/1.1\r\n" + host_field + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
            400},
        Refusal{"LengthAndChunks",
                "POST / HTTP/1.1\r\n" + host_field +
                    "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                400},
        Refusal{"OtherCoding",
                "POST / HTTP/1.1\r\n" + host_field + "Transfer-Encoding: gzip, chunked\r\n\r\n",
                501},
        Refusal{"HiddenCoding",
                "POST / HTTP/1.1\r\n" + host_field + "Transfer-Encoding: xchunked\r\n\r\n", 501},
        Refusal{"OldChunks", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400}),
    [](const auto& param_info) { return param_info.param.name; });

// Beast alone counts only what it has not yet taken, which is nothing when every piece ends with a
// field.
TEST(RequestParser, CountsAHeaderThatComesFieldByField) {
  std::string text = "GET / HTTP/1.1\r\n";
  const std::size_t step = text.size();
  for (int i = 0; i < 100; ++i) text += "Abcdef: ghijkl\r\n";
  RequestParser parser(256, 64);
  EXPECT_LE(feed(parser, text, step), 256U);
  ASSERT_EQ(parser.state(), RequestParser::State::kFailed);
  EXPECT_EQ(parser.failure().status, 431);
}

TEST(WebAnswer, ReadsRetryAfter) {
  // 2026-11-22T09:24:42Z, a Sunday.
  const base::WallTime now{std::chrono::seconds{1'795'339'482}};
  EXPECT_EQ(parse_retry_after("0", now), std::chrono::milliseconds{0});
  EXPECT_EQ(parse_retry_after("120", now), std::chrono::seconds{120});
  EXPECT_EQ(parse_retry_after("9000000000000000000", now), std::chrono::seconds{1'000'000'000});
  EXPECT_EQ(parse_retry_after("Sun, 22 Nov 2026 09:25:00 GMT", now), std::chrono::seconds{18});
  EXPECT_EQ(parse_retry_after("Sun, 22 Nov 2026 09:24:00 GMT", now), std::chrono::seconds{0});
  for (const char* bad : {"", "-1", "1s", "1.5", "99999999999999999999", "soon",
                          "Sun, 31 Feb 2026 09:25:00 GMT", "Sun, 22 Xyz 2026 09:25:00 GMT",
                          "Sun, 22 ovD 2026 09:25:00 GMT", "Sunday, 22-Nov-26 09:25:00 GMT"}) {
    EXPECT_EQ(parse_retry_after(bad, now), std::nullopt) << bad;
  }
}

TEST(WebAnswer, IsToldInOneLine) {
  EXPECT_EQ(one_line("out of\n\x1b[31m  order\xff sample.\n"), "out of [31m order sample");
  EXPECT_LE(one_line(std::string(5000, 'x')).size(), 200U);
}

}  // namespace
}  // namespace gpuscope::http
