// The least that a live stream can cost: one thread, epoll, one send a listener and second, the
// message made beforehand. It reads no request, keeps no limit and drops nobody: a floor to measure
// against, not a server.
//
//     bench_floor_stream MESSAGE_FILE     prints its port
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "floor_server.h"

namespace gpuscope::bench {
namespace {

constexpr std::string_view kHead =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";

class Floor {
 public:
  explicit Floor(std::string message)
      : message_(std::move(message)),
        listener_(listen_on_loopback()),
        timer_(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)) {
    const itimerspec every_second{.it_interval = {.tv_sec = 1, .tv_nsec = 0},
                                  .it_value = {.tv_sec = 1, .tv_nsec = 0}};
    timerfd_settime(timer_, 0, &every_second, nullptr);
    epoll_.add(listener_);
    epoll_.add(timer_);
  }

  [[noreturn]] void run() {
    for (;;) {
      for (const epoll_event& event : epoll_.wait()) {
        if (event.data.fd == listener_) {
          accept_all(listener_, [this](int fd) { greet(fd); });
        } else if (event.data.fd == timer_) {
          broadcast();
        } else {
          serve(event.data.fd, event.events);
        }
      }
    }
  }

 private:
  void greet(int fd) {
    send(fd, kHead.data(), kHead.size(), MSG_NOSIGNAL);
    unsent_[fd] = 0;
    epoll_.add(fd);
  }

  void broadcast() {
    std::uint64_t expirations = 0;
    if (read(timer_, &expirations, sizeof expirations) < 0) return;
    for (auto& [fd, unsent] : unsent_) {
      if (unsent == 0) transmit(fd, unsent = message_.size());
    }
  }

  void transmit(int fd, std::size_t& unsent) const {
    const bool waited = unsent < message_.size();
    const ssize_t n = send(fd, message_.data() + message_.size() - unsent, unsent, MSG_NOSIGNAL);
    if (n > 0) unsent -= static_cast<std::size_t>(n);
    if (unsent > 0 && !waited) epoll_.change(fd, EPOLLIN | EPOLLOUT);
    if (unsent == 0 && waited) epoll_.change(fd, EPOLLIN);
  }

  void serve(int fd, unsigned events) {
    std::array<char, 4096> bytes;
    if ((events & EPOLLIN) != 0 && recv(fd, bytes.data(), bytes.size(), 0) == 0) {
      unsent_.erase(fd);
      close(fd);
    } else if ((events & EPOLLOUT) != 0) {
      transmit(fd, unsent_[fd]);
    }
  }

  const std::string message_;
  const int listener_;
  const int timer_;
  Epoll epoll_;
  std::unordered_map<int, std::size_t> unsent_;  // of the message, by connection
};

}  // namespace
}  // namespace gpuscope::bench

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: bench_floor_stream MESSAGE_FILE\n", stderr);
    return 1;
  }
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  gpuscope::bench::Floor(gpuscope::bench::read_whole(argv[1])).run();
}
