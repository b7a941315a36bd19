/// Where the permutation key comes from: a file, the environment or a command; never the data folder.
#pragma once
#include "config/settings.hpp"
#include "domain/identifiers/permutation.hpp"
#include "foundation/error.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace matricula::commands {

/// Reads the key that the settings name: 64 hexadecimal digits, white space around them is ignored.
/// Errors: invalid_argument (none configured, malformed), forbidden (others may read the file), io.
[[nodiscard]] result<identifiers::permutation_key> load_master_key(const config::identifier_settings& settings);

/// The present key, then the previous ones. Errors: as above; a previous key that cannot be had is one, too.
[[nodiscard]] result<std::vector<identifiers::permutation_key>>
load_all_keys(const config::identifier_settings& settings);

/// One key. @param setting the option or setting that names the source, for messages
[[nodiscard]] result<identifiers::permutation_key> load_key(const config::key_source& from, std::string_view setting);

/// Makes a new random key in `file`, which must not exist; mode 0600. Returns its fingerprint. Errors: conflict, io.
[[nodiscard]] result<std::string> create_key_file(const std::string& file);

} // namespace matricula::commands
