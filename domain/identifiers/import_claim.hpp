/// What somebody says about an identifier that was issued elsewhere, and whether it may be loaded into a type.
#pragma once
#include "domain/identifiers/import.hpp"
#include "domain/identifiers/type.hpp"

#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace matricula::identifiers {

/// As it stands in a line; only the identifier must be there.
struct import_claim {
  std::string id;
  std::string state; ///< empty: what an identifier in use is in
  std::optional<timestamp> issued_at;
  std::optional<timestamp> expires_at;
  std::string holder; ///< at most 64 bytes
};

/// Why a line is not loaded.
struct import_refusal {
  std::string_view code; ///< stable: malformed_id, breaks_rules, unknown_state, not_in_use, does_not_expire, wrong_time
  std::string message;   ///< a sentence that says what to do
};

/// The row to load. An identifier that breaks the type's rules may be loaded with `accept_foreign`, because it may come
/// from older rules. @param now times of the past must not lie after it
[[nodiscard]] std::expected<import_row, import_refusal> judge(const id_type& type, import_claim claim,
                                                              bool accept_foreign, timestamp now);

/// The states that an identifier of the lifecycle may be loaded in; the first one is meant when none is given.
[[nodiscard]] std::string_view importable_states(lifecycle of) noexcept;

} // namespace matricula::identifiers
