// Tokens and key sets as strangers send them. The first byte says which. What is accepted has the form that it must
// have; nothing is signed by a key that did not sign it.
#include "api/base64url.hpp"
#include "api/jwt.hpp"
#include "api/jwt_principal.hpp"
#include "foundation/error.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace {
using namespace matricula;
using namespace matricula::api;

/// RSA, P-256 and Ed25519 keys of examples in RFC 7515 (A.2, A.3) and RFC 8037 (A.2).
constexpr std::string_view known_keys = R"({"keys":[
{"kty":"RSA","kid":"r","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"},
{"kty":"EC","kid":"e","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
{"kty":"OKP","kid":"o","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})";

void read_token(std::string_view text) {
  static const auto keys = key_set::parse(known_keys).value();
  static const jwt_rules rules{"https://issuer.example", {"matricula"}, std::chrono::seconds(60)};
  static const auto now = parse_rfc3339("2026-05-01T00:00:00Z").value();
  static const principal_mapping mapping{.roles_claim = "realm_access.roles",
                                         .scopes_of_role = {{"ID_REPOSITORY", {"ids:*"}}}};
  const auto apart = take_apart(text);
  if (!apart) {
    require(apart.error().code == errc::unauthenticated && !apart.error().message.empty(), "a refusal says why");
    return;
  }
  require(has_shape_of_jwt(text) && text.size() <= jwt_bytes_max, "a token has three parts and a bound");
  require(!apart->signature.empty() && apart->kid.size() <= 256, "there is a signature");
  require(apart->signed_part.ends_with(apart->payload) && text.starts_with(apart->signed_part), "parts of the text");
  if (apart->kid == "o") require(!is_signed_by(*apart, keys.find(apart->algorithm, apart->kid)), "nobody has that key");
  (void)is_signed_by(*apart, keys.find(apart->algorithm, apart->kid));
  const auto claims = check_claims(*apart, rules, now);
  if (!claims) return;
  require(claims->valid_from <= now && now < claims->valid_until, "it is valid now");
  const auto who = principal_of(claims->all, mapping);
  if (!who) return;
  require(who->name.starts_with("jwt:") && who->name.size() <= 259 && who->tenant == "default", "a plain name");
  require(std::ranges::all_of(who->scopes, [](const std::string& scope) { return scope == "ids:*"; }), "known scopes");
}

void read_keys(std::string_view text) {
  const auto keys = key_set::parse(text);
  if (!keys) {
    require(keys.error().code == errc::invalid_argument && !keys.error().message.empty(), "a refusal says why");
    return;
  }
  require(keys->size() > 0 && keys->size() <= key_set::keys_max, "some keys, and not too many");
  bool some = false;
  for (unsigned a = 0; a <= static_cast<unsigned>(signature_algorithm::eddsa); ++a)
    for (const auto* key : keys->find(static_cast<signature_algorithm>(a), "")) {
      some = true;
      require(key->takes(static_cast<signature_algorithm>(a)), "a key is found for what it takes");
      require(!key->verifies(static_cast<signature_algorithm>(a), "message", text.substr(0, 64)), "no such signature");
    }
  require(some || keys->size() > 1, "the only key is found without its name");
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 0)
    read_token(rest);
  else
    read_keys(rest);
  return 0;
}
