/// Views of the open database.
#pragma once
#include "storage/handle.hpp"
#include "storage/view.hpp"

#include <memory>

namespace matricula::storage {

/// One moment, kept by a snapshot.
[[nodiscard]] std::shared_ptr<const view> make_snapshot(std::shared_ptr<handle> h);
/// Always the present: each call may see more than the one before. Costs nothing.
[[nodiscard]] std::shared_ptr<const view> make_latest(std::shared_ptr<handle> h);

} // namespace matricula::storage
