// A blocking client and ways to start a server. For tests alone.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "http/server.h"

namespace gpuscope::http {

using std::chrono::milliseconds;

struct Answer {
  int status = 0;
  std::string head;
  std::string body;
};

// A blocking client. Every read gives up after 20 s, so that a failing test ends.
class Client {
 public:
  explicit Client(std::uint16_t port) : Client() { connect_to(port); }
  Client() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval limit{.tv_sec = 20, .tv_usec = 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  ~Client() { close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void connect_to(std::uint16_t port) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
  }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  // False when the server has closed.
  bool send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t n = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }

  Answer read(bool head_only = false) {
    Answer answer;
    std::size_t end = std::string::npos;
    while ((end = in_.find("\r\n\r\n")) == std::string::npos) {
      if (!receive()) return answer;
    }
    answer.head = in_.substr(0, end + 4);
    in_.erase(0, end + 4);
    answer.status = std::atoi(answer.head.c_str() + std::string("HTTP/1.1 ").size());
    const std::size_t field = answer.head.find("Content-Length: ");
    if (head_only || field == std::string::npos) return answer;
    const auto length = std::strtoul(answer.head.c_str() + field + 16, nullptr, 10);
    while (in_.size() < length && receive()) {
    }
    answer.body = in_.substr(0, length);
    in_.erase(0, length);
    return answer;
  }
  Answer get(const std::string& target, const std::string& fields = "") {
    send("GET " + target + " HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n");
    return read();
  }

  // All up to and with `end`; less when the server closes before.
  std::string read_until(std::string_view end) {
    std::size_t at = std::string::npos;
    while ((at = in_.find(end)) == std::string::npos) {
      if (!receive()) return in_;
    }
    std::string text = in_.substr(0, at + end.size());
    in_.erase(0, at + end.size());
    return text;
  }

  // Waits until the server closes; what it still sends is thrown away.
  bool is_closed() {
    while (receive()) in_.clear();
    return in_.empty() && !timed_out_;
  }
  // Waits for a reset without reading anything.
  bool is_reset() const {
    pollfd wait{.fd = fd_, .events = 0, .revents = 0};
    return poll(&wait, 1, 20'000) == 1 && (wait.revents & POLLERR) != 0;
  }

 private:
  bool receive() {
    char bytes[16 * 1024];
    const ssize_t n = recv(fd_, bytes, sizeof bytes, 0);
    timed_out_ = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    if (n <= 0) return false;
    in_.append(bytes, static_cast<std::size_t>(n));
    return true;
  }

  int fd_;
  bool timed_out_ = false;
  std::string in_;
};

inline Options quick() {
  Options options;
  options.port = 0;
  options.header_timeout = milliseconds{200};
  options.idle_timeout = milliseconds{200};
  options.write_timeout = milliseconds{200};
  return options;
}

inline Options patient() {
  Options options;
  options.port = 0;
  return options;
}

inline std::unique_ptr<Server> serve(const Options& options, Handler handler) {
  auto server = Server::listen(options, std::move(handler));
  if (!server) throw std::runtime_error(server.error().message);
  (*server)->start();
  return std::move(*server);
}

}  // namespace gpuscope::http
