// One client's connection: reads requests, asks the handler, sends what it gives. Everything here
// happens on the server's thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_set>
#include <utility>  // before Asio 1.74, which uses std::exchange without it

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include "base/clock.h"
#include "http/request_parser.h"
#include "http/server.h"

namespace gpuscope::http {

class Connection;

// Written by the server's thread alone, read by any.
struct AtomicCounters {
  std::atomic<std::uint64_t> connections{0};
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> bad_requests{0};
  std::atomic<std::uint64_t> timed_out{0};
  std::atomic<std::uint64_t> accept_failures{0};
  std::atomic<std::uint64_t> handler_failures{0};
  std::atomic<std::uint64_t> streams{0};
  std::atomic<std::uint64_t> streams_dropped{0};
};
inline void count(std::atomic<std::uint64_t>& counter) {
  counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

// What the connections of one server share. Outlives them.
struct Context {
  Context(const Options& options_in, Handler handler_in)
      : options(options_in), handler(std::move(handler_in)) {}

  const Options options;
  const Handler handler;
  const base::SystemClock clock;
  AtomicCounters counters;
  std::unordered_set<std::shared_ptr<Connection>> open;
  std::atomic<std::size_t> listeners{0};  // those of `open` that are streams; written as counters
  bool stopping = false;
  // One sweep per `sweep_period` closes what is overdue, so that no request pays for a timer. These
  // two are as of the last sweep.
  std::chrono::milliseconds sweep_period{1000};
  base::SteadyTime now;
  std::string date;

  // Not earlier than `timeout` from now.
  base::SteadyTime deadline(std::chrono::milliseconds timeout) const {
    return now + timeout + sweep_period;
  }
};

// One that a stream's listeners are sent.
struct Published {
  std::uint32_t topic;
  std::uint64_t number;
  std::shared_ptr<const std::string> bytes;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Socket = boost::asio::ip::tcp::socket;

  Connection(Socket socket, const boost::asio::ip::tcp::endpoint& peer, Context& context);

  // One of these two begins its life; it leaves context.open by itself.
  void start();
  void refuse();  // 503

  // Ends it when its deadline has passed.
  void check_deadline();
  // Ends it now, or after the answer that is being sent.
  void stop();
  // Ends it now, whatever is left unsent.
  void abort();
  // Asks again now, if it waits for an answer.
  void wake();
  // A message of a topic, for it if it listens.
  void offer(const Published& message);

 private:
  enum class State : std::uint8_t { kReading, kPending, kSending, kStreaming, kDraining, kClosed };

  // Goes on until the socket or the handler makes it wait.
  void run();
  // Each true when the next one can be done at once.
  bool receive();
  bool ask();
  bool send();
  bool next();

  void read();
  void await_more();
  bool begin_request();
  void poll_later();
  void poll();
  bool peer_is_there();
  bool transmit();
  void begin_stream();
  void watch_peer();
  void flush();
  void fail(Response response);
  void drain();
  void close();

  Context& context_;
  Socket socket_;
  boost::asio::steady_timer poll_timer_;
  boost::beast::flat_buffer buffer_;
  RequestParser parser_;
  Request request_;
  Response response_;
  std::string head_;
  std::size_t sent_ = 0;  // of head_ and the body after it
  std::size_t total_ = 0;
  Stream stream_;
  // Of a stream: what has not been sent, sent_ counting into the first of it.
  std::deque<std::shared_ptr<const std::string>> unsent_;
  std::size_t unsent_bytes_ = 0;  // of all in unsent_, sent parts included
  bool awaits_room_ = false;
  base::SteadyTime deadline_;
  base::SteadyTime pending_since_;
  State state_ = State::kReading;
  RequestParser::State seen_ = RequestParser::State::kIdle;  // how far the deadline knows
  bool head_only_ = false;
  bool keep_alive_ = true;
};

}  // namespace gpuscope::http
