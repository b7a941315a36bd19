/// A client that says exactly what a test tells it to, byte for byte.
#pragma once
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <chrono>
#include <cstdint>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>

namespace matricula::api {

class socket_client {
public:
  explicit socket_client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected = ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
  }
  ~socket_client() { ::close(fd_); }
  socket_client(const socket_client&) = delete;
  socket_client& operator=(const socket_client&) = delete;

  void send(std::string_view text) const {
    while (!text.empty()) {
      const auto n = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  void end_sending() const { ::shutdown(fd_, SHUT_WR); }

  /// One answer: its head and, by its Content-Length, its body. Empty when the server closes before it is whole.
  std::string answer(bool has_body = true) {
    for (;;) {
      if (const auto end = buffered_.find("\r\n\r\n"); end != std::string::npos) {
        const auto at = buffered_.find("Content-Length: ");
        const auto length = at < end && has_body ? std::stoul(buffered_.substr(at + 16)) : 0;
        const auto whole = end + 4 + length;
        if (buffered_.size() >= whole) {
          auto text = buffered_.substr(0, whole);
          buffered_.erase(0, whole);
          return text;
        }
      }
      if (!receive()) return "";
    }
  }
  /// Whether the server closes the connection without sending more.
  bool is_closed() {
    while (receive()) {
    }
    return buffered_.empty() && ended_;
  }

  bool connected = false;

private:
  /// Far beyond every time-out in these tests: reaching it is a failure, never a way to pass.
  static constexpr int patience_ms = 20'000;

  bool receive() {
    pollfd p{fd_, POLLIN, 0};
    if (::poll(&p, 1, patience_ms) <= 0) {
      ADD_FAILURE() << "the server neither answers nor closes";
      return false;
    }
    char bytes[16384];
    const auto n = ::recv(fd_, bytes, sizeof bytes, 0);
    ended_ = n <= 0;
    if (n > 0) buffered_.append(bytes, static_cast<std::size_t>(n));
    return n > 0;
  }
  int fd_;
  bool ended_ = false;
  std::string buffered_;
};

/// The status of an answer's text; 0 when there is none.
inline int status_of(std::string_view answer) {
  return answer.starts_with("HTTP/1.1 ") ? std::stoi(std::string(answer.substr(9, 3))) : 0;
}

} // namespace matricula::api
