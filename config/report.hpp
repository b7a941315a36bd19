/// What `matricula config check` and `matricula config show` print.
#pragma once
#include "config/load.hpp"
#include "config/reload.hpp"

#include <string>
#include <vector>

namespace matricula::config {

/// One line a problem, then how many there are. Ends with a newline.
[[nodiscard]] std::string problem_report(const std::vector<problem>& problems);

/// The problems, or a line that says that all is well, with the number of settings that differ from their defaults.
[[nodiscard]] std::string check_report(const load_result& outcome);

/// The effective settings with the origin of each; secrets are not shown.
[[nodiscard]] std::string show_report(const loaded& now);

/// What a reload did: a line a setting, or that nothing changed.
[[nodiscard]] std::string reload_report(const reload_plan& plan);

} // namespace matricula::config
