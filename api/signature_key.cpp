#include "api/signature_key.hpp"

#include "api/base64url.hpp"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>

namespace matricula::api {

namespace {
using enum signature_algorithm;

constexpr std::size_t kid_bytes_max = 256;
constexpr int exponent_bits_max = 64; // OpenSSL's own bound for large moduli; common exponents have 17

struct named_algorithm {
  std::string_view name;
  signature_algorithm value;
};
constexpr std::array<named_algorithm, 10> algorithms{{{"RS256", rs256},
                                                      {"RS384", rs384},
                                                      {"RS512", rs512},
                                                      {"PS256", ps256},
                                                      {"PS384", ps384},
                                                      {"PS512", ps512},
                                                      {"ES256", es256},
                                                      {"ES384", es384},
                                                      {"ES512", es512},
                                                      {"EdDSA", eddsa}}};

constexpr std::uint16_t bit(signature_algorithm a) {
  return static_cast<std::uint16_t>(1U << static_cast<unsigned>(a));
}
constexpr std::uint16_t all_of_rsa = bit(rs256) | bit(rs384) | bit(rs512) | bit(ps256) | bit(ps384) | bit(ps512);

struct curve {
  std::string_view crv;
  const char* group; ///< OpenSSL's name
  std::size_t bytes; ///< of a coordinate
  signature_algorithm algorithm;
};
constexpr std::array<curve, 3> curves{
    {{"P-256", "P-256", 32, es256}, {"P-384", "P-384", 48, es384}, {"P-521", "P-521", 66, es512}}};

template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* p) const noexcept {
    Free(p);
  }
};
using big_number = std::unique_ptr<BIGNUM, freed_by<BN_free>>;
using parameter_builder = std::unique_ptr<OSSL_PARAM_BLD, freed_by<OSSL_PARAM_BLD_free>>;
using parameters = std::unique_ptr<OSSL_PARAM, freed_by<OSSL_PARAM_free>>;
using key_context = std::unique_ptr<EVP_PKEY_CTX, freed_by<EVP_PKEY_CTX_free>>;
using digest_context = std::unique_ptr<EVP_MD_CTX, freed_by<EVP_MD_CTX_free>>;
using key_handle = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;
using ecdsa_signature = std::unique_ptr<ECDSA_SIG, freed_by<ECDSA_SIG_free>>;

const unsigned char* bytes_of(std::string_view text) noexcept {
  return reinterpret_cast<const unsigned char*>(text.data());
}

big_number to_number(std::string_view bytes) {
  return big_number(BN_bin2bn(bytes_of(bytes), static_cast<int>(bytes.size()), nullptr));
}

std::unexpected<error> malformed(std::string_view what) {
  return fail(errc::invalid_argument, "The key's " + std::string(what) + ".");
}

const json::value* member(const json::value::object& of, std::string_view name) {
  const auto found = std::ranges::find(of, name, &json::member::name);
  return found == of.end() ? nullptr : &found->held;
}

/// The text of a member; empty when it is absent or something else.
std::string_view text_of(const json::value::object& of, std::string_view name) {
  const auto* held = member(of, name);
  const auto* text = held ? held->as<std::string>() : nullptr;
  return text ? std::string_view(*text) : std::string_view{};
}

std::optional<std::string> bytes_in(const json::value::object& of, std::string_view name) {
  const auto text = text_of(of, name);
  return text.empty() ? std::nullopt : from_base64url(text);
}

/// Null when these are no public key.
key_handle make_key(const char* kind, OSSL_PARAM* of) {
  const key_context context(EVP_PKEY_CTX_new_from_name(nullptr, kind, nullptr));
  EVP_PKEY* key = nullptr;
  if (!context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, of) != 1)
    return nullptr;
  return key_handle(key);
}

result<key_handle> make_rsa(const json::value::object& jwk) {
  const auto modulus = bytes_in(jwk, "n"), exponent = bytes_in(jwk, "e");
  constexpr std::size_t modulus_bytes_max = signature_key::rsa_bits_max / 8;
  if (!modulus || !exponent || modulus->size() > modulus_bytes_max || exponent->size() > exponent_bits_max / 8)
    return malformed("n or e is missing, malformed or too long");
  const auto n = to_number(*modulus), e = to_number(*exponent);
  if (!n || !e) return malformed("n or e cannot be read");
  if (BN_num_bits(n.get()) < signature_key::rsa_bits_min)
    return malformed("modulus has " + std::to_string(BN_num_bits(n.get())) + " bits; at least " +
                     std::to_string(signature_key::rsa_bits_min) + " are required");
  if (!BN_is_odd(n.get()) || !BN_is_odd(e.get()) || BN_is_one(e.get()))
    return malformed("n and e are no RSA public key");
  const parameter_builder builder(OSSL_PARAM_BLD_new());
  if (!builder || OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1)
    return malformed("n and e are not accepted");
  const parameters of(OSSL_PARAM_BLD_to_param(builder.get()));
  auto key = make_key("RSA", of.get());
  if (!key) return malformed("n and e are no RSA public key");
  return key;
}

result<key_handle> make_ec(const json::value::object& jwk, const curve& on) {
  const auto x = bytes_in(jwk, "x"), y = bytes_in(jwk, "y");
  if (!x || !y || x->size() != on.bytes || y->size() != on.bytes)
    return malformed("x or y is missing, malformed or not as long as its curve has it");
  const auto point = '\x04' + *x + *y;
  const parameter_builder builder(OSSL_PARAM_BLD_new());
  if (!builder || OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, on.group, 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) != 1)
    return malformed("x and y are not accepted");
  const parameters of(OSSL_PARAM_BLD_to_param(builder.get()));
  auto key = make_key("EC", of.get());
  if (!key) return malformed("x and y are no point of its curve");
  const key_context check(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
  if (check && EVP_PKEY_public_check(check.get()) == 1) return key;
  return malformed("x and y are no public key of its curve");
}

result<key_handle> make_ed25519(const json::value::object& jwk) {
  const auto x = bytes_in(jwk, "x");
  if (!x || x->size() != 32) return malformed("x is missing, malformed or not 32 bytes");
  key_handle key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(*x), x->size()));
  if (!key) return malformed("x is no Ed25519 public key");
  return key;
}

/// Whether the key says that it is for something else than checking signatures.
bool is_for_something_else(const json::value::object& jwk) {
  if (const auto* use = member(jwk, "use"); use && text_of(jwk, "use") != "sig") return true;
  const auto* operations = member(jwk, "key_ops");
  if (!operations) return false;
  const auto* list = operations->as<json::value::array>();
  return !list || std::ranges::none_of(*list, [](const json::value& one) {
    const auto* name = one.as<std::string>();
    return name && *name == "verify";
  });
}

const EVP_MD* digest_of(signature_algorithm a) {
  switch (a) {
  case rs256:
  case ps256:
  case es256:
    return EVP_sha256();
  case rs384:
  case ps384:
  case es384:
    return EVP_sha384();
  case rs512:
  case ps512:
  case es512:
    return EVP_sha512();
  case eddsa: // hashes by itself
    break;
  }
  return nullptr;
}

/// JWS has the two numbers of an ECDSA signature one after the other; OpenSSL wants them in DER. Empty when it cannot
/// be one.
std::string to_der(std::string_view signature, std::size_t bytes) {
  if (signature.size() != 2 * bytes) return {};
  const ecdsa_signature both(ECDSA_SIG_new());
  auto r = to_number(signature.substr(0, bytes)), s = to_number(signature.substr(bytes));
  if (!both || !r || !s || ECDSA_SIG_set0(both.get(), r.get(), s.get()) != 1) return {};
  (void)r.release(); // the signature's now
  (void)s.release();
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(both.get(), &der);
  if (size <= 0) return {};
  std::string out(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return out;
}

/// Refusals leave entries in the thread's list of OpenSSL errors, where a later TLS call would find them.
struct no_errors_left {
  no_errors_left() = default;
  no_errors_left(const no_errors_left&) = delete;
  no_errors_left& operator=(const no_errors_left&) = delete;
  ~no_errors_left() { ERR_clear_error(); }
};
} // namespace

struct signature_key::public_key {
  key_handle of;
};

std::optional<signature_algorithm> signature_algorithm_of(std::string_view name) noexcept {
  const auto found = std::ranges::find(algorithms, name, &named_algorithm::name);
  if (found == algorithms.end()) return std::nullopt;
  return found->value;
}

result<signature_key> signature_key::from_jwk(const json::value& jwk) {
  const no_errors_left at_the_end;
  const auto* members = jwk.as<json::value::object>();
  if (!members) return malformed("description is no JSON object");
  const auto kind = text_of(*members, "kty"), crv = text_of(*members, "crv");
  if (is_for_something_else(*members))
    return fail(errc::unsupported, "The key is not for checking signatures, by its use or key_ops.");
  const auto* on = std::ranges::find(curves, crv, &curve::crv);
  signature_key out;
  result<key_handle> key;
  if (kind == "RSA") {
    out.algorithms_ = all_of_rsa;
  } else if (kind == "EC" && on != curves.end()) {
    out.algorithms_ = bit(on->algorithm);
  } else if (kind == "OKP" && crv == "Ed25519") {
    out.algorithms_ = bit(eddsa);
  } else {
    return fail(errc::unsupported, "The key is neither RSA, nor EC on P-256, P-384 or P-521, nor OKP with Ed25519.");
  }
  if (member(*members, "d")) return malformed("private part is in it, where a public key belongs");
  if (const auto* kid = member(*members, "kid")) {
    const auto* text = kid->as<std::string>();
    if (!text || text->empty() || text->size() > kid_bytes_max)
      return malformed("kid is no text of 1 to " + std::to_string(kid_bytes_max) + " bytes");
    out.kid_ = *text;
  }
  if (member(*members, "alg")) {
    const auto only = signature_algorithm_of(text_of(*members, "alg"));
    if (!only || !out.takes(*only))
      return fail(errc::unsupported, "The key's alg is not served or does not fit its kind.");
    out.algorithms_ = bit(*only);
  }
  if (kind == "RSA")
    key = make_rsa(*members);
  else if (kind == "EC")
    key = make_ec(*members, *on);
  else
    key = make_ed25519(*members);
  if (!key) return std::unexpected(std::move(key.error()));
  out.key_ = std::make_shared<public_key>(std::move(*key));
  return out;
}

bool signature_key::takes(signature_algorithm algorithm) const noexcept { return (algorithms_ & bit(algorithm)) != 0; }

bool signature_key::verifies(signature_algorithm algorithm, std::string_view message,
                             std::string_view signature) const {
  if (!takes(algorithm) || !key_) return false;
  const no_errors_left at_the_end;
  std::string der;
  if (const auto on = std::ranges::find(curves, algorithm, &curve::algorithm); on != curves.end()) {
    der = to_der(signature, on->bytes);
    if (der.empty()) return false;
    signature = der;
  }
  const digest_context context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* how = nullptr; // belongs to `context`
  if (!context || EVP_DigestVerifyInit(context.get(), &how, digest_of(algorithm), nullptr, key_->of.get()) != 1)
    return false;
  if (algorithm == ps256 || algorithm == ps384 || algorithm == ps512)
    if (EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING) != 1 ||
        EVP_PKEY_CTX_set_rsa_pss_saltlen(how, RSA_PSS_SALTLEN_DIGEST) != 1)
      return false;
  return EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(message), message.size()) == 1;
}

} // namespace matricula::api
