/// Which key made which identifiers of a type, and replacing it.
#pragma once
#include "domain/identifiers/rotation.hpp"
#include "storage/identifiers.hpp"
#include "storage/store.hpp"

#include <cstdint>
#include <span>
#include <string>

namespace matricula::storage {

/// Gives each type that the store knows the keys that its identifiers were made with, present and past, wherever they
/// stand among `masters`. A type whose present key is not among them stays as it is: settle_types refuses it.
/// @param masters as configured, the present one first
/// Errors: invalid_argument when a past key is missing, with its fingerprint and what to do.
[[nodiscard]] result<void> settle_keys(std::span<const type_setup> stored, std::span<identifiers::id_type> types,
                                       std::span<const identifiers::permutation_key> masters);

struct replaced_key {
  std::string old_fingerprint;
  std::string new_fingerprint;
  std::uint64_t from = 0;  ///< the first counter of the new key
  bool old_needed = false; ///< whether anything was issued with the old one
};

/// Replaces the key of one type for everything that has not been issued: in one group, so that a crash leaves either
/// the old or the new key. The pool's walked, unissued identifiers are found again under the new key.
/// @param type as settled: with its number and keys. It is given its new keys.
/// @param masters as for settle_keys
/// @pre nobody else uses the store.
/// Errors: conflict (the type had this key before), invalid_argument (its counters would run out), not_found (the store
/// has no such type), corrupt, io.
[[nodiscard]] result<replaced_key> replace_key(store& in, identifiers::id_type& type,
                                               std::span<const identifiers::permutation_key> masters,
                                               const identifiers::permutation_key& new_master);

/// In a store that was restored from a backup: replaces the type's key wherever it was replaced after the backup, at
/// the same counters, and passes over what was issued until then.
/// @param ahead the type in the store that the backup was made of, as it was at the end
/// @param masters all keys of `ahead` @pre nobody else uses the store.
/// Errors: conflict (`ahead` does not go on where the type stands), invalid_argument (a key is missing), corrupt, io.
[[nodiscard]] result<void> follow_keys(store& in, identifiers::id_type& type,
                                       std::span<const identifiers::permutation_key> masters, const type_setup& ahead);

} // namespace matricula::storage
