/// Lets JWTs in: keys, rules and role map together, with a memory of tokens that were checked.
#pragma once
#include "api/jwks_source.hpp"
#include "api/jwt.hpp"
#include "api/jwt_principal.hpp"
#include "api/verified_tokens.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace matricula::api {

struct jwt_gate_rules {
  jwt_rules token;
  principal_mapping mapping;
};

/// Thread safe.
class jwt_gate {
public:
  /// @param keys must live longer.
  jwt_gate(jwks_source& keys, jwt_gate_rules rules, std::size_t remembered_max = 4096);

  /// Whose token it is. A token that names a key that is not known yet waits for the key set to be read again, when its
  /// claims are good otherwise.
  /// Errors: unauthenticated; unavailable and overloaded as jwks_source::read_again. Messages hold nothing of the
  /// token.
  [[nodiscard]] result<std::shared_ptr<const principal>> check(std::string_view token, timestamp now) const;

  /// Whose token it is, without computing a signature or waiting for anything. Null when it was not checked under the
  /// present keys and rules: then only `check` can tell.
  [[nodiscard]] std::shared_ptr<const principal> recall(std::string_view token, timestamp now) const;

  /// Other rules from now on, also for tokens that were checked before.
  void set_rules(jwt_gate_rules rules);

private:
  struct numbered_rules {
    jwt_gate_rules rules;
    std::uint64_t number = 0;
  };
  [[nodiscard]] std::shared_ptr<const numbered_rules> rules() const;
  [[nodiscard]] std::shared_ptr<const principal> remembered(const std::string& digest, timestamp now) const;

  jwks_source& keys_;
  mutable std::mutex guard_; ///< of rules_; held for a copy or a swap only
  std::shared_ptr<const numbered_rules> rules_;
  std::atomic<std::uint64_t> rules_number_{1};
  mutable verified_tokens verified_;
};

} // namespace matricula::api
