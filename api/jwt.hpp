/// JSON Web Tokens (RFC 7519) in the compact form of a signed JWS (RFC 7515), checked as RFC 8725 advises: the
/// algorithm comes from a fixed list and must fit the key, issuer and audience must be the expected ones, and every
/// token ends.
#pragma once
#include "api/json.hpp"
#include "api/jwks.hpp"
#include "foundation/clock.hpp"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::api {

inline constexpr std::size_t jwt_bytes_max = 8192;

/// Whether `token` has three parts with dots between: then it is a JWT or nothing.
[[nodiscard]] bool has_shape_of_jwt(std::string_view token) noexcept;

struct jwt_rules {
  std::string issuer;                 ///< `iss`, exactly
  std::vector<std::string> audiences; ///< `aud` must name one of them
  std::chrono::seconds leeway{60};    ///< how far the issuer's clock may differ
};

/// A token whose form is right: nothing in it is to be believed yet. Views point into `text`.
struct unverified_jwt {
  signature_algorithm algorithm{};
  std::string kid; ///< empty when it names none
  std::string_view signed_part;
  std::string_view payload; ///< base64url
  std::string signature;    ///< raw
};
/// Takes a token apart. Sizes are bounded before anything is parsed. Header: strict JSON, names unique; `alg` from the
/// list of `signature_algorithm`; `typ` absent, JWT or at+jwt; no `crit`. Keys in the header (jwk, jku, x5u, x5c) are
/// never looked at.
/// Errors: unauthenticated. Messages hold nothing of the token.
[[nodiscard]] result<unverified_jwt> take_apart(std::string_view token);

/// What a token says, and from when to when.
struct jwt_claims {
  json::value all;       ///< an object
  timestamp valid_from;  ///< leeway included
  timestamp valid_until; ///< leeway included; from then on the token is refused
};
/// Reads the claims and holds them against the rules: `exp`, `iss` and `aud` must be there, `nbf` and `iat` are checked
/// when they are. Whether anybody signed them is not its concern.
/// Errors: unauthenticated.
[[nodiscard]] result<jwt_claims> check_claims(const unverified_jwt& token, const jwt_rules& rules, timestamp now);

/// Whether one of the keys that `token` may have been signed with did sign it.
[[nodiscard]] bool is_signed_by(const unverified_jwt& token, const std::vector<const signature_key*>& keys);

} // namespace matricula::api
