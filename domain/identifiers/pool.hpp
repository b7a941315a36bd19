/// The decisions of one identifier type: what to hand out, what a step does to an identifier, what is due.
/// Plain state and functions: no clock, no disk, no thread. Each decision gives the rows to write and has already moved
/// the counters in memory, so the caller makes sure beforehand that it may write (storage's permit).
#pragma once
#include "domain/identifiers/generator.hpp"
#include "domain/identifiers/grants.hpp"
#include "domain/identifiers/import.hpp"
#include "domain/identifiers/issuing_class.hpp"
#include "domain/identifiers/pool_policy.hpp"
#include "domain/identifiers/record.hpp"
#include "foundation/random.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace matricula::identifiers {

/// What a pool needs to know about its type.
struct pool_rules {
  lifecycle of = lifecycle::pool;
  reuse_policy reuse = reuse_policy::random;
  milliseconds cool_off{0}; ///< vid: from the end of an assignment to its release
  std::uint64_t end = 0;    ///< counters there are; of one issuer among several: its indexes
  double valid_share = 1.0; ///< share of counters that pass the rules, to weigh reuse against fresh ones
  issuing_class walks{};    ///< the counters of this pool; what it has walked and issued is measured in their indexes
};

/// Rows as the pool's own unsettled writes will leave them.
class pool_rows {
public:
  virtual ~pool_rows() = default;
  /// The record of a counter that was issued before.
  [[nodiscard]] virtual result<std::optional<id_record>> record(std::uint64_t counter) = 0;
  /// The counter at a place of the released list, 0 to released - 1.
  [[nodiscard]] virtual result<std::uint64_t> released_at(std::uint64_t slot) = 0;
  /// The counter of an imported identifier; nothing for one that was not imported.
  [[nodiscard]] virtual result<std::optional<std::uint64_t>> imported_at(std::string_view /*id*/) {
    return std::nullopt;
  }
};

/// What to write, in one batch.
struct pool_changes {
  std::vector<std::pair<std::uint64_t, id_record>> records;            ///< by counter
  std::vector<std::pair<std::uint64_t, std::uint64_t>> released_slots; ///< slot, counter
  std::vector<due_row> due_added;
  std::vector<due_row> due_removed;
  std::vector<std::pair<std::string, std::uint64_t>> imported; ///< identifier, its counter
};

struct issue_request {
  std::uint32_t count = 1;
  std::optional<timestamp> expires_at;
  std::string holder;
  std::string by;
  std::string idempotency_ref;
  bool of_policy = false; ///< the holder's row lists it
};

/// What an issue answers, in the order of handing out.
struct issued_ids {
  std::vector<std::string> ids;
  std::vector<std::uint32_t> assignments;
  timestamp issued_at;
  std::optional<timestamp> expires_at;
  bool operator==(const issued_ids&) const = default;
};
[[nodiscard]] std::string encode(const issued_ids& ids);
[[nodiscard]] result<issued_ids> decode_issued_ids(std::string_view bytes);

/// A time by which assignment number `assignment` of the record was over; nothing while it holds. For the present
/// assignment it is the end itself; for one that was handed on it may be later: when the next one that the history
/// still names was issued.
[[nodiscard]] std::optional<timestamp> over_by(const id_record& record, std::uint32_t assignment);

/// Valid identifiers found by walking the indexes [from, to).
struct pool_proposal {
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  std::vector<candidate> found; ///< ascending counters
};

class pool {
public:
  /// Of one batch, so many may be drawn from the released list: each costs two rows, and a batch has room for 2,000.
  static constexpr std::uint32_t released_draws_max = 900;

  pool(pool_rules rules, const pool_counters& stored);

  [[nodiscard]] const pool_counters& counters() const noexcept { return counters_; }
  [[nodiscard]] const pool_rules& rules() const noexcept { return rules_; }
  [[nodiscard]] pool_level level(std::uint64_t wanted = 0) const noexcept;
  /// Nothing available, everything walked, nothing cooling.
  [[nodiscard]] bool exhausted() const noexcept;
  /// Indexes below this are in memory or used: where the next proposal must start.
  [[nodiscard]] std::uint64_t held_to() const noexcept { return held_to_; }

  /// Takes a proposal that starts where the pool stands; false (and nothing happens) for any other.
  /// Walked again after a restart, an interval changes no counter. What was imported is not among `found` (the caller
  /// asks pool_rows::imported_at): it counts as filtered.
  [[nodiscard]] bool accept(pool_proposal proposal);

  struct issue_outcome {
    issued_ids answer;
    pool_changes changes;
  };
  /// Hands out `request.count` identifiers, all or none. A released one is drawn with the probability
  /// released / (released + remaining), so that every available identifier is equally likely.
  /// Errors: refilling, exhausted, invalid_argument (the request can never be met), corrupt, io.
  [[nodiscard]] result<issue_outcome> issue(const issue_request& request, timestamp now, random_source& random,
                                            pool_rows& rows);

  struct step_outcome {
    id_record record;
    bool changed = false;
    pool_changes changes;
  };
  /// confirm, give_back or revoke. Repeating what is already so changes nothing and is no error.
  /// @param assignment the assignment meant; a stale one is refused.
  /// Errors: not_found (never issued), stale_assignment, conflict, corrupt, io.
  [[nodiscard]] result<step_outcome> step(std::uint64_t counter, id_event event,
                                          std::optional<std::uint32_t> assignment, std::string_view by, timestamp now,
                                          milliseconds purge_after, pool_rows& rows);

  /// Ends an ASSIGNED identifier whose time is over, as apply_due would. One whose time is not over is left as it is.
  /// Errors: not_found (never issued), corrupt, io.
  [[nodiscard]] result<step_outcome> expire(std::uint64_t counter, std::string_view by, timestamp now,
                                            milliseconds purge_after, pool_rows& rows);

  struct due_outcome {
    pool_changes changes;
    std::uint64_t expired = 0, released = 0, retired = 0;
  };
  /// Expires, releases or retires what the due row names, skipping entries that are no longer so.
  /// @pre row.kind is expire or release, and row.at <= now
  [[nodiscard]] result<due_outcome> apply_due(const due_row& row, timestamp now, milliseconds purge_after,
                                              pool_rows& rows);

  struct reclaim_outcome {
    pool_changes changes;
    std::vector<std::string> ids; ///< taken back
    std::vector<std::uint32_t> assignments;
  };
  /// Takes back those of `entries` that are still ISSUED under that assignment, and were issued before `issued_before`.
  /// As many as fit into one batch; the rest are passed over. Errors: corrupt, io.
  [[nodiscard]] result<reclaim_outcome> reclaim(std::span<const due_entry> entries, timestamp issued_before,
                                                std::string_view by, timestamp now, milliseconds purge_after,
                                                pool_rows& rows);
  struct import_outcome {
    std::vector<import_verdict> verdicts; ///< of each row
    pool_changes changes;
  };
  /// Loads identifiers that were issued elsewhere. One that is in the pool leaves it, whether it was never issued or
  /// was and is available again; one that somebody has from here, or that was imported before, stays as it is.
  /// @pre at most import_rows_max rows, so that they fit into one batch. Errors: corrupt, io; then nothing has changed.
  [[nodiscard]] result<import_outcome> import(std::span<const import_row> rows, timestamp now, pool_rows& stored);
  /// Loads what was imported after the backup that this pool was restored from, with state, assignment and history as
  /// it was at last. What belongs to rows that the pool lacks is left out: keys of requests, lists of holders. One that
  /// was AVAILABLE is retired. @param by who retires it
  /// @pre none of them is here, and at most import_rows_max that fit into one batch
  [[nodiscard]] pool_changes take_over(std::vector<import_copy> copies, std::string_view by, timestamp now);
  // -- between the issuers of a type (grants.cpp) ---------------------------------------------------------------------
  /// Whether it has walked everything and has fewer than `count` left, in memory or (after a restart) to be found
  /// again: only another issuer could help.
  [[nodiscard]] bool lacks(std::uint64_t count) const noexcept {
    return counters_.walked_to >= rules_.end && count > counters_.available();
  }
  struct grant_outcome {
    std::vector<granted_id> ids; ///< empty when there is nothing to give now
    pool_changes changes;
  };
  /// Gives available identifiers to issuer `taker`: at least `wanted` or half of what there is, as far as they go and
  /// fit into one grant; those never issued first, then released ones of random places. Their records stay, as GRANTED.
  /// Errors: corrupt, io; then nothing has changed.
  [[nodiscard]] result<grant_outcome> grant(std::uint32_t taker, std::uint64_t wanted, random_source& random,
                                            pool_rows& rows);
  /// Takes what another issuer gave, into the released list. Once only: the caller knows grants by their numbers.
  /// Errors: conflict (it has one of them already), corrupt, io; then nothing has changed.
  [[nodiscard]] result<pool_changes> take(std::span<const granted_id> ids, pool_rows& rows);
  /// The taker has so many identifiers that were on their way.
  void grant_arrived(std::uint64_t ids);

  /// No due row is earlier than `floor` any more. Never moves back.
  void raise_due_floor(timestamp floor) noexcept {
    if (floor > counters_.due_floor) counters_.due_floor = floor;
  }

private:
  void end_assignment(std::uint64_t counter, id_record& record, id_state to, timestamp ended_at, timestamp now,
                      std::string_view by, milliseconds purge_after, pool_changes& changes);
  void purge_later(const id_record& record, timestamp now, milliseconds purge_after, pool_changes& changes);
  void push_released(std::uint64_t counter, pool_changes& changes);
  /// After a restore it is not known whether a borrowed one was in the backup: then none is.
  [[nodiscard]] bool may_be_reused(std::uint64_t counter, const id_record& record) const noexcept {
    const auto& walks = rules_.walks;
    if (record.foreign) return false;
    if (is_import_slot(counter) && walks.holds(counter))
      return import_number(walks, counter) >= counters_.imported_reuse_from;
    return counters_.reuse_from == 0 || (walks.holds(counter) && walks.index(counter) >= counters_.reuse_from);
  }
  struct judged_import {
    import_verdict verdict = import_verdict::accepted;
    std::optional<id_record> released; ///< of one that was issued here and is available again
  };
  [[nodiscard]] result<judged_import> judge_import(const import_row& row, pool_rows& stored) const;
  /// What leaves the released list: found places, and what moves into the gaps.
  struct released_leaving {
    std::vector<std::uint64_t> counters; ///< ascending
    std::vector<std::pair<std::uint64_t, std::uint64_t>> moved;
  };
  /// @param wanted ascending counters; as many of them as are found leave
  [[nodiscard]] result<released_leaving> find_released(std::span<const std::uint64_t> wanted, pool_rows& stored);
  void take_in(const import_row& row, std::optional<id_record> released, timestamp now, pool_changes& changes);
  void give_slot(std::optional<std::uint64_t> own_counter, id_record record, timestamp now, pool_changes& changes);
  /// Counts it, and says when it is due.
  void load(std::uint64_t counter, id_record record, timestamp now, pool_changes& changes);

  pool_rules rules_;
  pool_counters counters_;
  std::uint64_t held_to_;
  std::deque<candidate> fresh_;
  std::uint64_t released_looked_to_ = 0; ///< where the last search in the released list ended
};

} // namespace matricula::identifiers
