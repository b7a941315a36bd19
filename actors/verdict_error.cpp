#include "actors/verdict_error.hpp"

#include <fmt/format.h>

namespace matricula::actors {

error verdict_error(storage::verdict v, std::string_view advice) {
  if (v == storage::verdict::fenced)
    return {errc::unavailable, "The actor was replaced before the write. Nothing was done; try again.",
            std::chrono::seconds(1)};
  return {errc::outcome_unknown, fmt::format("The write failed midway and may or may not have been done. {}", advice),
          std::chrono::seconds(5)};
}

error no_answer_in_time(std::string_view advice) {
  return {errc::outcome_unknown, fmt::format("No answer before the deadline; it may still be done. {}", advice),
          std::chrono::seconds(1)};
}

error too_late() {
  return {errc::deadline_exceeded, "The deadline passed before the request was begun. Nothing was done.", {}};
}

} // namespace matricula::actors
