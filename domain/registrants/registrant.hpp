/// A registrant: a person or a household that is to have one unique ID, for ever the same. What its states are; no
/// clock, no store, no threads. No personal data but what the client puts into `data`, which is kept apart.
/// Columns after OpenG2P's res_partner and its background tasks.
#pragma once
#include "foundation/clock.hpp"
#include "foundation/error.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace matricula::registrants {

/// How far a registrant's unique ID has come.
enum class id_progress : std::uint8_t {
  none = 1,  ///< nobody has asked for one, or the task was cancelled
  requested, ///< a task sees to it
  assigned,  ///< it has one; whoever issued it has not been told yet that it is in use
  confirmed, ///< it has one that is in use
  failed,    ///< the task has FAILED; it can be tried again
};
/// none, requested, assigned, confirmed, failed; anything else is unknown.
[[nodiscard]] std::string_view to_string(id_progress p) noexcept;
[[nodiscard]] std::optional<id_progress> parse_id_progress(std::string_view word) noexcept;

struct registrant {
  static constexpr std::size_t kind_bytes_max = 64;
  static constexpr std::size_t reference_bytes_max = 128;
  static constexpr std::size_t unique_id_bytes_max = 64;
  static constexpr std::size_t data_bytes_max = std::size_t{4} << 10;

  std::uint64_t id = 0;
  std::string kind;             ///< individual, household, or another one of the settings
  std::string id_type;          ///< of its unique ID: what the kind said when it was created
  std::string generator;        ///< of its unique ID, likewise; empty: our own pools
  std::string reference;        ///< the client's own name for it; empty: none. Unique in its tenant
  std::string unique_id;        ///< empty: none yet. Once it is there it never changes
  std::uint32_t assignment = 0; ///< of the unique ID, where our own pool issued it; else 0
  id_progress progress = id_progress::none;
  std::uint64_t request_task = 0; ///< the latest; 0: none
  std::uint64_t update_task = 0;
  timestamp created_at{};
  timestamp changed_at{};
  std::string created_by; ///< the principal
  std::string tenant;

  bool operator==(const registrant&) const = default;
};

/// Whether `text` may be a unique ID: 1 to 64 of [A-Za-z0-9-].
[[nodiscard]] bool is_unique_id(std::string_view text) noexcept;

[[nodiscard]] std::string encode(const registrant& r);
/// Errors: corrupt.
[[nodiscard]] result<registrant> decode_registrant(std::string_view bytes);

// -- its tasks --------------------------------------------------------------------------------------------------------

inline constexpr std::string_view request_worker = "id_generation_request_worker";
inline constexpr std::string_view update_worker = "id_generation_update_worker";
/// Whether tasks of the type are about registrants.
[[nodiscard]] constexpr bool concerns_registrants(std::string_view worker_type) noexcept {
  return worker_type == request_worker || worker_type == update_worker;
}
/// The unique key of a registrant's tasks: "registrant:17". So there is one of each type, however often it is asked
/// for.
[[nodiscard]] std::string task_key_of(std::uint64_t registrant);
/// The registrant that such a key names.
[[nodiscard]] std::optional<std::uint64_t> registrant_of_key(std::string_view key) noexcept;
/// The payload of a registrant's tasks, as OpenG2P has it: {"registrant_id":17}.
[[nodiscard]] std::string task_payload_of(std::uint64_t registrant);

} // namespace matricula::registrants
