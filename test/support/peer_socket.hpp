/// A client's end of a connection, plain or TLS, that sends whatever bytes it is given.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct ssl_ctx_st;
struct ssl_st;

namespace matricula::test {

/// Blocks, within `patience`. Does not check certificates: its tests make their own.
class peer_socket {
public:
  enum class speaks : std::uint8_t { plain, tls };
  static constexpr std::chrono::seconds patience{20};

  /// Connects. Check `connected`. @param hello false: not even a TLS handshake.
  peer_socket(std::uint16_t port, speaks what, bool hello = true);
  ~peer_socket();
  peer_socket(peer_socket&& other) noexcept;
  peer_socket& operator=(peer_socket&&) = delete;

  [[nodiscard]] int descriptor() const noexcept { return socket_; }
  [[nodiscard]] bool connected() const noexcept { return socket_ >= 0; }
  /// False when the other end has closed, or took nothing for too long.
  bool write(std::string_view bytes);
  /// The next whole answer (head, and body by its Content-Length), or nothing when the connection ended before.
  [[nodiscard]] std::optional<std::string> answer();
  /// Whether the other end closes without another byte.
  [[nodiscard]] bool is_closed();
  /// The version of TLS, such as "TLSv1.3".
  [[nodiscard]] std::string version() const;
  /// The common name of the other end's certificate.
  [[nodiscard]] std::string certificate_name() const;

private:
  bool receive();
  int socket_ = -1;
  std::shared_ptr<ssl_st> tls_;
  std::string in_;
};

/// The status of an answer's text; 0 when there is none.
[[nodiscard]] int status_of_answer(const std::optional<std::string>& answer);

} // namespace matricula::test
