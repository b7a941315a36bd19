/// The HTTP server's options from the settings.
#pragma once
#include "api/server.hpp"
#include "config/settings.hpp"

namespace matricula::commands {

/// Lowers the number of connections where the process may not open as many files, and says so in the log.
[[nodiscard]] api::server_options server_options_of(const config::settings& s);

} // namespace matricula::commands
