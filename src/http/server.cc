#include "http/server.h"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "http/connection.h"
#include "http/response.h"

namespace gpuscope::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using base::ErrorKind;
using std::chrono::milliseconds;

// Until the next try when accept() fails, so that too many open files do not make it spin.
constexpr milliseconds kAcceptPause{100};
constexpr milliseconds kStopTime{1000};
// Connections over the limit that may be told so at once; those beyond are just closed.
constexpr std::size_t kMaxRefusals = 64;
constexpr milliseconds kLongestSweep{1000};
constexpr milliseconds kShortestSweep{5};

milliseconds sweep_period(const Options& options) {
  const milliseconds shortest =
      std::min({options.header_timeout, options.idle_timeout, options.write_timeout});
  return std::clamp(shortest / 4, kShortestSweep, kLongestSweep);
}

std::string place(const Options& options) {
  const bool bare_v6 =
      options.host.find(':') != std::string::npos && !options.host.starts_with('[');
  return (bare_v6 ? "[" + options.host + "]" : options.host) + ":" + std::to_string(options.port);
}

std::unexpected<base::Error> cannot_listen(const Options& options, const error_code& ec) {
  const std::string what = "cannot listen on " + place(options) + ": ";
  if (ec == asio::error::address_in_use) {
    return base::fail(ErrorKind::kAlreadyExists,
                      what +
                          "address already in use; stop the program that has it, or choose "
                          "another port (0 takes any free one)");
  }
  if (ec == asio::error::access_denied) {
    return base::fail(ErrorKind::kPermissionDenied,
                      what + "permission denied; ports below 1024 need CAP_NET_BIND_SERVICE");
  }
  if (ec == boost::system::errc::address_not_available) {
    return base::fail(ErrorKind::kInvalidArgument,
                      what + "this machine has no such address; 0.0.0.0 is every one it has");
  }
  return base::fail(ErrorKind::kUnavailable, what + ec.message());
}

base::Result<tcp::endpoint> resolve(asio::io_context& io, const Options& options) {
  std::string host = options.host;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host == "localhost") host = "127.0.0.1";  // one address, whatever the order in /etc/hosts
  error_code ec;
  const asio::ip::address address = asio::ip::make_address(host, ec);
  if (!ec) return tcp::endpoint{address, options.port};
  tcp::resolver resolver(io);
  const auto found = resolver.resolve(host, "", tcp::resolver::passive, ec);
  if (host.empty() || ec || found.empty()) {
    return base::fail(ErrorKind::kInvalidArgument,
                      "cannot listen on " + place(options) +
                          ": no such host; give an address of this machine, such as 127.0.0.1, "
                          "[::1] or 0.0.0.0");
  }
  return tcp::endpoint{found.begin()->endpoint().address(), options.port};
}

class BeastServer final : public Server {
 public:
  BeastServer(const Options& options, Handler handler)
      // One thread runs it, so the reactor needs no locks; stop() comes in by io_.stop().
      : io_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO),
        context_(options, std::move(handler)),
        acceptor_(io_),
        sweep_timer_(io_),
        pause_timer_(io_) {
    context_.sweep_period = sweep_period(options);
  }
  ~BeastServer() override { stop_and_join(); }

  base::Result<void> bind() {
    const auto endpoint = resolve(io_, context_.options);
    if (!endpoint) return std::unexpected(endpoint.error());
    error_code ec;
    acceptor_.open(endpoint->protocol(), ec);
    if (!ec) acceptor_.set_option(tcp::acceptor::reuse_address(true), ec);
    if (!ec) acceptor_.bind(*endpoint, ec);
    if (!ec) acceptor_.listen(tcp::acceptor::max_listen_connections, ec);
    if (!ec) port_ = acceptor_.local_endpoint(ec).port();
    if (ec) return cannot_listen(context_.options, ec);
    return {};
  }

  std::uint16_t port() const override { return port_; }

  void start() override {
    if (!thread_.joinable() && acceptor_.is_open()) thread_ = std::thread([this] { serve(); });
  }

  void stop() override { stop_and_join(); }

  Counters counters() const override {
    const AtomicCounters& now = context_.counters;
    return {.connections = now.connections,
            .refused = now.refused,
            .requests = now.requests,
            .bad_requests = now.bad_requests,
            .timed_out = now.timed_out,
            .accept_failures = now.accept_failures,
            .handler_failures = now.handler_failures,
            .streams = now.streams,
            .streams_dropped = now.streams_dropped};
  }

  std::size_t listeners() const override { return context_.listeners; }

  void wake() override {
    asio::post(io_, [this] {
      if (context_.stopping) return;
      for (const auto& connection : open_connections()) connection->wake();
    });
  }

  void publish(std::uint32_t topic, std::uint64_t number,
               std::shared_ptr<const std::string> message) override {
    asio::post(io_, [this, published = Published{topic, number, std::move(message)}] {
      if (context_.stopping) return;
      for (const auto& connection : open_connections()) connection->offer(published);
    });
  }

 private:
  void stop_and_join() {
    if (thread_.joinable()) {
      io_.stop();
      thread_.join();
    } else {
      error_code ignored;
      acceptor_.close(ignored);
    }
  }

  // The whole life of the thread.
  void serve() {
    sweep();
    accept();
    io_.run();  // until stop()
    context_.stopping = true;
    error_code ignored;
    acceptor_.close(ignored);
    sweep_timer_.cancel();
    pause_timer_.cancel();
    io_.restart();
    for (const auto& connection : open_connections()) connection->stop();
    io_.run_for(kStopTime);  // returns as soon as nothing is left to do
    for (const auto& connection : open_connections()) connection->abort();
    io_.restart();
    io_.run();  // what was just cancelled
  }

  // A copy: connections leave the set while they are called.
  std::vector<std::shared_ptr<Connection>> open_connections() const {
    return {context_.open.begin(), context_.open.end()};
  }

  void sweep() {
    context_.now = context_.clock.steady_now();
    context_.date = http_date(context_.clock.wall_now());
    for (const auto& connection : open_connections()) connection->check_deadline();
    sweep_timer_.expires_after(context_.sweep_period);
    sweep_timer_.async_wait([this](const error_code& ec) {
      if (!ec && !context_.stopping) sweep();
    });
  }

  void accept() {
    acceptor_.async_accept(peer_, [this](const error_code& ec, tcp::socket socket) {
      if (context_.stopping) return;
      if (!ec) {
        admit(std::move(socket));
      } else if (ec != asio::error::connection_aborted) {
        count(context_.counters.accept_failures);
        pause_timer_.expires_after(kAcceptPause);
        pause_timer_.async_wait([this](const error_code&) {
          if (!context_.stopping) accept();
        });
        return;
      }
      accept();
    });
  }

  void admit(tcp::socket socket) {
    count(context_.counters.connections);
    const std::size_t limit = context_.options.max_connections;
    const std::size_t open = context_.open.size() - context_.listeners;
    const bool full = open >= limit;
    if (full) count(context_.counters.refused);
    if (open >= limit + kMaxRefusals) return;
    auto connection = std::make_shared<Connection>(std::move(socket), peer_, context_);
    context_.open.insert(connection);
    if (full) {
      connection->refuse();
    } else {
      connection->start();
    }
  }

  asio::io_context io_;
  Context context_;
  tcp::acceptor acceptor_;
  asio::steady_timer sweep_timer_;
  asio::steady_timer pause_timer_;
  tcp::endpoint peer_;  // of the connection being accepted
  std::uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace

base::Result<std::unique_ptr<Server>> Server::listen(const Options& options, Handler handler) {
  auto server = std::make_unique<BeastServer>(options, std::move(handler));
  if (auto bound = server->bind(); !bound) return std::unexpected(std::move(bound.error()));
  return server;
}

}  // namespace gpuscope::http
