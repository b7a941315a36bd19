/// The bytes of one accepted socket, as they are or in TLS. Nothing here blocks.
#pragma once
#include "api/tls.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

namespace matricula::api {

/// Not thread safe. Owns the socket.
class byte_stream {
public:
  /// @param socket connected and non-blocking. @param identity null: no TLS.
  byte_stream(int socket, std::shared_ptr<const tls_identity> identity)
      : socket_(socket), identity_(std::move(identity)) {}
  ~byte_stream();
  byte_stream(const byte_stream&) = delete;
  byte_stream& operator=(const byte_stream&) = delete;

  [[nodiscard]] int socket() const noexcept { return socket_; }

  [[nodiscard]] bool is_tls() const noexcept { return identity_ != nullptr; }

  enum class opening : std::uint8_t { open, blocked, failed, not_tls };
  /// What has to happen before bytes flow. The session is made with the client's first byte: whoever only connects
  /// costs no memory for it.
  [[nodiscard]] opening open();
  /// Whether bytes flow.
  [[nodiscard]] bool is_open() const noexcept { return !identity_ || opened_; }

  enum class outcome : std::uint8_t { moved, blocked, closed };
  struct moved {
    outcome how = outcome::blocked;
    std::size_t bytes = 0;
  };
  [[nodiscard]] moved receive(char* into, std::size_t at_most);
  /// Two pieces, as if they were one.
  [[nodiscard]] moved send(std::string_view first, std::string_view second);

  /// The peer learns that nothing more comes; what it still sends can be swallowed.
  void end_sending();
  /// As the socket has them, TLS or not: for what will not be looked at.
  [[nodiscard]] moved receive_raw(char* into, std::size_t at_most) const;
  /// Bytes as they are, before TLS; whether all of them went.
  bool send_raw(std::string_view what) const;

private:
  int socket_;
  std::shared_ptr<const tls_identity> identity_;
  std::optional<tls_session> tls_;
  bool opened_ = false;
};

} // namespace matricula::api
