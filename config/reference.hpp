/// The settings explained, written from the schema: the file matricula.toml and the tables of docs/configuration.md.
/// The tests compare both files with these, so that neither can fall behind.
#pragma once
#include <string>

namespace matricula::config {

/// A complete settings file that says the defaults, each with its meaning, range and whether it is reloadable.
/// Lines that begin with '#' and no blank after it are settings that are not set.
[[nodiscard]] std::string reference_toml();

/// One Markdown table a section: key, default, allowed, applies, meaning.
[[nodiscard]] std::string reference_markdown();

} // namespace matricula::config
