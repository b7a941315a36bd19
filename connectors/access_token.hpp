/// Access tokens by OAuth 2.0 client credentials (RFC 6749, 4.4): one token for all threads, renewed before its end.
#pragma once
#include "connectors/http_client.hpp"
#include "foundation/clock.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace matricula::connectors {

struct access_token_options {
  http_location at; ///< the token endpoint
  std::string client_id;
  std::string client_secret;   ///< never in a message
  const clock* time = nullptr; ///< must live longer
};

/// What a token endpoint answered.
struct token_answer {
  std::string token;
  std::chrono::seconds lifetime{0};
};
/// Of a body with status 200. A lifetime that is missing is 900 s, as OpenG2P takes it.
/// Errors: unavailable (no JSON, or no token that can stand in a header and a cookie). None holds anything of the body.
[[nodiscard]] result<token_answer> parse_token_answer(std::string_view body);

/// Thread safe.
class access_tokens {
public:
  /// Errors: invalid_argument (the CA file cannot be read).
  [[nodiscard]] static result<std::unique_ptr<access_tokens>> make(access_token_options options);
  access_tokens(std::unique_ptr<http_client> client, access_token_options options);

  /// The token to use now. When there is none, or its end is near, one thread asks and the others wait for what it
  /// gets; those that find the old one still valid go on with it. A failure is the answer for all who ask within a
  /// second, so that a wrong secret is not tried a thousand times; not that of one whose own time was over.
  /// Errors: unavailable. None holds the secret or a token.
  [[nodiscard]] result<std::string> current(deadline until);
  /// Somebody did not accept this token: the next `current` asks for another, unless that has happened already.
  void drop(std::string_view token);
  /// Ends questions soon, the present and all later ones.
  void stop() noexcept { client_->stop(); }

private:
  [[nodiscard]] result<token_answer> ask(deadline until);

  std::unique_ptr<http_client> client_;
  access_token_options options_;
  std::mutex guard_;
  std::condition_variable changed_;
  bool asking_ = false;
  std::string token_; ///< empty: none
  std::chrono::nanoseconds renew_at_{0}, ends_at_{0};
  std::optional<error> failure_; ///< of the last question
  std::chrono::nanoseconds failure_ends_at_{0};
};

} // namespace matricula::connectors
