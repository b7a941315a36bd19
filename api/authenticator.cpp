#include "api/authenticator.hpp"

#include "api/jwt_gate.hpp"

#include <algorithm>

namespace matricula::api {

namespace {
constexpr std::size_t token_bytes_max = jwt_bytes_max;

/// The token of a bearer credential; empty when it is none. The scheme's name is case-insensitive.
std::string_view bearer_token(std::string_view credentials) {
  constexpr std::string_view scheme = "bearer ";
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  if (credentials.size() <= scheme.size()) return {};
  if (!std::ranges::equal(credentials.substr(0, scheme.size()), scheme, {}, lower)) return {};
  credentials.remove_prefix(std::min(credentials.find_first_not_of(' ', scheme.size()), credentials.size()));
  return credentials;
}

result<std::string_view> token_of(const incoming& from) {
  const auto credentials = from.header("Authorization");
  if (credentials.empty()) return fail(errc::unauthenticated, "Send the header `Authorization: Bearer <token>`.");
  const auto token = bearer_token(credentials);
  if (token.empty() || token.size() > token_bytes_max)
    return fail(errc::unauthenticated, "The Authorization header is not `Bearer <token>`.");
  return token;
}
} // namespace

result<std::shared_ptr<const principal>> bearer_authenticator::who_asks(const incoming& from, timestamp now) const {
  const auto token = token_of(from);
  if (!token) return std::unexpected(token.error());
  return who_has(*token, now);
}

std::optional<result<std::shared_ptr<const principal>>> bearer_authenticator::who_asks_at_once(const incoming& from,
                                                                                               timestamp now) const {
  const auto token = token_of(from);
  if (!token) return std::unexpected(token.error());
  if (!is_for_issuer(*token)) return who_has(*token, now);
  if (auto known = jwts_->recall(*token, now)) return known;
  return std::nullopt;
}

bool bearer_authenticator::is_for_issuer(std::string_view token) const noexcept {
  return jwts_ && !token.starts_with(token_prefix) && (!tokens_ || has_shape_of_jwt(token));
}

result<std::shared_ptr<const principal>> bearer_authenticator::who_has(std::string_view token, timestamp now) const {
  if (token.empty() || token.size() > token_bytes_max)
    return fail(errc::unauthenticated, "The token is missing or too long.");
  if (is_for_issuer(token)) return jwts_->check(token, now);
  if (!tokens_) return fail(errc::unauthenticated, "Only JWTs are accepted here.");
  return tokens_->check(token, now);
}

result<std::shared_ptr<const principal>> open_authenticator::who_asks(const incoming&, timestamp) const {
  static const auto local = std::make_shared<const principal>(principal{"local", "default", {"*"}});
  return local;
}

} // namespace matricula::api
