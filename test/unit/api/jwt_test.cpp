// Tokens, keys and claims, each right and in every wrong way.
#include "api/base64url.hpp"
#include "api/jwt.hpp"
#include "api/jwt_principal.hpp"
#include "test/support/jwt_signer.hpp"

#include <gmock/gmock.h>

namespace matricula::api {
namespace {

using test::jwks_of;
using test::jwt_signer;
using test::to_base64url;
using kind = jwt_signer::kind;

/// Keys are slow to make: one of each kind for all tests.
const jwt_signer& key_of(kind of) {
  static const std::vector<jwt_signer> all = [] {
    std::vector<jwt_signer> keys;
    for (const auto k : {kind::rsa, kind::rsa_1024, kind::p256, kind::p384, kind::p521, kind::ed25519})
      keys.emplace_back(k, "key-" + std::to_string(static_cast<int>(k)));
    return keys;
  }();
  return all.at(static_cast<std::size_t>(of));
}

const timestamp now = parse_rfc3339("2026-05-01T00:00:00Z").value();
const std::int64_t now_s = now.time_since_epoch() / std::chrono::seconds(1);
const jwt_rules rules{"https://issuer.example", {"matricula", "ids"}, std::chrono::seconds(60)};

/// Good claims, with these members put over them; "" takes one away.
std::string claims(std::vector<std::pair<std::string, std::string>> others = {}) {
  std::vector<std::pair<std::string, std::string>> all{{"iss", R"("https://issuer.example")"},
                                                       {"aud", R"("matricula")"},
                                                       {"sub", R"("anna")"},
                                                       {"exp", std::to_string(now_s + 300)}};
  for (auto& [name, value] : others) {
    const auto found = std::ranges::find(all, name, &std::pair<std::string, std::string>::first);
    if (found == all.end())
      all.emplace_back(name, value);
    else
      found->second = value;
  }
  std::string out;
  for (const auto& [name, value] : all)
    if (!value.empty()) out += (out.empty() ? "" : ",") + ('"' + name + R"(":)" + value);
  return "{" + out + "}";
}

key_set keys_of(const std::vector<std::string>& jwks) {
  auto keys = key_set::parse(jwks_of(jwks));
  EXPECT_TRUE(keys) << (keys ? "" : keys.error().message);
  return keys.value();
}

/// Why a token is refused; empty when it is good.
std::string why_not(const key_set& keys, const std::string& token, const jwt_rules& by = rules, timestamp at = now) {
  const auto apart = take_apart(token);
  if (!apart) {
    EXPECT_EQ(apart.error().code, errc::unauthenticated);
    return apart.error().message;
  }
  if (!is_signed_by(*apart, keys.find(apart->algorithm, apart->kid))) return "signature";
  const auto checked = check_claims(*apart, by, at);
  if (checked) return "";
  EXPECT_EQ(checked.error().code, errc::unauthenticated);
  return checked.error().message;
}

TEST(base64url, is_read_strictly) {
  EXPECT_EQ(from_base64url(""), "");
  EXPECT_EQ(from_base64url("_-8"), "\xff\xef");
  for (const std::string bytes : {"f", "fo", "foo", "foob"}) EXPECT_EQ(from_base64url(to_base64url(bytes)), bytes);
  for (const char* bad : {"A", "AAAAA", "Zg==", "Zm8=", "Zm 8", "Zm8\n", "+/8", "Zm\xc3\xa4"})
    EXPECT_FALSE(from_base64url(bad)) << bad;
  for (const char* bad : {"Zh", "Zm9", "_-9"}) EXPECT_FALSE(from_base64url(bad)) << bad << ": unused bits are set";
  EXPECT_FALSE(from_base64url(std::string_view("Zm\0v", 4)));
}

struct algorithm_case {
  const char* alg;
  kind of;
};
const std::vector<algorithm_case> every_algorithm{
    {"RS256", kind::rsa}, {"RS384", kind::rsa},  {"RS512", kind::rsa},  {"PS256", kind::rsa},  {"PS384", kind::rsa},
    {"PS512", kind::rsa}, {"ES256", kind::p256}, {"ES384", kind::p384}, {"ES512", kind::p521}, {"EdDSA", kind::ed25519},
};

std::string header(std::string_view alg, std::string_view kid) {
  return R"({"alg":")" + std::string(alg) + R"(","kid":")" + std::string(kid) + R"("})";
}

TEST(jwt, is_accepted_with_every_algorithm_that_fits_its_key) {
  for (const auto& [alg, of] : every_algorithm) {
    const auto& key = key_of(of);
    const auto token = key.token(alg, header(alg, key.kid()), claims());
    EXPECT_EQ(why_not(keys_of({key.jwk()}), token), "") << alg;
    EXPECT_EQ(why_not(keys_of({key.jwk(R"(,"alg":")" + std::string(alg) + '"')}), token), "") << alg;
  }
}

struct published_example {
  const char* source;
  std::string jwk;
  std::string token;
};

TEST(jwt, is_verified_as_the_standards_show_it) {
  const std::vector<published_example> examples{
      {"RFC 7515 A.2",
       R"({"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4q)"
       R"(PCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kp)"
       R"(aSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7a)"
       R"(GhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"})",
       "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19"
       "yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt"
       "_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb"
       "1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI"
       "8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"},
      {"RFC 7515 A.3",
       R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue6)"
       R"(59LNpXW6pCyStikYjKIWI5a0"})",
       "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19"
       "yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU"
       "1Q"},
      {"RFC 8037 A.4", R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})",
       "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6"
       "dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"},
  };
  for (const auto& [source, jwk, token] : examples) {
    const auto apart = take_apart(token);
    ASSERT_TRUE(apart) << source;
    const auto keys = keys_of({jwk});
    EXPECT_TRUE(is_signed_by(*apart, keys.find(apart->algorithm, ""))) << source;
  }
}

TEST(jwt, is_refused_with_a_key_of_the_same_kind_that_did_not_sign_it) {
  for (const auto of : {kind::rsa, kind::p256, kind::p384, kind::p521, kind::ed25519}) {
    const auto& key = key_of(of);
    const jwt_signer other(of, key.kid());
    EXPECT_EQ(why_not(keys_of({other.jwk()}), key.token(claims())), "signature") << key.alg();
  }
}

TEST(jwt, is_refused_when_one_bit_of_it_differs) {
  for (const auto of : {kind::rsa, kind::p256, kind::ed25519}) {
    const auto& key = key_of(of);
    const auto keys = keys_of({key.jwk()});
    const auto good = key.token(claims());
    const auto second = good.rfind('.');
    auto raw = from_base64url(std::string_view(good).substr(second + 1)).value();
    for (std::size_t at = 0; at < raw.size(); at += 7) {
      auto other = raw;
      other[at] = static_cast<char>(other[at] ^ 1);
      EXPECT_NE(why_not(keys, good.substr(0, second + 1) + to_base64url(other)), "") << key.alg() << " " << at;
    }
    // The same header and signature with other claims.
    const auto first = good.find('.');
    const auto forged = to_base64url(claims({{"sub", R"("eve")"}}));
    EXPECT_EQ(why_not(keys, good.substr(0, first + 1) + forged + good.substr(second)), "signature");
  }
}

TEST(jwt, is_refused_when_it_is_cut_short_anywhere) {
  const auto& key = key_of(kind::p256);
  const auto keys = keys_of({key.jwk()});
  const auto good = key.token(claims());
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_NE(why_not(keys, good.substr(0, size)), "") << size;
  EXPECT_NE(why_not(keys, good + "A"), "");
  EXPECT_NE(why_not(keys, good + "."), "");
  EXPECT_NE(why_not(keys, "." + good), "");
}

TEST(jwt, cannot_say_that_it_needs_no_signature) {
  const auto& key = key_of(kind::rsa);
  const auto keys = keys_of({key.jwk()});
  for (const char* none : {"none", "None", "NONE", ""})
    for (const std::string end : {"", "."}) {
      const auto token = to_base64url(header(none, key.kid())) + "." + to_base64url(claims()) + end;
      EXPECT_NE(why_not(keys, token), "") << none;
      EXPECT_NE(why_not(keys, token + to_base64url("x")), "") << none;
    }
}

TEST(jwt, cannot_turn_the_public_key_into_a_shared_secret) {
  const auto& key = key_of(kind::rsa);
  const auto keys = keys_of({key.jwk()});
  for (const char* alg : {"HS256", "HS384", "HS512"}) {
    const auto message = to_base64url(header(alg, key.kid())) + "." + to_base64url(claims());
    for (const auto& secret : {key.public_pem(), key.jwk(), from_base64url("AQAB").value()})
      EXPECT_THAT(why_not(keys, message + "." + to_base64url(test::hmac_sha256(secret, message))),
                  testing::HasSubstr("alg is not served"));
  }
}

TEST(jwt, must_be_signed_as_its_header_says_and_its_key_allows) {
  const auto& rsa = key_of(kind::rsa);
  const auto& ec = key_of(kind::p256);
  // The header says one algorithm, the signature is of another.
  for (const auto& [said, real] : {std::pair{"RS256", "PS256"}, {"PS256", "RS256"}, {"RS256", "RS512"}})
    EXPECT_EQ(why_not(keys_of({rsa.jwk()}), rsa.token(real, header(said, rsa.kid()), claims())), "signature") << said;
  // The key is for another algorithm only.
  EXPECT_EQ(why_not(keys_of({rsa.jwk(R"(,"alg":"PS256")")}), rsa.token(claims())), "signature");
  // Another kind of key under the kid.
  EXPECT_EQ(why_not(keys_of({rsa.jwk()}), ec.token("ES256", header("ES256", rsa.kid()), claims())), "signature");
  EXPECT_EQ(why_not(keys_of({rsa.jwk()}), rsa.token("RS256", header("ES256", rsa.kid()), claims())), "signature");
  // A signature in DER, as OpenSSL has it, is none of JWS.
  const auto good = ec.token(claims());
  EXPECT_EQ(why_not(keys_of({ec.jwk()}), good.substr(0, good.rfind('.') + 1) + to_base64url(std::string(64, '\0'))),
            "signature")
      << "two zeros";
}

TEST(jwt, names_its_key_unless_there_is_but_one) {
  const jwt_signer nameless(kind::p256, ""), other(kind::p256, "other");
  const auto token = nameless.token(claims());
  EXPECT_EQ(why_not(keys_of({nameless.jwk()}), token), "");
  EXPECT_EQ(why_not(keys_of({nameless.jwk(), key_of(kind::rsa).jwk()}), token), "") << "the other key is no candidate";
  EXPECT_EQ(why_not(keys_of({nameless.jwk(), other.jwk()}), token), "signature");
  EXPECT_EQ(why_not(keys_of({nameless.jwk()}), nameless.token("ES256", header("ES256", "unknown"), claims())),
            "signature");
  EXPECT_EQ(why_not(keys_of({other.jwk()}), other.token("ES256", R"({"alg":"ES256"})", claims())), "")
      << "one key with a name, a token without";
}

TEST(jwt, with_a_kid_that_two_keys_have_is_checked_with_both) {
  const jwt_signer one(kind::p256, "same"), two(kind::p256, "same");
  EXPECT_EQ(why_not(keys_of({one.jwk(), two.jwk()}), one.token(claims())), "");
  EXPECT_EQ(why_not(keys_of({one.jwk(), two.jwk()}), two.token(claims())), "");
}

struct header_case {
  const char* text;
  const char* why; ///< part of the refusal; empty: it is good
};

TEST(jwt, has_a_header_that_is_read_strictly) {
  const auto& key = key_of(kind::p256);
  const auto keys = keys_of({key.jwk()});
  const std::vector<header_case> cases{
      {R"({"alg":"ES256"})", ""},
      {R"({"alg":"ES256","typ":"JWT"})", ""},
      {R"({"alg":"ES256","typ":"jwt"})", ""},
      {R"({"alg":"ES256","typ":"at+jwt"})", ""},
      {R"({"alg":"ES256","typ":"application/at+jwt"})", ""},
      {R"({"alg":"ES256","jku":"http://evil.example/keys","jwk":{"kty":"oct"},"x5u":"http://evil.example"})", ""},
      {R"({"alg":"ES256","typ":"logout+jwt"})", "typ"},
      {R"({"alg":"ES256","typ":1})", "typ"},
      {R"({"alg":"ES256","crit":["exp"],"exp":1})", "crit"},
      {R"({"alg":"ES256","crit":[],"b64":false})", "crit"},
      {R"({"alg":"es256"})", "alg"},
      {R"({"alg":["ES256"]})", "alg"},
      {R"({"alg":null})", "alg"},
      {R"({})", "alg"},
      {R"({"alg":"none","alg":"ES256"})", "unique names"},
      {R"({"alg":"ES256","kid":""})", "kid"},
      {R"({"alg":"ES256","kid":7})", "kid"},
      {R"(["ES256"])", "JSON object"},
      {R"("ES256")", "JSON object"},
      {R"({"alg":"ES256",})", "JSON object"},
      {"{\"alg\":\"ES256\",\"a\":\"\xff\"}", "JSON object"},
      {"", "JSON object"},
      {"\xef\xbb\xbf{\"alg\":\"ES256\"", "JSON object"},
  };
  for (const auto& [text, why] : cases) {
    const auto said = why_not(keys, key.token("ES256", text, claims()));
    if (std::string_view(why).empty())
      EXPECT_EQ(said, "") << text;
    else
      EXPECT_THAT(said, testing::HasSubstr(why)) << text;
  }
}

TEST(jwt, is_refused_by_its_size_before_it_is_read) {
  const auto& key = key_of(kind::p256);
  const auto keys = keys_of({key.jwk()});
  const auto with = [&](std::size_t bytes) {
    return key.token(claims({{"filler", '"' + std::string(bytes, 'x') + '"'}}));
  };
  EXPECT_EQ(why_not(keys, with(4000)), "");
  EXPECT_THAT(why_not(keys, with(8192)), testing::HasSubstr("more than 8192 bytes"));
  EXPECT_THAT(why_not(keys, std::string(100'000'000, '.')), testing::HasSubstr("more than 8192 bytes"));
  EXPECT_THAT(why_not(keys, std::string(8192, '.')), testing::HasSubstr("three parts"));
  EXPECT_THAT(why_not(keys, key.token("ES256", header("ES256", std::string(2000, 'k')), claims())),
              testing::HasSubstr("too long"));
  EXPECT_THAT(why_not(keys, key.token("ES256", header("ES256", std::string(300, 'k')), claims())),
              testing::HasSubstr("kid"));
}

struct claims_case {
  const char* name;
  std::string value; ///< empty: the claim is absent
  const char* why;   ///< part of the refusal; empty: it is good
};

TEST(jwt, has_claims_that_are_held_against_the_rules) {
  const auto& key = key_of(kind::ed25519);
  const auto keys = keys_of({key.jwk()});
  const auto at = [](std::int64_t offset) { return std::to_string(now_s + offset); };
  const std::vector<claims_case> cases{
      {"exp", at(1), ""},
      {"exp", at(-59), ""},
      {"exp", at(-60), "expired"},
      {"exp", at(-3600), "expired"},
      {"exp", "", "no exp"},
      {"exp", "null", "seconds since 1970"},
      {"exp", '"' + at(300) + '"', "seconds since 1970"},
      {"exp", at(300) + ".5", ""},
      {"exp", "-1", "seconds since 1970"},
      {"exp", "253402300800", "seconds since 1970"},
      {"exp", "1e300", "seconds since 1970"},
      {"exp", "9223372036854775807", "seconds since 1970"},
      {"exp", "18446744073709551615", "seconds since 1970"},
      {"nbf", at(60), ""},
      {"nbf", at(61), "not valid yet"},
      {"nbf", "true", "seconds since 1970"},
      {"nbf", "0", ""},
      {"iat", at(-100), ""},
      {"iat", at(61), "not valid yet"},
      {"iss", R"("https://issuer.example/")", "issuer"},
      {"iss", R"("https://evil.example")", "issuer"},
      {"iss", R"(["https://issuer.example"])", "issuer"},
      {"iss", "", "issuer"},
      {"aud", R"("ids")", ""},
      {"aud", R"(["other","ids"])", ""},
      {"aud", R"("other")", "audience"},
      {"aud", R"(["other"])", "audience"},
      {"aud", "[]", "audience"},
      {"aud", R"([["ids"]])", "audience"},
      {"aud", R"({"ids":true})", "audience"},
      {"aud", "", "audience"},
      {"sub", R"("a","sub":"b")", "unique names"},
      {"deep", std::string(200, '[') + std::string(200, ']'), "JSON object"},
      {"bytes", "\"\xc3\x28\"", "JSON object"},
      {"number", "1e999", "JSON object"},
  };
  for (const auto& [name, value, why] : cases) {
    const auto said = why_not(keys, key.token(claims({{name, value}})));
    if (std::string_view(why).empty())
      EXPECT_EQ(said, "") << name << " " << value;
    else
      EXPECT_THAT(said, testing::HasSubstr(why)) << name << " " << value;
  }
  for (const char* none : {"", "[]", "null", "{", "42"}) EXPECT_NE(why_not(keys, key.token(none)), "") << none;
}

TEST(jwt, without_leeway_ends_to_the_second) {
  const auto& key = key_of(kind::ed25519);
  const auto keys = keys_of({key.jwk()});
  auto strict = rules;
  strict.leeway = std::chrono::seconds(0);
  const auto token = key.token(claims({{"exp", std::to_string(now_s)}}));
  EXPECT_EQ(why_not(keys, token, strict, now - milliseconds(1)), "");
  EXPECT_THAT(why_not(keys, token, strict, now), testing::HasSubstr("expired"));
  auto nobody = rules;
  nobody.audiences.clear();
  EXPECT_THAT(why_not(keys, key.token(claims()), nobody), testing::HasSubstr("audience"));
}

TEST(key_set, leaves_out_what_cannot_be_used_and_says_why) {
  const auto& good = key_of(kind::p256);
  const std::vector<std::pair<std::string, const char*>> cases{
      {key_of(kind::rsa_1024).jwk(), "1024 bits"},
      {R"({"kty":"oct","k":"c2VjcmV0"})", "neither RSA"},
      {R"({"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"})", "neither RSA"},
      {R"({"kty":"OKP","crv":"X25519","x":"AA"})", "neither RSA"},
      {good.jwk(R"(,"use":"enc")"), "not for checking signatures"},
      {good.jwk(R"(,"key_ops":["encrypt"])"), "not for checking signatures"},
      {good.jwk(R"(,"alg":"RS256")"), "alg"},
      {good.jwk(R"(,"alg":"HS256")"), "alg"},
      {good.jwk(R"(,"d":"AAAA")"), "private"},
      {R"({"kty":"EC","crv":"P-256","x":")" + std::string(43, 'A') + R"(","y":")" + std::string(43, 'A') + R"("})",
       "no point"},
      {R"({"kty":"EC","crv":"P-256","x":"AA","y":"AA"})", "x or y"},
      {R"({"kty":"OKP","crv":"Ed25519","x":"AA"})", "32 bytes"},
      {R"({"kty":"RSA","n":"AA","e":"AQAB"})", "bits"},
      {R"({"kty":"RSA","n":"AA=","e":"AQAB"})", "malformed"},
      {R"({"kty":"RSA","n":")" + std::string(2000, 'A') + R"(","e":"AQAB"})", "too long"},
      {R"({"kty":"RSA","e":"AQAB"})", "missing"},
      {R"({"kty":"EC","crv":"P-256","kid":7})", "kid"},
      {"7", "no JSON object"},
      {"{}", "neither RSA"},
  };
  for (const auto& [jwk, why] : cases) {
    const auto keys = keys_of({jwk, good.jwk()});
    EXPECT_EQ(keys.size(), 1U) << jwk;
    ASSERT_EQ(keys.left_out().size(), 1U) << jwk;
    EXPECT_THAT(keys.left_out().front(), testing::HasSubstr(why)) << jwk;
    EXPECT_FALSE(key_set::parse(jwks_of({jwk}))) << "nothing is left of " << jwk;
  }
}

TEST(key_set, takes_keys_with_members_that_it_does_not_know) {
  const auto keys = keys_of({key_of(kind::rsa).jwk(R"(,"use":"sig","key_ops":["verify"],"x5c":["AA"],"new":{"a":1})")});
  EXPECT_EQ(keys.size(), 1U);
  EXPECT_TRUE(keys.left_out().empty());
}

TEST(key_set, is_nothing_but_a_small_jwks) {
  const auto good = key_of(kind::p256).jwk();
  std::string many = good;
  for (int i = 0; i < 64; ++i) many += "," + good;
  for (const std::string& bad :
       {std::string(), std::string("<html>"), std::string("{}"), std::string("[]"), std::string(R"({"keys":{}})"),
        std::string(R"({"keys":[]})"), good, R"({"keys":[)" + good + R"(],"keys":[)" + good + "]}",
        R"({"keys":[)" + many + "]}", jwks_of({good}) + "x", std::string(1'000'000, ' '),
        R"({"keys":)" + std::string(1000, '[') + std::string(1000, ']') + "}", std::string("{\"keys\":[\"\xff\"]}")})
    EXPECT_FALSE(key_set::parse(bad)) << bad.substr(0, 100);
}

json::value parsed(std::string_view text) { return json::parse(text).value(); }

TEST(claim_path, leads_into_objects_unless_a_claim_has_that_very_name) {
  const auto all = parsed(R"({"a":{"b":{"c":"deep"}},"a.x":"whole","https://example.org/roles":"url","l":["x"]})");
  const auto text = [&](std::string_view path) {
    const auto* found = claim_at(all, path);
    return found && found->as<std::string>() ? *found->as<std::string>() : std::string("-");
  };
  EXPECT_EQ(text("a.b.c"), "deep");
  EXPECT_EQ(text("a.x"), "whole");
  EXPECT_EQ(text("https://example.org/roles"), "url");
  for (const char* none : {"", ".", "a", "a.", "a.b", ".a", "a.b.c.d", "l.x", "l.0", "z"}) EXPECT_EQ(text(none), "-");
}

TEST(principal_of_a_token, has_the_scopes_of_its_roles) {
  principal_mapping mapping;
  mapping.roles_claim = "realm_access.roles";
  mapping.scopes_of_role = {
      {"ID_REPOSITORY", {"ids:*"}}, {"AUDITOR", {"audit:read", "ids:read"}}, {"CLERK", {"ids:read"}}};
  const auto who = principal_of(
      parsed(R"({"sub":"anna","realm_access":{"roles":["ID_REPOSITORY","AUDITOR","CLERK","unknown",7,"ids:*","*"]}})"),
      mapping);
  ASSERT_TRUE(who);
  EXPECT_EQ(who->name, "jwt:anna");
  EXPECT_EQ(who->tenant, "default");
  EXPECT_THAT(who->scopes, testing::ElementsAre("audit:read", "ids:*", "ids:read"));
  EXPECT_TRUE(who->may("ids:issue"));
  EXPECT_FALSE(who->may("actors:act"));
  for (const char* without : {R"({"sub":"a"})", R"({"sub":"a","realm_access":{"roles":{}}})",
                              R"({"sub":"a","realm_access":"ID_REPOSITORY"})", R"({"sub":"a","roles":["CLERK"]})"}) {
    const auto nobody = principal_of(parsed(without), mapping);
    ASSERT_TRUE(nobody) << without;
    EXPECT_TRUE(nobody->scopes.empty()) << without;
  }
}

TEST(principal_of_a_token, may_have_its_roles_in_one_text) {
  principal_mapping mapping;
  mapping.scopes_of_role = {{"read", {"ids:read"}}, {"issue", {"ids:issue"}}};
  const auto who = principal_of(parsed(R"({"sub":"a","scope":" openid  read issue "})"), mapping);
  ASSERT_TRUE(who);
  EXPECT_THAT(who->scopes, testing::ElementsAre("ids:issue", "ids:read"));
}

TEST(principal_of_a_token, must_have_a_plain_name_and_tenant) {
  principal_mapping mapping;
  mapping.name_claim = "preferred_username";
  mapping.tenant_claim = "org.unit";
  const auto ask = [&](const std::string& name, const std::string& tenant) {
    return principal_of(parsed(R"({"preferred_username":)" + name + R"(,"org":{"unit":)" + tenant + "}}"), mapping);
  };
  const auto who = ask(R"("anna@example.org")", R"("north")");
  ASSERT_TRUE(who);
  EXPECT_EQ(who->name, "jwt:anna@example.org");
  EXPECT_EQ(who->tenant, "north");
  for (const std::string& bad :
       {std::string(R"("")"), std::string(R"("a b")"), std::string(R"("a\n")"), std::string(R"("ä")"), std::string("7"),
        std::string("null"), '"' + std::string(256, 'a') + '"'}) {
    const auto refused = ask(bad, R"("north")");
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().code, errc::unauthenticated);
  }
  for (const std::string bad : {R"("")", R"("a/b")", R"("a b")", "[]"}) EXPECT_FALSE(ask(R"("anna")", bad)) << bad;
}

} // namespace
} // namespace matricula::api
