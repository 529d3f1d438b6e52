#include "http/connection.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <exception>
#include <optional>
#include <string_view>

#include "http/negotiate.h"
#include "http/response.h"

namespace gpuscope::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;

constexpr std::size_t kReadBytes = 4096;
constexpr std::chrono::milliseconds kPollPeriod{20};
// For how long a closing connection still takes what the client sends: a close with bytes unread
// would reset the connection, and the answer could be lost with it.
constexpr std::chrono::milliseconds kDrainTime{1000};
// What the kernel keeps for a listener that is slow; the rest waits in unsent_, shared by all.
constexpr int kStreamSendBuffer = 262'144;

bool is_loopback(const asio::ip::address& address) {
  if (!address.is_v6()) return address.is_loopback();
  const asio::ip::address_v6 v6 = address.to_v6();
  if (!v6.is_v4_mapped()) return v6.is_loopback();
  return asio::ip::make_address_v4(asio::ip::v4_mapped, v6).is_loopback();
}

// What stands behind scheme and host of "http://host/path"; other targets as they are.
std::string_view origin_form(std::string_view target) {
  if (!target.starts_with("http://")) return target;
  const std::size_t path = target.find('/', std::string_view("http://").size());
  return path == std::string_view::npos ? "/" : target.substr(path);
}

}  // namespace

Connection::Connection(Socket socket, const tcp::endpoint& peer, Context& context)
    : context_(context),
      socket_(std::move(socket)),
      poll_timer_(socket_.get_executor()),
      buffer_(context.options.max_header_bytes + kReadBytes),
      parser_(context.options.max_header_bytes, context.options.max_body_bytes),
      deadline_(context.deadline(context.options.header_timeout)) {
  request_.from_loopback = is_loopback(peer.address());
  error_code ignored;
  socket_.non_blocking(true, ignored);
  socket_.set_option(tcp::no_delay(true), ignored);
}

void Connection::start() { read(); }

void Connection::refuse() {
  fail(error_response(503, "too many connections: the limit is " +
                               std::to_string(context_.options.max_connections)));
  if (send()) next();
}

void Connection::run() {
  while (receive() && ask() && send() && next()) {
  }
}

void Connection::read() {
  socket_.async_read_some(buffer_.prepare(kReadBytes),
                          [self = shared_from_this()](const error_code& ec, std::size_t bytes) {
                            if (self->state_ != State::kReading) return;
                            if (ec) return self->close();
                            self->buffer_.commit(bytes);
                            self->run();
                          });
}

bool Connection::receive() {
  const auto bytes = buffer_.cdata();
  buffer_.consume(parser_.put({static_cast<const char*>(bytes.data()), bytes.size()}));
  switch (parser_.state()) {
    case RequestParser::State::kDone:
      return true;
    case RequestParser::State::kFailed:
      count(context_.counters.bad_requests);
      fail(parser_.failure());
      return true;
    default:
      await_more();
      return false;
  }
}

void Connection::await_more() {
  if (context_.stopping) return close();
  if (parser_.state() != seen_) {
    seen_ = parser_.state();
    deadline_ = context_.deadline(context_.options.header_timeout);
    if (seen_ == RequestParser::State::kBody && parser_.expects_continue()) {
      error_code ignored;  // a broken connection shows at the read below
      socket_.write_some(asio::buffer(std::string_view("HTTP/1.1 100 Continue\r\n\r\n")), ignored);
    }
  }
  read();
}

// Makes request_ of the parser's message. False: it is none, and the answer is set.
bool Connection::begin_request() {
  const Message& message = parser_.message();
  const std::string_view target = origin_form(message.target);
  const std::size_t query_at = target.find('?');
  auto path = decode_path(target.substr(0, query_at));
  auto query = query_at == std::string_view::npos ? decode_query({})
                                                  : decode_query(target.substr(query_at + 1));
  if (!path || !query) {
    count(context_.counters.bad_requests);
    fail(error_response(400, path ? "cannot read the query: a broken % escape or not UTF-8"
                                  : "cannot read the path: no leading slash, a broken % escape, a "
                                    "control character or not UTF-8"));
    return false;
  }
  count(context_.counters.requests);
  head_only_ = message.method == "HEAD";
  keep_alive_ = message.keep_alive && !context_.stopping;
  request_.method = head_only_ ? std::string_view("GET") : message.method;
  request_.target = message.target;
  request_.path = std::move(*path);
  request_.query = std::move(*query);
  request_.accept = message.accept;
  request_.host = message.host;
  request_.origin = message.origin;
  request_.body = message.body;
  request_.accepts_gzip = accepts_gzip(message.accept_encoding);
  request_.waited = std::chrono::milliseconds{0};
  return true;
}

bool Connection::ask() {
  if (parser_.state() == RequestParser::State::kFailed) return true;
  if (state_ == State::kReading && !begin_request()) return true;
  std::optional<Response> answer;
  try {
    answer = context_.handler(request_);
  } catch (...) {  // against the contract: this request fails, the others go on
    count(context_.counters.handler_failures);
    answer = error_response(500, "an error of this program's own; please report it");
  }
  if (context_.stopping && (!answer || answer->stream)) {
    answer = error_response(503, "shutting down");
  }
  if (!answer) {
    poll_later();
    return false;
  }
  response_ = std::move(*answer);
  if (response_.stream && context_.listeners >= context_.options.max_streams) {
    fail(error_response(
        503, "too many listeners: the limit is " + std::to_string(context_.options.max_streams)));
  }
  return true;
}

void Connection::poll_later() {
  if (state_ == State::kReading) {
    state_ = State::kPending;
    pending_since_ = context_.clock.steady_now();
    deadline_ = base::SteadyTime::max();
  }
  poll_timer_.expires_after(kPollPeriod);
  poll_timer_.async_wait([self = shared_from_this()](const error_code&) {
    if (self->state_ == State::kPending) self->poll();
  });
}

void Connection::poll() {
  if (!peer_is_there()) return close();
  request_.waited = std::chrono::duration_cast<std::chrono::milliseconds>(
      context_.clock.steady_now() - pending_since_);
  if (ask() && send() && next()) run();
}

bool Connection::peer_is_there() {
  char byte = 0;
  error_code ec;
  socket_.receive(asio::buffer(&byte, 1), Socket::message_peek, ec);
  return !ec || ec == asio::error::would_block;
}

bool Connection::send() {
  head_.clear();
  const bool stream = response_.stream.has_value();
  if (stream) keep_alive_ = false;
  append_head(head_, response_,
              {.keep_alive = keep_alive_,
               .http_1_0 = parser_.message().http_1_0,
               .stream = stream,
               .date = context_.date});
  if (stream && !head_only_) {
    begin_stream();
    return false;
  }
  const bool body = !head_only_ && has_body(response_.status);
  total_ = head_.size() + (body ? response_.body->size() : 0);
  sent_ = 0;
  state_ = State::kSending;
  return transmit();
}

// Gives the socket what it takes at once, which nearly always is everything.
bool Connection::transmit() {
  std::array<asio::const_buffer, 2> unsent;
  if (sent_ < head_.size()) unsent[0] = asio::buffer(head_) + sent_;
  if (total_ > head_.size()) {
    unsent[1] = asio::buffer(*response_.body) + (sent_ - std::min(sent_, head_.size()));
  }
  error_code ec;
  sent_ += socket_.write_some(unsent, ec);
  if (ec && ec != asio::error::would_block) {
    close();
    return false;
  }
  if (sent_ == total_) return true;
  deadline_ = context_.deadline(context_.options.write_timeout);
  socket_.async_wait(Socket::wait_write, [self = shared_from_this()](const error_code&) {
    if (self->state_ != State::kSending) return;
    if (self->transmit() && self->next()) self->run();
  });
  return false;
}

void Connection::begin_stream() {
  stream_ = response_.stream.value_or(Stream{});
  count(context_.counters.streams);
  context_.listeners = context_.listeners + 1;
  error_code ignored;
  socket_.set_option(Socket::send_buffer_size(kStreamSendBuffer), ignored);
  sent_ = 0;
  unsent_.push_back(std::make_shared<const std::string>(std::move(head_)));
  unsent_.push_back(std::move(response_.body));
  unsent_bytes_ = unsent_[0]->size() + unsent_[1]->size();
  state_ = State::kStreaming;
  deadline_ = base::SteadyTime::max();
  watch_peer();
  flush();
}

// Sees it go. What it still says is of no interest.
void Connection::watch_peer() {
  buffer_.clear();
  socket_.async_read_some(buffer_.prepare(kReadBytes),
                          [self = shared_from_this()](const error_code& ec, std::size_t) {
                            if (self->state_ != State::kStreaming) return;
                            if (ec) return self->close();
                            self->watch_peer();
                          });
}

void Connection::offer(const Published& message) {
  if (state_ != State::kStreaming || stream_.topic != message.topic ||
      message.number <= stream_.after) {
    return;
  }
  const Options& limits = context_.options;
  if (!unsent_.empty() && (unsent_.size() >= limits.max_stream_messages ||
                           unsent_bytes_ + message.bytes->size() > limits.max_stream_bytes)) {
    count(context_.counters.streams_dropped);
    return abort();
  }
  unsent_.push_back(message.bytes);
  unsent_bytes_ += message.bytes->size();
  if (!awaits_room_) flush();
}

// Gives the socket what it takes at once, and waits where it takes no more.
void Connection::flush() {
  error_code ec;
  while (!unsent_.empty() && !ec) {
    std::array<asio::const_buffer, 2> next{asio::buffer(*unsent_[0]) + sent_};
    if (unsent_.size() > 1) next[1] = asio::buffer(*unsent_[1]);
    sent_ += socket_.write_some(next, ec);
    while (!unsent_.empty() && sent_ >= unsent_[0]->size()) {
      sent_ -= unsent_[0]->size();
      unsent_bytes_ -= unsent_[0]->size();
      unsent_.pop_front();
    }
  }
  deadline_ = base::SteadyTime::max();
  if (unsent_.empty()) return;
  if (ec != asio::error::would_block) return close();
  deadline_ = context_.deadline(context_.options.write_timeout);
  awaits_room_ = true;
  socket_.async_wait(Socket::wait_write, [self = shared_from_this()](const error_code&) {
    self->awaits_room_ = false;
    if (self->state_ == State::kStreaming) self->flush();
  });
}

bool Connection::next() {
  response_ = {};
  if (!keep_alive_ || context_.stopping) {
    drain();
    return false;
  }
  parser_.reset();
  seen_ = RequestParser::State::kIdle;
  state_ = State::kReading;
  deadline_ = context_.deadline(context_.options.idle_timeout);
  return true;
}

// Answers without the handler, and then closes.
void Connection::fail(Response response) {
  response_ = std::move(response);
  head_only_ = parser_.message().method == "HEAD";
  keep_alive_ = false;
}

void Connection::drain() {
  if (state_ != State::kDraining) {
    state_ = State::kDraining;
    deadline_ = context_.deadline(kDrainTime);
    error_code ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
  }
  buffer_.clear();
  socket_.async_read_some(buffer_.prepare(kReadBytes),
                          [self = shared_from_this()](const error_code& ec, std::size_t) {
                            if (self->state_ != State::kDraining) return;
                            if (ec) return self->close();
                            self->drain();
                          });
}

void Connection::check_deadline() {
  if (context_.now < deadline_) return;
  if (state_ != State::kDraining) count(context_.counters.timed_out);
  if (state_ == State::kSending || state_ == State::kStreaming) {
    abort();
  } else if (state_ == State::kReading && parser_.state() != RequestParser::State::kIdle) {
    error_code ignored;
    socket_.cancel(ignored);  // the read under way would share the buffer with drain()'s
    fail(error_response(408, "the request did not come in time"));
    if (send()) next();
  } else {
    close();
  }
}

void Connection::stop() {
  if (state_ == State::kReading || state_ == State::kStreaming) close();
  if (state_ == State::kPending) poll();
}

// The timer's end asks.
void Connection::wake() {
  if (state_ == State::kPending) poll_timer_.cancel();
}

void Connection::abort() {
  error_code ignored;
  socket_.set_option(Socket::linger(true, 0), ignored);  // frees what the kernel still holds
  close();
}

void Connection::close() {
  if (state_ == State::kClosed) return;
  if (state_ == State::kStreaming) context_.listeners = context_.listeners - 1;
  state_ = State::kClosed;
  poll_timer_.cancel();
  error_code ignored;
  socket_.close(ignored);
  context_.open.erase(shared_from_this());
}

}  // namespace gpuscope::http
