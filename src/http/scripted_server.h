// An HTTP server that answers exactly as a test says, well or badly. For tests alone.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace gpuscope::http {

struct ScriptedRequest {
  std::string head;  // with the empty line at its end
  std::string body;
};

// Raw bytes, and what comes behind them.
struct ScriptedAnswer {
  enum class Then : std::uint8_t { kKeep, kClose, kHang };
  std::string bytes;
  Then then = Then::kKeep;

  static ScriptedAnswer status(int code, std::string_view fields = "", std::string_view body = "") {
    return {"HTTP/1.1 " + std::to_string(code) + " X\r\n" + std::string(fields) +
            "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body)};
  }
};

// Listens on a free port of 127.0.0.1, with one thread: one connection after the other.
class ScriptedServer {
 public:
  // Called on the server's thread.
  using Script = std::function<ScriptedAnswer(const ScriptedRequest&)>;

  explicit ScriptedServer(Script script)
      : script_(std::move(script)), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    auto* const address = reinterpret_cast<sockaddr*>(&at);
    if (bind(listener_, address, size) != 0 || listen(listener_, 16) != 0 ||
        getsockname(listener_, address, &size) != 0) {
      throw std::runtime_error("cannot listen");
    }
    port_ = ntohs(at.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~ScriptedServer() {
    stopping_ = true;
    shutdown(listener_, SHUT_RDWR);
    shutdown(connection_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  std::uint16_t port() const { return port_; }
  std::string url(std::string_view path = "/") const {
    return "http://127.0.0.1:" + std::to_string(port_) + std::string(path);
  }
  // Connections that were accepted.
  int connections() const { return connections_; }

 private:
  void serve() {
    for (;;) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      ++connections_;
      connection_ = fd;
      if (!stopping_) talk(fd);
      connection_ = -1;
      close(fd);
      if (stopping_) return;
    }
  }

  void talk(int fd) {
    std::string in;
    for (;;) {
      ScriptedRequest request;
      std::size_t end = std::string::npos;
      while ((end = in.find("\r\n\r\n")) == std::string::npos) {
        if (!receive(fd, in)) return;
      }
      request.head = in.substr(0, end + 4);
      in.erase(0, end + 4);
      std::size_t length = 0;
      if (const auto at = request.head.find("Content-Length: "); at != std::string::npos) {
        length = std::strtoul(request.head.c_str() + at + 16, nullptr, 10);
      }
      while (in.size() < length) {
        if (!receive(fd, in)) return;
      }
      request.body = in.substr(0, length);
      in.erase(0, length);
      const ScriptedAnswer answer = script_(request);
      std::string_view out = answer.bytes;
      while (!out.empty()) {
        const ssize_t n = ::send(fd, out.data(), out.size(), MSG_NOSIGNAL);
        if (n <= 0) return;
        out.remove_prefix(static_cast<std::size_t>(n));
      }
      if (answer.then == ScriptedAnswer::Then::kClose) return;
      while (answer.then == ScriptedAnswer::Then::kHang && receive(fd, in)) {
      }
    }
  }

  // False when the client has closed.
  static bool receive(int fd, std::string& in) {
    char bytes[16 * 1024];
    const ssize_t n = recv(fd, bytes, sizeof bytes, 0);
    if (n <= 0) return false;
    in.append(bytes, static_cast<std::size_t>(n));
    return true;
  }

  const Script script_;
  const int listener_;
  std::uint16_t port_ = 0;
  std::atomic<int> connection_ = -1;
  std::atomic<int> connections_ = 0;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace gpuscope::http
