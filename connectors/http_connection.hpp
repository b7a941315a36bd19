/// One connection of an http_client. cpp-httplib writes the request and reads the answer; the connection is ours,
/// because its own is bounded neither in time (a limit for each read, none for all) nor in the size of an answer's
/// head, and cannot tell whether a request was sent.
#pragma once
#include "connectors/http_client.hpp"

#include <httplib.h>
#include <openssl/ssl.h>

#include <memory>

namespace matricula::connectors {

using tls_context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;
/// For clients of this place. Errors: invalid_argument (the CA file cannot be read).
[[nodiscard]] result<tls_context> make_tls_context(const std::string& ca_file);

class http_connection final : public httplib::ClientImpl {
public:
  /// @param tls null: plain. All must live longer.
  http_connection(const http_client_options& options, SSL_CTX* tls, const stop_signal& stop);
  ~http_connection() override;

  [[nodiscard]] http_reply run(const http_request& what, deadline until);
  /// Whether another request may follow: it is open, and nothing came that no request asked for.
  [[nodiscard]] bool may_be_used_again();

private:
  class stream;

  bool create_and_connect_socket(Socket& socket, httplib::Error& error) override;
  void shutdown_ssl(Socket& socket, bool gracefully) override;
  bool process_socket(const Socket& socket, std::function<bool(httplib::Stream&)> callback) override;

  [[nodiscard]] result<int> connect() const;
  [[nodiscard]] result<SSL*> begin_tls(int socket) const;

  const http_client_options& options_;
  SSL_CTX* tls_;
  const stop_signal& stop_;
  // Of the call that runs.
  deadline until_;
  std::string why_not_connected_;
  std::unique_ptr<stream> stream_;
};

} // namespace matricula::connectors
