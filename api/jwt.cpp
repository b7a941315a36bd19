#include "api/jwt.hpp"

#include "api/base64url.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

namespace matricula::api {

namespace {
constexpr std::size_t header_bytes_max = 2048;    ///< as base64url
constexpr std::size_t signature_bytes_max = 1400; ///< as base64url; RSA of 8,192 bits needs 1,366
constexpr std::size_t kid_bytes_max = 256;
constexpr std::int64_t seconds_max = 253'402'300'799; ///< the end of the year 9999

std::unexpected<error> refused(std::string message) { return fail(errc::unauthenticated, std::move(message)); }

const json::value* member(const json::value& of, std::string_view name) {
  const auto* members = of.as<json::value::object>();
  if (!members) return nullptr;
  const auto found = std::ranges::find(*members, name, &json::member::name);
  return found == members->end() ? nullptr : &found->held;
}

std::optional<json::value> object_in(std::string_view base64url) {
  const auto text = from_base64url(base64url);
  if (!text) return std::nullopt;
  auto parsed = json::parse(*text);
  if (!parsed || !parsed->as<json::value::object>()) return std::nullopt;
  return std::move(*parsed);
}

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

/// Access tokens (RFC 9068) and plain JWTs; others, such as logout tokens, are signed with the same keys.
bool is_served_type(const json::value& typ) {
  const auto* text = typ.as<std::string>();
  if (!text) return false;
  return std::ranges::any_of(std::initializer_list<std::string_view>{"JWT", "at+jwt", "application/at+jwt"},
                             [text](std::string_view served) { return equal_ignoring_case(*text, served); });
}

/// A NumericDate, which may have a fraction. Nothing for anything outside of 1970 to 9999.
std::optional<timestamp> time_of(const json::value& v) {
  const auto at = [](std::int64_t seconds) { return timestamp{std::chrono::seconds(seconds)}; };
  if (const auto* whole = v.as<std::int64_t>())
    return *whole >= 0 && *whole <= seconds_max ? std::optional(at(*whole)) : std::nullopt;
  if (const auto* number = v.as<double>())
    if (*number >= 0 && *number <= static_cast<double>(seconds_max))
      return timestamp{milliseconds(static_cast<std::int64_t>(std::floor(*number * 1000)))};
  return std::nullopt;
}

/// `aud` is one text or a list of texts (RFC 7519 section 4.1.3).
bool names_one_of(const json::value& aud, const std::vector<std::string>& audiences) {
  const auto is_one = [&audiences](const json::value& v) {
    const auto* text = v.as<std::string>();
    return text && std::ranges::find(audiences, *text) != audiences.end();
  };
  const auto* list = aud.as<json::value::array>();
  return list ? std::ranges::any_of(*list, is_one) : is_one(aud);
}
} // namespace

bool has_shape_of_jwt(std::string_view token) noexcept { return std::ranges::count(token, '.') == 2; }

result<unverified_jwt> take_apart(std::string_view token) {
  if (token.size() > jwt_bytes_max)
    return refused("The token has more than " + std::to_string(jwt_bytes_max) + " bytes.");
  if (!has_shape_of_jwt(token)) return refused("The token is no JWT: it has not three parts.");
  const auto first = token.find('.'), second = token.rfind('.');
  const auto header_text = token.substr(0, first), signature_text = token.substr(second + 1);
  if (header_text.size() > header_bytes_max || signature_text.size() > signature_bytes_max)
    return refused("The token's header or signature is too long.");
  const auto header = object_in(header_text);
  if (!header) return refused("The token's header is not base64url of a JSON object with unique names.");
  const auto* alg = member(*header, "alg");
  const auto* name = alg ? alg->as<std::string>() : nullptr;
  const auto algorithm = name ? signature_algorithm_of(*name) : std::nullopt;
  if (!algorithm)
    return refused("The token's alg is not served: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 and "
                   "EdDSA are.");
  if (const auto* typ = member(*header, "typ"); typ && !is_served_type(*typ))
    return refused("The token's typ is neither JWT nor at+jwt.");
  if (member(*header, "crit")) return refused("The token's header has extensions (crit) that are not known here.");
  unverified_jwt out{.algorithm = *algorithm,
                     .kid = {},
                     .signed_part = token.substr(0, second),
                     .payload = token.substr(first + 1, second - first - 1),
                     .signature = {}};
  if (const auto* kid = member(*header, "kid")) {
    const auto* text = kid->as<std::string>();
    if (!text || text->empty() || text->size() > kid_bytes_max) return refused("The token's kid is malformed.");
    out.kid = *text;
  }
  auto signature = from_base64url(signature_text);
  if (!signature || signature->empty()) return refused("The token's signature is missing or not base64url.");
  out.signature = std::move(*signature);
  return out;
}

result<jwt_claims> check_claims(const unverified_jwt& token, const jwt_rules& rules, timestamp now) {
  auto claims = object_in(token.payload);
  if (!claims) return refused("The token's claims are not base64url of a JSON object with unique names.");
  const auto time_claim = [&claims](std::string_view name, std::optional<timestamp>& to) {
    const auto* held = member(*claims, name);
    if (!held) return true;
    to = time_of(*held);
    return to.has_value();
  };
  std::optional<timestamp> exp, nbf, iat;
  if (!time_claim("exp", exp) || !time_claim("nbf", nbf) || !time_claim("iat", iat))
    return refused("The token's exp, nbf or iat is no number of seconds since 1970.");
  if (!exp) return refused("The token has no exp; only tokens that end are accepted.");
  const auto* iss = member(*claims, "iss");
  const auto* issuer = iss ? iss->as<std::string>() : nullptr;
  if (!issuer || *issuer != rules.issuer) return refused("The token's issuer (iss) is not the one accepted here.");
  const auto* aud = member(*claims, "aud");
  if (!aud || !names_one_of(*aud, rules.audiences)) return refused("The token's audience (aud) is not this service.");
  const auto begin = std::max(nbf.value_or(timestamp{}), iat.value_or(timestamp{}));
  jwt_claims out{std::move(*claims), std::max(timestamp{}, begin - rules.leeway), *exp + rules.leeway};
  if (now < out.valid_from) return refused("The token is not valid yet (nbf or iat).");
  if (now >= out.valid_until) return refused("The token has expired.");
  return out;
}

bool is_signed_by(const unverified_jwt& token, const std::vector<const signature_key*>& keys) {
  return std::ranges::any_of(
      keys, [&](const auto* key) { return key->verifies(token.algorithm, token.signed_part, token.signature); });
}

} // namespace matricula::api
