/// Rules between settings: each value is in its range, but do they go together?
#pragma once
#include "config/load.hpp"

namespace matricula::config {

/// Adds a problem for every rule that `now` breaks, at the place of the value that is most easily changed.
void check_consistency(const loaded& now, problem_list& problems);

} // namespace matricula::config
