/// Secrets that stand in a file of their own.
#pragma once
#include "foundation/error.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace matricula::commands {

/// The first `bytes_max` bytes of a file that nobody but its owner may read.
/// @param setting names it in messages; none holds anything of the text
/// Errors: io (not there, no file), forbidden (others may read it).
[[nodiscard]] result<std::string> read_private_file(const std::string& path, std::string_view setting,
                                                    std::size_t bytes_max);

} // namespace matricula::commands
