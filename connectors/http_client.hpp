/// A blocking HTTP/1.1 client of one host that says exactly how far a request came. Who repeats a request that may have
/// been carried out may do something twice.
#pragma once
#include "connectors/http_location.hpp"
#include "connectors/stop_signal.hpp"
#include "foundation/error.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace matricula::connectors {

enum class transfer : std::uint8_t {
  answered, ///< a whole answer came, of whatever status
  not_sent, ///< not a byte of the request left: no such host, refused, no time left, TLS failed
  lost,     ///< it may have arrived: the answer did not come, not wholly, not in time, or is too large
};

struct http_request {
  std::string method = "GET";
  std::string target = "/";
  std::vector<std::pair<std::string, std::string>> headers = {}; ///< Host and Content-Length are added
  std::string body = {};                                         ///< sent with the header Content-Type that is given
};

struct http_reply {
  transfer how = transfer::not_sent;
  int status = 0; ///< 0 unless the head of an answer came; with `lost` its body is missing
  std::string body;
  std::string retry_after; ///< the header, as it stands; also of an answer that is too large
  bool too_large = false;  ///< lost because the body is over the limit
  std::string error;       ///< unless answered: what went wrong, with host and port; no secrets
};

struct http_client_options {
  http_location at;                                 ///< its target, user and password are not used
  std::chrono::milliseconds connect_at_most{2'000}; ///< to each address of the host; TLS comes on top
  std::size_t body_bytes_max = 64 * 1024;           ///< of an answer
  std::size_t idle_connections_max = 16;
  /// Shorter than what servers wait (uvicorn: 5 s). A request on a connection that its server closes just then is lost,
  /// though most likely it was never read.
  std::chrono::milliseconds idle_at_most{2'000};
};

/// Thread safe: each call has a connection to itself, and leaves it for the next. Redirects are not followed. TLS 1.2
/// at least, and the certificate must be trusted and name the host.
/// @pre the process ignores SIGPIPE when TLS is used: OpenSSL cannot help raising it
class http_client {
public:
  /// Connects to nobody yet. Errors: invalid_argument (the CA file cannot be read).
  [[nodiscard]] static result<std::unique_ptr<http_client>> make(http_client_options options);
  ~http_client();
  http_client(const http_client&) = delete;
  http_client& operator=(const http_client&) = delete;

  /// Everything within the deadline: name, connection, TLS, request and answer.
  /// A request is never sent twice. One whose connection turns out to be closed before any of it was sent goes over
  /// another.
  [[nodiscard]] http_reply call(const http_request& what, deadline until);

  /// Ends calls soon, the present and all later ones, from any thread.
  void stop() noexcept;

  /// "HOST:PORT", for messages.
  [[nodiscard]] const std::string& where() const noexcept;

private:
  struct inside;
  explicit http_client(std::unique_ptr<inside> in);
  std::unique_ptr<inside> in_;
};

} // namespace matricula::connectors
