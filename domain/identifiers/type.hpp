/// An identifier type as configured, ready to use: its space, rules and pool settings.
#pragma once
#include "domain/identifiers/capacity.hpp"
#include "domain/identifiers/generator.hpp"
#include "domain/identifiers/lifecycle.hpp"
#include "domain/identifiers/pool.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace matricula::identifiers {

/// What somebody asks of a type. Ranges are checked by make_type.
struct type_options {
  std::string name;    ///< [a-z][a-z0-9_]{1,63}
  std::string profile; ///< the rules' name, for people; "custom" when they were changed
  id_format format;
  lifecycle of = lifecycle::pool;
  reuse_policy reuse = reuse_policy::random;
  milliseconds cool_off{0};
  pool_limits limits;
  std::uint32_t populator_workers = 2;
  std::uint32_t issuers = 1; ///< issuing shards, 1 to issuers_max
};

/// A key that a type had before, without the key.
struct key_period {
  std::string key_fingerprint; ///< hexadecimal
  std::uint64_t end = 0;       ///< counters below this, and not below the end before, are its own
  bool operator==(const key_period&) const = default;
};

/// Immutable and shared by every actor of the type and by readers.
struct id_type {
  std::string name;
  std::uint16_t number = 0; ///< stands for the name in keys; given by the store, for ever
  std::string profile;
  std::shared_ptr<const identifier_space> space;
  pool_rules rules;
  pool_limits limits;
  std::uint32_t populator_workers = 2;
  capacity_estimate capacity;
  std::string key_fingerprint;            ///< of the type's own key, hexadecimal
  std::vector<key_period> past_keys = {}; ///< that it had before, the oldest first
  std::uint32_t issuers = 1;              ///< issuing shards; fixed once the type has started

  /// The rules of the pool of one issuer. @pre issuer < issuers
  [[nodiscard]] pool_rules rules_of(std::uint32_t issuer) const noexcept {
    auto own = rules;
    own.walks = {issuer, issuers};
    own.end = own.walks.indexes(rules.end);
    return own;
  }
};

/// Whether a type of so many raw numbers may have several issuers: below 10 million each would be left with few, and
/// borrowing would be the rule.
inline constexpr std::uint64_t several_issuers_from = 10'000'000;

/// Whether `name` may name a type.
[[nodiscard]] bool is_type_name(std::string_view name) noexcept;

/// Errors: invalid_argument, with the option that is wrong and what is allowed.
/// @param master the key from which the type's own is derived.
[[nodiscard]] result<id_type> make_type(const type_options& options, const permutation_key& master,
                                        random_source& random);

/// Everything that decides which identifiers there are and in what order, in words: it must not change once any was
/// issued.
[[nodiscard]] std::string describe_space(const id_type& type);

} // namespace matricula::identifiers
