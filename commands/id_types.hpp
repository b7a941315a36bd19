/// From settings to identifier types.
#pragma once
#include "config/settings.hpp"
#include "domain/identifiers/type.hpp"
#include "foundation/random.hpp"

#include <string>
#include <vector>

namespace matricula::commands {

/// What the settings say of one type. Errors: invalid_argument.
[[nodiscard]] result<identifiers::type_options> type_options_of(const std::string& name,
                                                                const config::type_settings& settings);

/// Every enabled type. Errors: invalid_argument, naming the first type that is wrong and what is allowed.
[[nodiscard]] result<std::vector<identifiers::id_type>>
make_types(const config::identifier_settings& settings, const identifiers::permutation_key& key, random_source& random);

} // namespace matricula::commands
