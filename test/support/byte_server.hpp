/// A server that does with a connection what a test says, byte by byte.
#pragma once

#include <arpa/inet.h>
#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <netinet/in.h>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace matricula::test {

/// Reads one request with its body; nothing when the client has gone.
inline std::optional<std::string> read_request(int socket) {
  std::string in;
  char byte = 0;
  std::size_t whole = std::string::npos;
  while (in.size() != whole) {
    if (::recv(socket, &byte, 1, 0) != 1) return std::nullopt;
    in += byte;
    if (whole != std::string::npos || !in.ends_with("\r\n\r\n")) continue;
    const auto length = in.find("Content-Length: ");
    whole = in.size() + (length == std::string::npos ? 0 : std::stoul(in.substr(length + 16)));
  }
  return in;
}

inline bool send_text(int socket, std::string_view text) {
  while (!text.empty()) {
    const auto n = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

inline std::string answer_of(int status, std::string_view body, std::string_view more = {}) {
  return "HTTP/1.1 " + std::to_string(status) + " OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(more) + "\r\n" + std::string(body);
}

/// The connection is reset when it is closed.
inline void reset_at_close(int socket) {
  const linger now{1, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

class byte_server {
public:
  /// @param serve called in a thread for each connection, which is closed when it returns
  explicit byte_server(std::function<void(int socket)> serve) : serve_(std::move(serve)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    if (listener_ < 0 || ::bind(listener_, reinterpret_cast<const sockaddr*>(&at), size) != 0 ||
        ::listen(listener_, 64) != 0 || ::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size) != 0)
      throw std::runtime_error("cannot listen");
    port_ = ntohs(at.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~byte_server() {
    {
      const std::scoped_lock hold(guard_);
      stopping_ = true;
      ::shutdown(listener_, SHUT_RDWR);
      for (const int one : open_) ::shutdown(one, SHUT_RDWR);
    }
    acceptor_.join();
    for (auto& one : threads_) one.join();
    ::close(listener_);
  }
  byte_server(const byte_server&) = delete;
  byte_server& operator=(const byte_server&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] int connections() const noexcept { return connections_; }

private:
  void accept_all() {
    for (;;) {
      const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      const std::scoped_lock hold(guard_);
      if (stopping_) {
        if (socket >= 0) ::close(socket);
        return;
      }
      if (socket < 0) continue;
      ++connections_;
      open_.push_back(socket);
      threads_.emplace_back([this, socket] {
        serve_(socket);
        const std::scoped_lock lock(guard_);
        std::erase(open_, socket);
        ::close(socket);
      });
    }
  }

  std::function<void(int)> serve_;
  int listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::uint16_t port_ = 0;
  std::atomic<int> connections_{0};
  std::mutex guard_;
  bool stopping_ = false;
  std::vector<int> open_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

} // namespace matricula::test
