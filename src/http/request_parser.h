// One request after another out of a stream of bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/server.h"

namespace gpuscope::http {

// What a request says. Strings keep their room from one request to the next.
struct Message {
  std::string method;
  std::string target;
  std::string accept;           // of several fields: joined with a comma
  std::string accept_encoding;  // the same
  std::string host;
  std::string origin;
  std::string body;  // without its chunks
  bool http_1_0 = false;
  bool keep_alive = true;
};

// Wraps Beast's parser and closes its gaps: a header that comes in small pieces has the same limit
// as one that comes at once, transfer codings other than chunked are refused (they would be read as
// no body: request smuggling), a request needs its Host. Not thread-safe.
class RequestParser {
 public:
  enum class State : std::uint8_t {
    kIdle,    // no byte of a request has come
    kHeader,  // within the request line and the header fields
    kBody,
    kDone,    // message() is whole
    kFailed,  // failure() says why; the stream cannot be used further
  };

  RequestParser(std::size_t max_header_bytes, std::size_t max_body_bytes);
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  // Takes bytes up to the end of one request and returns how many. The caller offers those that
  // were left again, with more behind them; they never exceed the limit of the header.
  std::size_t put(std::string_view bytes);
  // To the next request of the same stream.
  void reset();

  State state() const { return state_; }
  const Message& message() const { return message_; }
  // The client sends its body only after "100 Continue". From kBody on.
  bool expects_continue() const;
  // In kFailed: the answer to give, an error's JSON.
  const Response& failure() const { return failure_; }

 private:
  class Fields;

  bool skip_blank_lines(std::string_view bytes, std::size_t& used);
  void step(std::string_view bytes, std::size_t& used);
  void fail(int status, std::string_view detail);
  void fail_header_limit();

  const std::size_t max_header_bytes_;
  const std::size_t max_body_bytes_;
  State state_ = State::kIdle;
  std::size_t header_bytes_ = 0;  // taken so far
  Message message_;
  Response failure_;
  std::unique_ptr<Fields> fields_;
};

}  // namespace gpuscope::http
