// A client for HTTP and HTTPS: one request after the other, each with a deadline, each bounded.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace gpuscope::http {

struct WebClientOptions {
  std::chrono::milliseconds connect_timeout{10'000};  // name, connection, TLS
  std::chrono::milliseconds timeout{30'000};          // all of a request, from its begin
  std::size_t max_body_bytes = 1'048'576;             // of an answer; the rest is not read
  // PEM file of those who may vouch for a server; empty: those that the system trusts.
  std::string ca_file{};
  std::string user_agent = "gpuscope";
};

// What is asked. Texts are looked at during the call alone.
struct WebRequest {
  std::string method = "GET";  // with a body: "POST", "PUT"
  std::string url;             // http://… or https://…, without a user or password in it
  // Names and values without line ends; others are refused.
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string_view body{};
  // HTTP basic authentication, where `user` is not empty.
  std::string user{};
  std::string password{};
  // Whether the answer may come compressed (gzip); it is unpacked before anybody sees it.
  bool accept_gzip = false;
};

// Takes the next piece of a body; false: no more is wanted.
using BodySink = std::function<bool(std::string_view piece)>;

// Further headers as people write them, a `Name: value` a line; nullopt when a line is none.
std::optional<std::vector<std::pair<std::string, std::string>>> parse_header_lines(
    std::string_view text);

struct WebResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case, in order
  std::string body;                                          // its first max_body_bytes
  bool body_cut = false;                                     // there was more

  // The first of this name (in lower case), or nullopt.
  std::optional<std::string_view> header(std::string_view name) const;
};

// Redirects are answers like any other: nothing is sent to where nobody asked for it. Proxies are
// those of the environment (https_proxy, no_proxy, …).
class WebClient {
 public:
  static base::Result<std::unique_ptr<WebClient>> create(WebClientOptions options);
  ~WebClient();
  WebClient(const WebClient&) = delete;
  WebClient& operator=(const WebClient&) = delete;

  // Sends and waits for the whole answer, whatever its status. kInvalidArgument for a request that
  // cannot be sent, kDeadlineExceeded, kUnavailable for all else that goes wrong on the way, and
  // after cancel(). One thread at a time; connections are kept for the next request.
  base::Result<WebResponse> send(const WebRequest& request);
  // The same, with the body of an answer of status 200 given to `sink` as it comes, however long it
  // is, and cut off where `sink` wants no more. It may have been given a part of an answer that
  // then fails.
  base::Result<WebResponse> send(const WebRequest& request, const BodySink& sink);

  // Ends the request that is under way, at once, and refuses later ones. Any thread.
  void cancel();

 private:
  class Impl;
  explicit WebClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gpuscope::http
