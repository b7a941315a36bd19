/// Calls that carry an access token.
#pragma once
#include "connectors/access_token.hpp"
#include "connectors/http_client.hpp"

#include <memory>

namespace matricula::connectors {

/// How a token is put into a request.
enum class token_place : std::uint8_t {
  mosip_cookie, ///< Cookie: Authorization=<token>
  bearer,       ///< Authorization: Bearer <token>
};

/// Thread safe.
class authorised_client {
public:
  /// @param tokens null: none is sent
  authorised_client(std::unique_ptr<http_client> client, std::unique_ptr<access_tokens> tokens, token_place where);

  /// As http_client::call. When `refused` says that the answer refuses the token, it is dropped and the request sent
  /// once again with another: a refused request had no effect. Without a token nothing is sent: `not_sent`.
  template <class Refused>
  [[nodiscard]] http_reply call(const http_request& what, deadline until, Refused refused) {
    std::string token;
    auto reply = call_once(what, until, token);
    if (reply.how != transfer::answered || token.empty() || !refused(reply)) return reply;
    tokens_->drop(token);
    return call_once(what, until, token);
  }

  /// Ends calls soon, the present and all later ones, from any thread.
  void stop() noexcept {
    client_->stop();
    if (tokens_) tokens_->stop();
  }

private:
  [[nodiscard]] http_reply call_once(const http_request& what, deadline until, std::string& token);

  std::unique_ptr<http_client> client_;
  std::unique_ptr<access_tokens> tokens_;
  token_place where_;
};

} // namespace matricula::connectors
