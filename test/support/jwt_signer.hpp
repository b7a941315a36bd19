/// An issuer of JSON Web Tokens for tests: makes keys, describes them as JWKs, and signs whatever it is given, right or
/// wrong.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::test {

[[nodiscard]] std::string to_base64url(std::string_view bytes);

class jwt_signer {
public:
  enum class kind { rsa, rsa_1024, p256, p384, p521, ed25519 };
  /// A new key. Throws std::runtime_error when OpenSSL makes none.
  jwt_signer(kind of, std::string kid);

  [[nodiscard]] const std::string& kid() const noexcept { return kid_; }
  /// The public key as a JWK. @param more members, such as R"(,"alg":"RS256")"
  [[nodiscard]] std::string jwk(std::string_view more = "") const;
  /// As PEM.
  [[nodiscard]] std::string public_pem() const;

  /// The raw JWS signature of `message`.
  [[nodiscard]] std::string signature(std::string_view alg, std::string_view message) const;
  /// A whole token of exactly this header and these claims.
  [[nodiscard]] std::string token(std::string_view alg, std::string_view header, std::string_view claims) const;
  /// One with the header that belongs to the key.
  [[nodiscard]] std::string token(std::string_view claims) const;
  /// The first algorithm that belongs to the key's kind.
  [[nodiscard]] std::string alg() const;

private:
  struct key;
  kind kind_;
  std::string kid_;
  std::shared_ptr<const key> key_;
};

/// {"keys":[...]}
[[nodiscard]] std::string jwks_of(const std::vector<std::string>& jwks);
/// The HMAC-SHA-256 of `message`, raw.
[[nodiscard]] std::string hmac_sha256(std::string_view secret, std::string_view message);

} // namespace matricula::test
