// The least that answering HTTP can cost: one thread, epoll, one receive and one send per request,
// the whole response made beforehand. It reads no header, keeps no limit and no time: a floor to
// measure against, not a server.
//
//     bench_floor_http BODY_FILE     prints its port
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace {

struct Connection {
  std::string in;
  std::size_t unsent = 0;
};

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

int listen_on_loopback() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      listen(fd, 512) != 0) {
    die("cannot listen");
  }
  socklen_t size = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  std::printf("%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return fd;
}

class Floor {
 public:
  explicit Floor(std::string response)
      : response_(std::move(response)), listener_(listen_on_loopback()), epoll_(epoll_create1(0)) {
    watch(EPOLL_CTL_ADD, listener_, EPOLLIN);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 256> events{};
    for (;;) {
      const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) {
        const int fd = events.at(static_cast<std::size_t>(i)).data.fd;
        if (fd == listener_) {
          accept_all();
        } else if (!serve(fd, connections_[fd])) {
          connections_.erase(fd);
          close(fd);
        }
      }
    }
  }

 private:
  void watch(int operation, int fd, unsigned events) const {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    epoll_ctl(epoll_, operation, fd, &event);
  }

  void accept_all() {
    const int one = 1;
    for (int fd = 0; (fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      watch(EPOLL_CTL_ADD, fd, EPOLLIN);
    }
  }

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
    if (connection.unsent > 0 && !waited) watch(EPOLL_CTL_MOD, fd, EPOLLOUT);
    if (connection.unsent == 0 && waited) watch(EPOLL_CTL_MOD, fd, EPOLLIN);
    return true;
  }

  const std::string response_;
  const int listener_;
  const int epoll_;
  std::unordered_map<int, Connection> connections_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: bench_floor_http BODY_FILE\n", stderr);
    return 1;
  }
  std::ifstream file(argv[1], std::ios::binary);
  if (!file) die(argv[1]);
  const std::string body{std::istreambuf_iterator<char>(file), {}};
  Floor("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body)
      .run();
}
