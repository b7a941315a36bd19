/// What is kept of an identifier that was ever issued, and of its type's pool; their bytes in the store.
#pragma once
#include "domain/identifiers/lifecycle.hpp"
#include "foundation/clock.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::identifiers {

/// Counters from here on are slots: numbers of identifiers that were issued elsewhere and loaded (import.hpp). They do
/// not depend on the permutation, whose own counters all lie below.
inline constexpr std::uint64_t import_base = std::uint64_t{1} << 63;
[[nodiscard]] constexpr bool is_import_slot(std::uint64_t counter) noexcept { return counter >= import_base; }

/// One step in an identifier's life.
struct history_event {
  timestamp at;
  id_state from = id_state::available;
  id_state to = id_state::available;
  std::string by; ///< the principal, or "expirer"
  bool operator==(const history_event&) const = default;
};

/// How many steps a record has taken since it was stored; no part of its value.
struct steps_taken {
  std::uint32_t count = 0;
  bool operator==(const steps_taken&) const noexcept { return true; }
};

/// An identifier that was issued at least once. One that never was has no record: it is AVAILABLE.
struct id_record {
  /// Events kept; of a longer history the first and the latest ones remain.
  static constexpr std::size_t history_max = 32;
  static constexpr std::size_t bytes_max = 2'600; ///< in the store, when holder and principals have 64 bytes each

  std::string id; ///< the whole identifier, so that a lost key costs no records
  id_state state = id_state::available;
  std::uint32_t assignment = 0;        ///< 1 for the first issue, then counted up
  std::optional<timestamp> expires_at; ///< vid: when it ends; none = perpetual
  std::optional<timestamp> ended_at;   ///< vid: when it ended; its cool-off counts from here
  std::string holder;                  ///< whoever it was issued to, if the caller said so
  std::string idempotency_ref;         ///< 16 bytes, or empty: the idempotency record that answers with it
  std::uint64_t history_dropped = 0;   ///< events no longer kept
  bool foreign = false;                ///< imported and breaks its type's rules: never handed out again once it ends
  std::uint32_t granted_to = 0;        ///< GRANTED: the issuer that it was given to; everything else is as it was then
  std::vector<history_event> history;
  std::uint64_t journal_seq = 0; ///< of the latest row of the audit trail that names it; 0 = none
  steps_taken unrecorded;        ///< the latest events of the history that no row of the audit trail names yet
  bool of_policy = false;        ///< vid: made by a policy for its holder, whose row lists it (holder.hpp)

  /// Moves to `to`, noting it in the history.
  void advance(timestamp at, id_state to, std::string_view by);
  /// When the present assignment began; nothing while AVAILABLE for the first time.
  [[nodiscard]] std::optional<timestamp> issued_at() const noexcept;
  /// Bytes that it takes in a write, at most.
  [[nodiscard]] std::size_t size_estimate() const noexcept;
  bool operator==(const id_record&) const = default;
};

[[nodiscard]] std::string encode(const id_record& record);
[[nodiscard]] result<id_record> decode_id_record(std::string_view bytes);

/// The numbers of one type's pool. They change in the same batch as the rows they count.
struct pool_counters {
  static constexpr std::uint64_t no_import_is_reused = UINT64_MAX;

  std::uint64_t issued_to = 0; ///< every counter below was issued, filtered or granted away (by issuer: every index)
  std::uint64_t walked_to = 0; ///< every counter below was looked at by the rules (by issuer: every index)
  std::uint64_t filtered = 0;  ///< walked and refused by the rules
  std::uint64_t fresh = 0;     ///< walked, valid, never issued: those in [issued_to, walked_to)
  std::uint64_t released = 0;  ///< issued before, available again
  std::uint64_t issued = 0;    ///< ISSUED or TAKEN
  std::uint64_t assigned = 0;
  std::uint64_t cooling = 0; ///< EXPIRED
  std::uint64_t retired = 0;
  std::uint64_t granted = 0;      ///< given to another issuer and not come back, or passed over after a restore
  std::uint64_t issues_total = 0; ///< assignments ever made
  timestamp due_floor{};          ///< no due row of this type is earlier
  /// Identifiers of lower counters are never handed out again once they end: they were in a backup that was restored,
  /// and may have been released and given to somebody else after it was made.
  std::uint64_t reuse_from = 0;
  std::uint64_t imported = 0;         ///< identifiers loaded from elsewhere: the next free slot
  std::uint64_t imported_foreign = 0; ///< of them, those that break the rules and so are none of the capacity
  /// As reuse_from, of the numbers of slots. After a restore it lies above all that there ever will be: an identifier
  /// that is imported again may have been released and given to somebody else before the store was lost.
  std::uint64_t imported_reuse_from = 0;
  std::uint64_t borrowed = 0;   ///< identifiers of other issuers' counters that have a record here
  std::uint64_t in_transit = 0; ///< of `granted`: those of which the taker has not said yet that it has them
  std::uint64_t handovers = 0;  ///< grants ever given or taken: two looks at the same number saw nothing change hands

  [[nodiscard]] std::uint64_t available() const noexcept { return fresh + released; }
  /// walked + imported + borrowed = filtered + available + issued + assigned + cooling + retired + granted. An imported
  /// identifier stands in the number of its state; its own counter, once walked, is one of the filtered.
  [[nodiscard]] bool balanced() const noexcept {
    return walked_to + imported + borrowed == filtered + available() + issued + assigned + cooling + retired + granted;
  }
  /// Imported identifiers that the type could have generated.
  [[nodiscard]] std::uint64_t imported_valid() const noexcept { return imported - imported_foreign; }
  /// Valid identifiers that are in somebody's hands, cooling off or gone: the used part of the capacity.
  [[nodiscard]] std::uint64_t used() const noexcept { return issued + assigned + cooling + retired - imported_foreign; }
  /// Adds `delta` to the number that counts `state`. @pre the number does not fall below 0
  void count(id_state state, std::int64_t delta) noexcept;
  bool operator==(const pool_counters&) const = default;
};

[[nodiscard]] std::string encode(const pool_counters& counters);
[[nodiscard]] result<pool_counters> decode_pool_counters(std::string_view bytes);

/// Something that must happen to identifiers at a time. Carries all that the action needs.
enum class due_kind : std::uint8_t { expire = 1, release = 2, purge = 3 };

struct due_entry {
  std::uint64_t counter = 0;
  std::uint32_t assignment = 0;
  bool operator==(const due_entry&) const = default;
};

/// Its key is its time, kind and first entry (purge: its reference).
struct due_row {
  static constexpr std::size_t entries_max = 1'000;

  timestamp at;
  due_kind kind = due_kind::expire;
  std::vector<due_entry> entries; ///< expire, release: 1 to 1,000, ascending counters
  std::string idempotency_ref;    ///< purge: 16 bytes
  bool operator==(const due_row&) const = default;
};

[[nodiscard]] std::string encode_due_value(const due_row& row);
[[nodiscard]] result<due_row> decode_due_value(timestamp at, due_kind kind, std::string_view bytes);

} // namespace matricula::identifiers
