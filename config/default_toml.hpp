/// The text of config/matricula.toml, inside the program.
#pragma once
#include <string_view>

namespace matricula::config {

/// Every setting with its meaning, range and default, as a file to start from.
extern const std::string_view default_toml;

} // namespace matricula::config
