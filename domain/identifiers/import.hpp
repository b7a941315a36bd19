/// Identifiers that were issued elsewhere: what is loaded of one, and what became of it.
///
/// Each gets a slot, a counter of its own from import_base upwards, under which its record is kept like any other, so
/// that whatever may happen to an identifier may happen to it too. The generator never hands out what was imported.
#pragma once
#include "domain/identifiers/issuing_class.hpp"
#include "domain/identifiers/record.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace matricula::identifiers {

/// Rows of one batch: each takes a record, a place in an index or out of the released list and, when it ends some day,
/// a due row of its own; an engine takes 2,000 operations.
inline constexpr std::size_t import_rows_max = 500;
/// Of one batch, bytes of the histories that released identifiers bring along; further ones come with the next import.
inline constexpr std::size_t import_released_bytes_max = std::size_t{48} * 1024;
/// Places of the released list that one import looks at, about a quarter of a second: nothing tells where in it an
/// identifier stands. The next import goes on where this one ended.
inline constexpr std::uint64_t import_released_looks_max = 100'000;
/// Identifiers of older rules may be longer than ours.
inline constexpr std::size_t import_id_bytes_max = 64;
/// Who did what happened before: it stands in the history.
inline constexpr std::string_view import_name = "import";

/// The counter of an issuer's imported identifier number `n`, from 0 on: one of its own class.
[[nodiscard]] constexpr std::uint64_t import_slot(const issuing_class& of, std::uint64_t n) noexcept {
  return of.counter(of.indexes(import_base) + n);
}
/// The other way round. @pre the counter is an import slot of that class
[[nodiscard]] constexpr std::uint64_t import_number(const issuing_class& of, std::uint64_t counter) noexcept {
  return of.index(counter) - of.indexes(import_base);
}

struct import_row {
  std::string id; ///< 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'
  /// Where the type's permutation has it; nothing when it never would come to it.
  std::optional<std::uint64_t> counter;
  bool foreign = false;               ///< breaks the type's rules
  id_state state = id_state::taken;   ///< one of the lifecycle's, never available
  std::optional<timestamp> issued_at; ///< none: now
  std::optional<timestamp> expires_at;
  std::string holder; ///< at most 64 bytes
  bool operator==(const import_row&) const = default;
};

/// An imported identifier as the store has it that a restored one was a backup of.
struct import_copy {
  id_record record;
  std::optional<std::uint64_t> counter; ///< as of a row
};

enum class import_verdict : std::uint8_t {
  accepted,  ///< loaded
  duplicate, ///< was loaded before: nothing to do
  changed,   ///< was loaded before, with another state, expiry or holder: it stays as it is
  conflict,  ///< was issued here: it stays as it is
  in_pool,   ///< lies among the released ones, and was not found or had no room in this write: not loaded, repeat it
  elsewhere, ///< was given to another issuer of the type: not loaded here, ask that one
};

} // namespace matricula::identifiers
