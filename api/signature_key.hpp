/// Public keys and the signatures that they check, on OpenSSL: what RFC 7518 sections 3 and 6 and RFC 8037 say of JSON
/// Web Keys. There is no HMAC and no "none" here, so that no token can ask for them.
#pragma once
#include "api/json.hpp"
#include "foundation/error.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace matricula::api {

enum class signature_algorithm : std::uint8_t {
  rs256, ///< RSASSA-PKCS1-v1_5
  rs384,
  rs512,
  ps256, ///< RSASSA-PSS, salt as long as the digest
  ps384,
  ps512,
  es256, ///< ECDSA on P-256
  es384, ///< on P-384
  es512, ///< on P-521
  eddsa, ///< Ed25519
};
/// The algorithm of an `alg` value, which is case-sensitive; nothing for every other name.
[[nodiscard]] std::optional<signature_algorithm> signature_algorithm_of(std::string_view name) noexcept;

/// One public key with the algorithms that it may be used for. Cheap to copy; thread safe.
class signature_key {
public:
  static constexpr int rsa_bits_min = 2048;
  static constexpr int rsa_bits_max = 8192;

  /// The key of a JWK: RSA, EC (P-256, P-384, P-521) or OKP (Ed25519). Its `alg`, when it says one, is the only one
  /// that it may be used for.
  /// Errors: unsupported (another kind, a key for something else than checking signatures), invalid_argument
  /// (malformed, too weak, a private key). Messages hold nothing of the key.
  [[nodiscard]] static result<signature_key> from_jwk(const json::value& jwk);

  /// Empty when the key has no name.
  [[nodiscard]] const std::string& kid() const noexcept { return kid_; }
  [[nodiscard]] bool takes(signature_algorithm algorithm) const noexcept;
  /// Whether `signature` is one of `message`. False for an algorithm that the key does not take.
  [[nodiscard]] bool verifies(signature_algorithm algorithm, std::string_view message,
                              std::string_view signature) const;

private:
  struct public_key; ///< OpenSSL's
  signature_key() = default;
  std::string kid_;
  std::uint16_t algorithms_ = 0; ///< bit n: the algorithm of that value
  std::shared_ptr<public_key> key_;
};

} // namespace matricula::api
