#include "actors/verdict_error.hpp"

namespace matricula::actors {

error verdict_error(storage::verdict v) {
  if (v == storage::verdict::fenced)
    return {errc::unavailable, "The actor was replaced before the write. Nothing was done; try again.",
            std::chrono::seconds(1)};
  return {
      errc::outcome_unknown,
      "The write failed midway and may or may not have been done. Repeat the request with the same Idempotency-Key: "
      "that is safe. Without a key, look the identifier up first.",
      std::chrono::seconds(5)};
}

} // namespace matricula::actors
