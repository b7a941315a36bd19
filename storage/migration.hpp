/// Steps from an older format of the store to the next one.
#pragma once
#include "storage/batch.hpp"
#include "storage/view.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace matricula::storage {

/// The newest format that this build reads and writes.
inline constexpr std::uint32_t current_format = 2;

struct migration {
  std::uint32_t to = 0; ///< the format afterwards; the step begins at `to` - 1
  std::string name;     ///< for the log
  /// Rewrites what must change. May be cut off anywhere and is then run again from its start: it must bear that.
  std::function<result<void>(const view& before, const std::function<result<void>(const batch&)>& write)> run;
};

/// Every step up to `current_format`, in order. Format 1 is the first.
[[nodiscard]] std::vector<migration> shipped_migrations();

} // namespace matricula::storage
