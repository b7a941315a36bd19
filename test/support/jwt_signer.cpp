#include "test/support/jwt_signer.hpp"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <array>
#include <stdexcept>

namespace matricula::test {

namespace {
const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

void must(bool good, const char* what) {
  if (!good) throw std::runtime_error(std::string("OpenSSL: ") + what);
}

std::string number_of(const EVP_PKEY* key, const char* name, int bytes) {
  BIGNUM* number = nullptr;
  must(EVP_PKEY_get_bn_param(key, name, &number) == 1, name);
  std::string out(static_cast<std::size_t>(bytes > 0 ? bytes : BN_num_bytes(number)), '\0');
  must(BN_bn2binpad(number, reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(out.size())) >= 0, name);
  BN_free(number);
  return out;
}

const EVP_MD* digest_of(std::string_view alg) {
  if (alg == "EdDSA") return nullptr;
  return alg.ends_with("256") ? EVP_sha256() : alg.ends_with("384") ? EVP_sha384() : EVP_sha512();
}
} // namespace

std::string to_base64url(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes_of(bytes), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  while (text.ends_with('=')) text.pop_back();
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

struct jwt_signer::key {
  EVP_PKEY* of = nullptr;
  int coordinate_bytes = 0;
  key() = default;
  key(const key&) = delete;
  key& operator=(const key&) = delete;
  ~key() { EVP_PKEY_free(of); }
};

jwt_signer::jwt_signer(kind of, std::string kid) : kind_(of), kid_(std::move(kid)) {
  auto made = std::make_shared<key>();
  switch (of) {
  case kind::rsa:
    made->of = EVP_RSA_gen(2048);
    break;
  case kind::rsa_1024:
    made->of = EVP_RSA_gen(1024);
    break;
  case kind::p256:
    made->of = EVP_EC_gen("P-256");
    made->coordinate_bytes = 32;
    break;
  case kind::p384:
    made->of = EVP_EC_gen("P-384");
    made->coordinate_bytes = 48;
    break;
  case kind::p521:
    made->of = EVP_EC_gen("P-521");
    made->coordinate_bytes = 66;
    break;
  case kind::ed25519:
    made->of = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
    break;
  }
  must(made->of != nullptr, "key generation");
  key_ = std::move(made);
}

std::string jwt_signer::alg() const {
  switch (kind_) {
  case kind::rsa:
  case kind::rsa_1024:
    return "RS256";
  case kind::p256:
    return "ES256";
  case kind::p384:
    return "ES384";
  case kind::p521:
    return "ES512";
  case kind::ed25519:
    break;
  }
  return "EdDSA";
}

std::string jwt_signer::jwk(std::string_view more) const {
  std::string out = "{";
  if (!kid_.empty()) out += R"("kid":")" + kid_ + R"(",)";
  const auto* of = key_->of;
  if (kind_ == kind::rsa || kind_ == kind::rsa_1024) {
    out += R"("kty":"RSA","n":")" + to_base64url(number_of(of, OSSL_PKEY_PARAM_RSA_N, 0)) + R"(","e":")" +
           to_base64url(number_of(of, OSSL_PKEY_PARAM_RSA_E, 0)) + '"';
  } else if (kind_ == kind::ed25519) {
    std::string x(32, '\0');
    auto size = x.size();
    must(EVP_PKEY_get_raw_public_key(of, reinterpret_cast<unsigned char*>(x.data()), &size) == 1, "public key");
    out += R"("kty":"OKP","crv":"Ed25519","x":")" + to_base64url(x) + '"';
  } else {
    const char* crv = kind_ == kind::p256 ? "P-256" : kind_ == kind::p384 ? "P-384" : "P-521";
    out += std::string(R"("kty":"EC","crv":")") + crv + R"(","x":")" +
           to_base64url(number_of(of, OSSL_PKEY_PARAM_EC_PUB_X, key_->coordinate_bytes)) + R"(","y":")" +
           to_base64url(number_of(of, OSSL_PKEY_PARAM_EC_PUB_Y, key_->coordinate_bytes)) + '"';
  }
  return out + std::string(more) + "}";
}

std::string jwt_signer::public_pem() const {
  BIO* out = BIO_new(BIO_s_mem());
  must(out != nullptr && PEM_write_bio_PUBKEY(out, key_->of) == 1, "PEM");
  char* data = nullptr;
  const auto size = BIO_get_mem_data(out, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(out);
  return text;
}

std::string jwt_signer::signature(std::string_view alg, std::string_view message) const {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  EVP_PKEY_CTX* how = nullptr;
  must(EVP_DigestSignInit(context, &how, digest_of(alg), nullptr, key_->of) == 1, "sign");
  if (alg.starts_with("PS"))
    must(EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(how, RSA_PSS_SALTLEN_DIGEST) == 1,
         "PSS");
  std::size_t size = 0;
  must(EVP_DigestSign(context, nullptr, &size, bytes_of(message), message.size()) == 1, "sign");
  std::string out(size, '\0');
  must(EVP_DigestSign(context, reinterpret_cast<unsigned char*>(out.data()), &size, bytes_of(message),
                      message.size()) == 1,
       "sign");
  EVP_MD_CTX_free(context);
  out.resize(size);
  if (key_->coordinate_bytes == 0) return out;
  const auto* der = bytes_of(out);
  ECDSA_SIG* both = d2i_ECDSA_SIG(nullptr, &der, static_cast<long>(out.size()));
  must(both != nullptr, "DER");
  std::string raw(static_cast<std::size_t>(2 * key_->coordinate_bytes), '\0');
  auto* to = reinterpret_cast<unsigned char*>(raw.data());
  must(BN_bn2binpad(ECDSA_SIG_get0_r(both), to, key_->coordinate_bytes) > 0 &&
           BN_bn2binpad(ECDSA_SIG_get0_s(both), to + key_->coordinate_bytes, key_->coordinate_bytes) > 0,
       "DER");
  ECDSA_SIG_free(both);
  return raw;
}

std::string jwt_signer::token(std::string_view alg, std::string_view header, std::string_view claims) const {
  const auto message = to_base64url(header) + "." + to_base64url(claims);
  return message + "." + to_base64url(signature(alg, message));
}

std::string jwt_signer::token(std::string_view claims) const {
  const auto named = kid_.empty() ? std::string() : R"(,"kid":")" + kid_ + '"';
  return token(alg(), R"({"typ":"JWT","alg":")" + alg() + '"' + named + "}", claims);
}

std::string jwks_of(const std::vector<std::string>& jwks) {
  std::string out;
  for (const auto& one : jwks) out += (out.empty() ? "" : ",") + one;
  return R"({"keys":[)" + out + "]}";
}

std::string hmac_sha256(std::string_view secret, std::string_view message) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned size = 0;
  must(HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), bytes_of(message), message.size(), out.data(),
            &size) != nullptr,
       "HMAC");
  return {reinterpret_cast<const char*>(out.data()), size};
}

} // namespace matricula::test
