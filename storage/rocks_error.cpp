#include "storage/rocks_error.hpp"

#include <fmt/format.h>
#include <rocksdb/status.h>

namespace matricula::storage {

error to_error(const rocksdb::Status& status, std::string_view what) {
  const auto code = status.IsCorruption()   ? errc::corrupt
                    : status.IsNoSpace()    ? errc::storage_full
                    : status.IsBusy()       ? errc::overloaded
                    : status.IsIncomplete() ? errc::overloaded
                                            : errc::io;
  return {code, fmt::format("{}: {}", what, status.ToString()), std::nullopt};
}

} // namespace matricula::storage
