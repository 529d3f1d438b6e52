// The least that answering HTTP can cost: one thread, epoll, one receive and one send per request,
// the whole response made beforehand. It reads no header, keeps no limit and no time: a floor to
// measure against, not a server.
//
//     bench_floor_http BODY_FILE     prints its port
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "floor_server.h"

namespace gpuscope::bench {
namespace {

struct Connection {
  std::string in;
  std::size_t unsent = 0;
};

class Floor {
 public:
  explicit Floor(std::string response)
      : response_(std::move(response)), listener_(listen_on_loopback()) {
    epoll_.add(listener_);
  }

  [[noreturn]] void run() {
    for (;;) {
      for (const epoll_event& event : epoll_.wait()) {
        const int fd = event.data.fd;
        if (fd == listener_) {
          accept_all(listener_, [this](int connection) { epoll_.add(connection); });
        } else if (!serve(fd, connections_[fd])) {
          connections_.erase(fd);
          close(fd);
        }
      }
    }
  }

 private:
  // False: the connection is over.
  bool serve(int fd, Connection& connection) const {
    if (connection.unsent > 0) return send_rest(fd, connection);
    std::array<char, 4096> bytes;
    const ssize_t n = recv(fd, bytes.data(), bytes.size(), 0);
    if (n <= 0) return n < 0 && errno == EAGAIN;
    std::string_view request(bytes.data(), static_cast<std::size_t>(n));
    if (!connection.in.empty() || !request.ends_with("\r\n\r\n")) {
      connection.in += request;
      if (!connection.in.ends_with("\r\n\r\n")) return connection.in.size() < bytes.size();
      connection.in.clear();
    }
    connection.unsent = response_.size();
    return send_rest(fd, connection);
  }

  bool send_rest(int fd, Connection& connection) const {
    const std::size_t before = connection.unsent;
    const ssize_t n = send(fd, response_.data() + response_.size() - before, before, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) return false;
    connection.unsent -= n < 0 ? 0 : static_cast<std::size_t>(n);
    const bool waited = before < response_.size();
    if (connection.unsent > 0 && !waited) epoll_.change(fd, EPOLLOUT);
    if (connection.unsent == 0 && waited) epoll_.change(fd, EPOLLIN);
    return true;
  }

  const std::string response_;
  const int listener_;
  Epoll epoll_;
  std::unordered_map<int, Connection> connections_;
};

}  // namespace
}  // namespace gpuscope::bench

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: bench_floor_http BODY_FILE\n", stderr);
    return 1;
  }
  const std::string body = gpuscope::bench::read_whole(argv[1]);
  gpuscope::bench::Floor(
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body)
      .run();
}
