/// The write-ahead log read again: is every group in it the one that its chain hash stands for?
#pragma once
#include "storage/handle.hpp"
#include "foundation/error.hpp"

#include <cstdint>

namespace matricula::storage {

/// How many groups were recomputed; the first in the log only gives the start. Errors: corrupt, io.
[[nodiscard]] result<std::uint64_t> check_chain(handle& h);

}  // namespace matricula::storage
