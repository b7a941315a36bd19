/// A set of public keys as an issuer publishes it: a JSON Web Key Set (RFC 7517 section 5).
#pragma once
#include "api/signature_key.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::api {

/// Unchangeable once read, so that any number of threads may use it.
class key_set {
public:
  static constexpr std::size_t text_bytes_max = 262'144;
  static constexpr std::size_t keys_max = 64;

  /// Keys that cannot be used (of another kind, too weak, malformed) are left out and say why in `left_out()`.
  /// Errors: invalid_argument (no JWKS, or no key of it can be used).
  [[nodiscard]] static result<key_set> parse(std::string_view text);

  /// The keys that a token with this algorithm and kid may have been signed with. Without a kid (`kid` empty): the one
  /// key that takes the algorithm, and none when there are several.
  [[nodiscard]] std::vector<const signature_key*> find(signature_algorithm algorithm, std::string_view kid) const;

  [[nodiscard]] std::size_t size() const noexcept { return keys_.size(); }
  /// A sentence for each key that was left out.
  [[nodiscard]] const std::vector<std::string>& left_out() const noexcept { return left_out_; }

private:
  std::vector<signature_key> keys_;
  std::vector<std::string> left_out_;
};

} // namespace matricula::api
