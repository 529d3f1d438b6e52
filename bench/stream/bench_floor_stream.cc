// The least that a live stream can cost: one thread, epoll, one send a listener and second, the
// message made beforehand. It reads no request, keeps no limit and drops nobody: a floor to measure
// against, not a server.
//
//     bench_floor_stream MESSAGE_FILE     prints its port
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <unordered_map>

namespace {

constexpr std::string_view kHead =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";

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
      listen(fd, 1024) != 0) {
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
  explicit Floor(std::string message)
      : message_(std::move(message)),
        listener_(listen_on_loopback()),
        timer_(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)),
        epoll_(epoll_create1(0)) {
    const itimerspec every_second{.it_interval = {.tv_sec = 1, .tv_nsec = 0},
                                  .it_value = {.tv_sec = 1, .tv_nsec = 0}};
    timerfd_settime(timer_, 0, &every_second, nullptr);
    watch(EPOLL_CTL_ADD, listener_, EPOLLIN);
    watch(EPOLL_CTL_ADD, timer_, EPOLLIN);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 256> events{};
    for (;;) {
      const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events.at(static_cast<std::size_t>(i));
        if (event.data.fd == listener_) {
          accept_all();
        } else if (event.data.fd == timer_) {
          broadcast();
        } else {
          serve(event.data.fd, event.events);
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
      send(fd, kHead.data(), kHead.size(), MSG_NOSIGNAL);
      unsent_[fd] = 0;
      watch(EPOLL_CTL_ADD, fd, EPOLLIN);
    }
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
    if (unsent > 0 && !waited) watch(EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLOUT);
    if (unsent == 0 && waited) watch(EPOLL_CTL_MOD, fd, EPOLLIN);
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
  const int epoll_;
  std::unordered_map<int, std::size_t> unsent_;  // of the message, by connection
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: bench_floor_stream MESSAGE_FILE\n", stderr);
    return 1;
  }
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  std::ifstream file(argv[1], std::ios::binary);
  if (!file) die(argv[1]);
  Floor(std::string{std::istreambuf_iterator<char>(file), {}}).run();
}
