/// Replacing a type's key for the rest of its space: what was issued stays, what comes is drawn with the new key, and
/// nobody who knows the old key can tell any of it.
#pragma once
#include "domain/identifiers/type.hpp"

#include <span>

namespace matricula::identifiers {

/// Gives `type` its keys: `past` ones, the oldest first, and the present one.
/// @param past keys of this type alone (permutation_key::derive), as the present one.
/// Errors: invalid_argument, see identifier_space::make; nothing is changed then.
[[nodiscard]] result<void> give_keys(id_type& type, std::span<const past_key> past, const permutation_key& present);

/// The counters of a pool whose key is replaced: the new key begins at issued_to. What was walked beyond is forgotten;
/// its valid identifiers are found again under the new key.
/// @pre counters.balanced(); the result is, too.
[[nodiscard]] pool_counters cut_at_issued(pool_counters counters) noexcept;

} // namespace matricula::identifiers
