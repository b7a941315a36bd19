/// The end of a process that cannot go on.
#pragma once
#include <string_view>

namespace matricula::commands {

inline constexpr int exit_fatal = 70; ///< EX_SOFTWARE: systemd starts it again

/// The node cannot go on: waiting clients get their 503, then the process ends and recovers from the log. Returns at
/// once; only the first call counts. Thread safe.
void end_process(std::string_view why);

} // namespace matricula::commands
