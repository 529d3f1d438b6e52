// What the servers that others are measured against have in common: a port on loopback, epoll, and
// no care for what a real server cares for.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <span>
#include <string>

namespace gpuscope::bench {

[[noreturn]] inline void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

inline std::string read_whole(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) die(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Listens on 127.0.0.1 and prints the port, which is free where 0 is asked for. Does not block.
inline int listen_on_loopback(std::uint16_t port = 0) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      listen(fd, 1024) != 0) {
    die("cannot listen");
  }
  socklen_t size = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  std::printf("%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return fd;
}

// Calls `take` with each connection that is waiting. Connections do not block, nor do they wait for
// more to send.
template <typename Take>
void accept_all(int listener, Take take) {
  const int one = 1;
  for (int fd = 0; (fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    take(fd);
  }
}

class Epoll {
 public:
  void add(int fd) const { control(EPOLL_CTL_ADD, fd, EPOLLIN); }
  void change(int fd, std::uint32_t events) const { control(EPOLL_CTL_MOD, fd, events); }

  // Waits; what it gives is good until the next call.
  std::span<const epoll_event> wait() {
    const int count = epoll_wait(fd_, events_.data(), static_cast<int>(events_.size()), -1);
    return std::span(events_).first(count > 0 ? static_cast<std::size_t>(count) : 0);
  }

 private:
  void control(int operation, int fd, std::uint32_t events) const {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    epoll_ctl(fd_, operation, fd, &event);
  }

  const int fd_ = epoll_create1(EPOLL_CLOEXEC);
  std::array<epoll_event, 256> events_{};
};

}  // namespace gpuscope::bench
