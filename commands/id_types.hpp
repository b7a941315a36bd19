/// From settings to identifier types.
#pragma once
#include "config/settings.hpp"
#include "domain/identifiers/type.hpp"
#include "foundation/random.hpp"
#include "storage/identifiers.hpp"

#include <string>
#include <vector>

namespace matricula::commands {

/// What the settings say of one type. Errors: invalid_argument.
[[nodiscard]] result<identifiers::type_options> type_options_of(const std::string& name,
                                                                const config::type_settings& settings);

/// Every enabled type. Errors: invalid_argument, naming the first type that is wrong and what is allowed.
[[nodiscard]] result<std::vector<identifiers::id_type>>
make_types(const config::identifier_settings& settings, const identifiers::permutation_key& key, random_source& random);

/// The types of a node with the numbers and keys that its store has for them.
struct settled_types {
  std::vector<identifiers::permutation_key> keys; ///< the present one first
  std::vector<identifiers::id_type> types;
  std::vector<storage::type_setup> stored;
  std::vector<storage::type_setup> added; ///< to be written before the types are used
};
/// Loads the keys, makes the types, and checks both against the store. Errors: those of each; the message says what to
/// do.
[[nodiscard]] result<settled_types> settle(const config::identifier_settings& settings, const storage::view& rows);

} // namespace matricula::commands
