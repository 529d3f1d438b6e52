// An HTTP/1.1 server for documents that are already encoded, and for streams of them. One thread; a
// response only sends shared, immutable buffers.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace gpuscope::http {

// Valid during the handler's call only.
struct Request {
  std::string_view method;        // "GET", also for HEAD: the server itself leaves the body out
  std::string_view target;        // as it was sent
  std::vector<std::string> path;  // percent-decoded segments: "/gpu/list" is {"gpu", "list"}
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
  std::string_view accept;
  std::string_view host;    // "gpu7:9555"; empty only in HTTP/1.0
  std::string_view origin;  // of the page that asks, "http://gpu7:9555"; empty: no browser, or GET
  std::string_view body;
  bool accepts_gzip = false;
  bool from_loopback = false;  // the peer's address
  // How long this request has been pending, see Handler.
  std::chrono::milliseconds waited{0};

  // The first value of a query parameter, or nullopt.
  std::optional<std::string_view> query_value(std::string_view name) const;
};

// Makes a response the beginning of a stream.
struct Stream {
  std::uint32_t topic = 0;  // the one that is listened to, see Server::publish()
  // Messages with a number up to this one are not sent: what they say stands in the body.
  std::uint64_t after = 0;
};

// The server adds Date, Content-Length, Connection, Vary: Accept-Encoding and what keeps a browser
// from guessing; to text/html also a Content-Security-Policy, unless `headers` has one.
struct Response {
  int status = 200;
  std::string_view content_type = "application/json";             // static text
  std::shared_ptr<const std::string> body;                        // never null
  bool gzip = false;                                              // `body` is gzip-compressed
  std::vector<std::pair<std::string_view, std::string>> headers;  // further ones, such as Allow
  // Set: `body` (not compressed) is what the stream begins with, and what is published follows it,
  // until the peer goes, falls behind, or the server stops. It has no length and ends with the
  // connection. 503 instead where there are Options::max_streams already.
  std::optional<Stream> stream = std::nullopt;
};

// Answers a request, or nullopt for "not yet": the server asks again every 20 ms, with `waited`
// grown, and other connections go on meanwhile. Called on the server's thread alone; must not
// block.
using Handler = std::function<std::optional<Response>(const Request&)>;

struct Options {
  std::string host = "127.0.0.1";
  std::uint16_t port = 9555;               // 0: any free one, see Server::port()
  std::size_t max_connections = 1024;      // without streams; over that: 503
  std::size_t max_header_bytes = 16'384;   // over that: 431
  std::size_t max_body_bytes = 1'048'576;  // over that: 413
  // Each is kept to within a second, or a quarter of the shortest of them where that is less.
  std::chrono::milliseconds header_timeout{10'000};  // for the header, and again for the body
  std::chrono::milliseconds idle_timeout{75'000};    // a kept-alive connection without a request
  std::chrono::milliseconds write_timeout{30'000};   // a reader that takes nothing for so long
  std::size_t max_streams = 2000;                    // listeners of all topics
  // A listener that is so far behind is dropped. One message may be as large as it likes.
  std::size_t max_stream_messages = 16;
  std::size_t max_stream_bytes = 4'194'304;
};

// What has happened since the server began to listen.
struct Counters {
  std::uint64_t connections = 0;       // accepted, refused ones among them
  std::uint64_t refused = 0;           // over max_connections
  std::uint64_t requests = 0;          // given to the handler
  std::uint64_t bad_requests = 0;      // answered without the handler
  std::uint64_t timed_out = 0;         // connections that ran into one of the timeouts
  std::uint64_t accept_failures = 0;   // such as too many open files; tried again 100 ms later
  std::uint64_t handler_failures = 0;  // exceptions out of the handler, answered with 500
  std::uint64_t streams = 0;           // responses that became one
  std::uint64_t streams_dropped = 0;   // because the listener fell behind
};

class Server {
 public:
  // Binds at once, so that a port in use is an error here (kAlreadyExists) and not later.
  static base::Result<std::unique_ptr<Server>> listen(const Options& options, Handler handler);
  virtual ~Server() = default;  // stops

  virtual std::uint16_t port() const = 0;
  // Serves on a thread of its own.
  virtual void start() = 0;
  // Takes no more requests, ends open ones within a second, joins the thread. Idempotent. Not to be
  // called from the handler; start() and stop() belong to one thread.
  virtual void stop() = 0;
  // Any thread, any time.
  virtual Counters counters() const = 0;
  // How many listen to streams now.
  virtual std::size_t listeners() const = 0;
  // Asks the handler again at once for every request that it had no answer to yet. Any thread.
  virtual void wake() = 0;
  // Sends `message` to everybody who listens to `topic` and whose Stream::after is below `number`,
  // without waiting for any of them. Any thread, in the order of its calls; the last share of the
  // message may be dropped on the server's thread. After stop() it goes nowhere.
  virtual void publish(std::uint32_t topic, std::uint64_t number,
                       std::shared_ptr<const std::string> message) = 0;
};

// Whether a request may change something, as far as its Origin says: it has none (it is not a
// page's), or the page came from the very host and port that are asked, under http or https.
bool is_same_origin(const Request& request);

// A JSON error as every API of this program gives it: {"detail": "…"}. Any bytes will do: what is
// not UTF-8 becomes U+FFFD.
Response error_response(int status, std::string_view detail);
// A response that owns its text.
Response text_response(int status, std::string_view content_type, std::string body);

// "/a%20b/c" to its decoded segments; nullopt when it does not begin with a slash, an escape is
// broken, or a segment decodes to a control character or to something that is not UTF-8. Empty
// segments are kept, but for a trailing one.
std::optional<std::vector<std::string>> decode_path(std::string_view path);
// "a=1&b=%20" to decoded pairs ('+' is a blank); nullopt when an escape is broken or something
// decodes to what is not UTF-8.
std::optional<std::vector<std::pair<std::string, std::string>>> decode_query(
    std::string_view query);

}  // namespace gpuscope::http
