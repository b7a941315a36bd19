/// TLS for accepted connections: the certificate in force, and one session a connection (OpenSSL).
#pragma once
#include "foundation/error.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

struct ssl_ctx_st;
struct ssl_st;

namespace matricula::api {

struct tls_files {
  std::string certificate; ///< PEM, the node's own first, then those that lead to its root
  std::string key;         ///< PEM, without a password
  [[nodiscard]] bool wanted() const noexcept { return !certificate.empty() || !key.empty(); }
};

/// A certificate and its key, ready to serve TLS 1.2 and later. Thread safe once made.
class tls_identity {
public:
  /// Errors: invalid_argument, with what to do: a file that cannot be read, that holds no PEM, a key with a password,
  /// a key that is not the certificate's, a certificate whose time is over.
  [[nodiscard]] static result<std::shared_ptr<const tls_identity>> load(const tls_files& from);
  [[nodiscard]] ssl_ctx_st* context() const noexcept { return context_.get(); }

private:
  explicit tls_identity(std::shared_ptr<ssl_ctx_st> context) : context_(std::move(context)) {}
  std::shared_ptr<ssl_ctx_st> context_;
};

/// One connection's TLS, on a non-blocking socket. Not thread safe.
class tls_session {
public:
  /// @param socket is not owned and outlives the session.
  tls_session(std::shared_ptr<const tls_identity> identity, int socket);

  enum class progress : std::uint8_t { done, blocked, failed };
  /// Goes on with the handshake; blocked: once more when the socket is ready.
  [[nodiscard]] progress handshake();
  /// @param bytes is set when done; 0 of them: the peer has ended.
  [[nodiscard]] progress receive(char* into, std::size_t at_most, std::size_t& bytes);
  [[nodiscard]] progress send(std::string_view what, std::size_t& bytes);
  /// Tells the peer that nothing more comes.
  void end_sending();

private:
  [[nodiscard]] progress progress_of(int returned);
  std::shared_ptr<const tls_identity> identity_;
  std::shared_ptr<ssl_st> session_;
};

} // namespace matricula::api
