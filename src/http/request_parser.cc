#include "http/request_parser.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <limits>
#include <utility>

namespace gpuscope::http {
namespace {

namespace beast = boost::beast;
using beast::error_code;
using BeastText = beast::string_view;

std::string_view view(BeastText text) { return {text.data(), text.size()}; }

void append_to_list(std::string& list, std::string_view value) {
  if (!list.empty()) list += ", ";
  list += value;
}

// "0\r\n\r\n", short of which no chunked body can end. Beast 1.74 asserts that it has that much
// when it comes back to a last chunk.
constexpr std::size_t kShortestChunkedEnd = 5;

// Whether a request line has the form of one, so that its version is all that is wrong with it.
bool has_a_version(std::string_view bytes) {
  const std::string_view line = bytes.substr(0, bytes.find_first_of("\r\n"));
  return std::ranges::count(line, ' ') == 2 &&
         line.substr(line.rfind(' ') + 1).starts_with("HTTP/");
}

}  // namespace

// What Beast calls for every part of a request. A rejected field leaves its answer in `rejection`.
class RequestParser::Fields final : public beast::http::basic_parser<true> {
 public:
  struct Rejection {
    int status;
    std::string_view detail;
  };

  explicit Fields(Message& message) : message_(message) {}

  std::optional<Rejection> rejection;
  bool expects_continue = false;

 private:
  void on_request_impl(beast::http::verb, BeastText method, BeastText target, int version,
                       error_code&) override {
    message_.method = view(method);
    message_.target = view(target);
    message_.http_1_0 = version < 11;
  }

  void on_field_impl(beast::http::field name, BeastText, BeastText value, error_code& ec) override {
    if (header_done_) return;  // a chunked body's trailer says nothing that we use
    using beast::http::field;
    if (name == field::host) {
      if (std::exchange(has_host_, true)) reject(400, "more than one Host field", ec);
      message_.host = view(value);
    } else if (name == field::origin) {
      if (std::exchange(has_origin_, true)) reject(400, "more than one Origin field", ec);
      message_.origin = view(value);
    } else if (name == field::accept) {
      append_to_list(message_.accept, view(value));
    } else if (name == field::accept_encoding) {
      append_to_list(message_.accept_encoding, view(value));
    } else if (name == field::expect) {
      expects_continue = beast::iequals(value, "100-continue");
      if (!expects_continue) reject(417, "the only Expect that is met is 100-continue", ec);
    } else if (name == field::transfer_encoding && !beast::iequals(value, "chunked")) {
      reject(501, "the only Transfer-Encoding that is read is chunked", ec);
    }
  }

  void on_header_impl(error_code& ec) override {
    header_done_ = true;
    if (message_.http_1_0 && chunked()) reject(400, "HTTP/1.0 has no chunked bodies", ec);
    if (!message_.http_1_0 && !has_host_) reject(400, "the Host field is missing", ec);
  }

  std::size_t on_body_impl(BeastText body, error_code&) override {
    message_.body += view(body);
    return body.size();
  }

  std::size_t on_chunk_body_impl(std::uint64_t, BeastText body, error_code&) override {
    message_.body += view(body);
    return body.size();
  }

  void on_response_impl(int, BeastText, int, error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  void on_chunk_header_impl(std::uint64_t, BeastText, error_code&) override {}
  void on_finish_impl(error_code&) override {}

  void reject(int status, std::string_view detail, error_code& ec) {
    rejection = Rejection{status, detail};
    ec = beast::http::error::bad_value;
  }

  Message& message_;
  bool header_done_ = false;
  bool has_host_ = false;
  bool has_origin_ = false;
};

RequestParser::RequestParser(std::size_t max_header_bytes, std::size_t max_body_bytes)
    : max_header_bytes_(
          std::min<std::size_t>(max_header_bytes, std::numeric_limits<std::int32_t>::max())),
      max_body_bytes_(max_body_bytes) {
  reset();
}

RequestParser::~RequestParser() = default;

void RequestParser::reset() {
  state_ = State::kIdle;
  header_bytes_ = 0;
  for (std::string* text :
       {&message_.method, &message_.target, &message_.accept, &message_.accept_encoding,
        &message_.host, &message_.origin, &message_.body}) {
    text->clear();
  }
  message_.http_1_0 = false;
  message_.keep_alive = true;
  fields_ = std::make_unique<Fields>(message_);
  fields_->eager(true);
  fields_->header_limit(static_cast<std::uint32_t>(max_header_bytes_));
  fields_->body_limit(max_body_bytes_);
}

std::size_t RequestParser::put(std::string_view bytes) {
  std::size_t used = 0;
  if (state_ == State::kIdle && !skip_blank_lines(bytes, used)) return used;
  while (used < bytes.size() && state_ != State::kDone && state_ != State::kFailed) {
    const std::size_t before = used;
    step(bytes, used);
    if (used == before) break;
  }
  if (state_ == State::kDone) message_.keep_alive = fields_->keep_alive();
  return used;
}

bool RequestParser::expects_continue() const { return fields_->expects_continue; }

// Some clients send a line break after a body (RFC 9112, 2.2). False: nothing else has come.
bool RequestParser::skip_blank_lines(std::string_view bytes, std::size_t& used) {
  while (bytes.substr(used).starts_with("\r\n")) used += 2;
  const std::string_view rest = bytes.substr(used);
  return !rest.empty() && rest != "\r";
}

void RequestParser::step(std::string_view bytes, std::size_t& used) {
  error_code ec;
  const bool in_header = !fields_->is_header_done();
  if (!in_header && fields_->chunked() && bytes.size() - used < kShortestChunkedEnd) return;
  const std::size_t n = fields_->put({bytes.data() + used, bytes.size() - used}, ec);
  used += n;
  const std::size_t left = bytes.size() - used;
  using beast::http::error;
  if (!ec || ec == error::need_more) {
    if (fields_->is_done()) {
      state_ = State::kDone;
    } else if (fields_->is_header_done()) {
      state_ = State::kBody;
      if (left >= max_header_bytes_) fail(400, "the head of a chunk is too long");
    } else {
      state_ = State::kHeader;
      header_bytes_ += n;
      if (header_bytes_ + left >= max_header_bytes_) fail_header_limit();
    }
  } else if (const auto& rejection = fields_->rejection) {
    fail(rejection->status, rejection->detail);
  } else if (ec == error::header_limit) {
    fail_header_limit();
  } else if (ec == error::body_limit) {
    fail(413, "the body is over " + std::to_string(max_body_bytes_) + " bytes");
  } else if (ec == error::bad_version && in_header && has_a_version(bytes.substr(used))) {
    fail(505, "HTTP/1.1 and HTTP/1.0 are spoken here");
  } else {
    fail(400, "not an HTTP request: " + ec.message());
  }
}

void RequestParser::fail(int status, std::string_view detail) {
  state_ = State::kFailed;
  failure_ = error_response(status, detail);
}

void RequestParser::fail_header_limit() {
  fail(431, "the request's header is over " + std::to_string(max_header_bytes_) + " bytes");
}

}  // namespace gpuscope::http
