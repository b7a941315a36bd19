/// What the outside knows of a node: every request that was sent, every answer that was acknowledged, and what must
/// therefore be true. It is told of each answer when it arrives, and compares the store with what it knows.
#pragma once
#include "actors/messages.hpp"
#include "domain/identifiers/record.hpp"
#include "test/sim/findings.hpp"
#include "test/sim/sim_types.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace matricula::sim {

/// One request for identifiers. `payload` is a name that no other request has, unless it is a repetition under the same
/// key; it is also the holder, so that a record tells which request made it.
struct issue_call {
  std::size_t type = 0;
  std::uint32_t count = 1;
  std::optional<timestamp> expires_at;
  std::string payload;
  std::string key; ///< empty: none
  timestamp sent_at;
  std::int64_t deadline_ns = 0;
  std::uint64_t number = 0; ///< in the order of what the model was told
  timestamp not_before{};   ///< the latest time that was acknowledged when it was sent
  std::uint32_t issuer = 0; ///< that is asked when there is no key
};

struct change_call {
  std::size_t type = 0;
  std::string id;
  identifiers::id_event event{};
  std::uint32_t assignment = 0;
  timestamp sent_at;
  std::int64_t deadline_ns = 0;
};

struct expiry_call {
  std::size_t type = 0;
  timestamp sent_at;
  std::uint64_t number = 0; ///< acknowledged answers when it was sent
  std::uint64_t hold = 0;   ///< which distrust of the clock it was sent in; 0: none
  std::uint32_t issuer = 0; ///< whose expirer it is
};

/// The 16 and 32 bytes that stand for a key and a request.
[[nodiscard]] std::string key_reference(const std::string& key);
[[nodiscard]] std::string payload_fingerprint(const std::string& payload);

/// The rows of one issuer of a type, or of all of them, as they are in the store.
struct stored_rows {
  std::map<std::string, identifiers::id_record> records;  ///< by identifier
  std::map<std::string, identifiers::id_record> imported; ///< likewise; they were issued elsewhere
};

/// Whether the present assignment was not made here: an identifier that lay in the pool was imported.
[[nodiscard]] bool assigned_by_import(const identifiers::id_record& record);

class model {
public:
  struct target {
    std::string id;
    std::uint32_t assignment = 0;
  };

  explicit model(findings& found) : found_(found), types_(sim_types().size()) {}

  void sent(const issue_call& call);
  void sent(const change_call& call);
  /// @param now_ns the monotonic time; @param storage_failed whether the disk has failed in this life
  void answered(const issue_call& call, const result<actors::issue_answer>& answer, timestamp now, std::int64_t now_ns,
                bool storage_failed);
  void answered(const change_call& call, const result<identifiers::id_record>& answer, timestamp now,
                std::int64_t now_ns, bool storage_failed);
  /// Whether a VID that was acknowledged before the call and was due when it was made is still ASSIGNED; whether it ran
  /// though the clock has been suspect all the time. @param hold the present distrust of the clock
  void answered(const expiry_call& call, const result<actors::expiry_answer>& answer, const stored_rows& rows,
                std::uint64_t hold);

  /// One identifier less may be left for issuing.
  void may_be_imported(std::size_t type) { ++types_[type].imported_count; }

  /// Compares one durable record with what was acknowledged.
  void check(std::size_t type, const std::string& id, const std::optional<identifiers::id_record>& record,
             timestamp now);
  /// After a restart: compares every record, then takes over what the store decided about unanswered requests.
  void recovered(std::size_t type, const stored_rows& rows, timestamp now);
  /// Compares the durable answer of a key with what was acknowledged, at any time.
  void check_key(const std::string& key, const std::optional<std::pair<std::string, identifiers::issued_ids>>& row,
                 timestamp now);
  /// After a restart, likewise for the answer that a key has in the store: the payload it names and the identifiers.
  void recovered_key(const std::string& key, const std::optional<std::pair<std::string, identifiers::issued_ids>>& row,
                     timestamp now);
  /// Nothing that was sent before is on its way any more.
  void forget_requests();
  /// The node was restored: this is what was known when the backup was made. What was acknowledged since is forgotten,
  /// but never issued to anybody again.
  void restored_after(const model& later);

  [[nodiscard]] std::uint64_t acknowledged() const noexcept { return acknowledged_; }
  /// The latest time that any answer carried: it is durable, and no decision may use an earlier one.
  [[nodiscard]] timestamp newest_time() const noexcept { return newest_; }
  [[nodiscard]] std::uint64_t next_number() noexcept { return ++told_; }
  [[nodiscard]] const std::vector<target>& targets(std::size_t type) const { return types_[type].targets; }
  [[nodiscard]] std::vector<std::string> keys(std::size_t type) const;
  /// A moment soon after `now` at which something becomes due.
  [[nodiscard]] std::optional<timestamp> next_due(timestamp now);
  /// Types and identifiers whose expiry comes within a few milliseconds.
  [[nodiscard]] std::vector<std::pair<std::size_t, std::string>> about_to_expire(timestamp now) const;

private:
  /// One assignment of an identifier to somebody.
  struct assignment {
    bool acknowledged = false;
    std::string payload;
    std::optional<timestamp> expires_at;
    timestamp issued_at;
    std::uint64_t number = 0; ///< of the acknowledged answer
    bool confirmed = false;
    bool ended = false;                ///< returned, revoked or expired, for certain
    std::uint64_t known_ended = 0;     ///< when that was learned, in the order of what the model was told
    std::optional<timestamp> ended_at; ///< if known
    int confirms_open = 0;             ///< sent, and not refused
    int ends_open = 0;
    std::optional<timestamp> first_end; ///< when the first of them was sent
  };
  struct identifier {
    std::map<std::uint32_t, assignment> assignments;
    int confirms_open = 0; ///< without an assignment number
    int ends_open = 0;
    std::optional<timestamp> first_end;
  };
  struct payload_state {
    std::size_t type = 0;
    std::uint32_t count = 1;
    std::optional<timestamp> expires_at;
    std::string key;
    int open = 0; ///< requests sent, and not refused
    std::optional<identifiers::issued_ids> answer;
  };
  struct key_state {
    std::size_t type = 0;
    std::vector<std::string> payloads;
    std::string answered_payload;
    std::optional<identifiers::issued_ids> answer;
  };
  struct type_state {
    std::map<std::string, identifier> ids;
    std::vector<target> targets;
    std::uint64_t imported_count = 0; ///< at most
    std::uint64_t open_count = 0;     ///< identifiers asked for by requests that may have been done
    std::set<std::string> lost;       ///< issued between a backup and the restore from it
    bool restored = false;            ///< some were passed over, and what may not be reused is retired
  };

  void learn(const issue_call& call, const identifiers::issued_ids& answer, timestamp now);
  void learn_key(const issue_call& call, const identifiers::issued_ids& answer, timestamp now);
  void refused(const issue_call& call, const error& why, timestamp now, std::int64_t now_ns, bool storage_failed);
  void undo(const change_call& call);
  /// @param earliest when it can have ended, if that is known
  void note_end(assignment& a, std::optional<timestamp> earliest) {
    if (!a.ended) {
      a.known_ended = next_number();
      if (earliest) a.first_end = earliest;
    }
    a.ended = true;
  }
  /// The earliest moment at which the assignment can have ended by `now`; nothing when it cannot have.
  [[nodiscard]] std::optional<timestamp> earliest_end(std::size_t type, const identifier& of, const assignment& a,
                                                      timestamp now) const;
  [[nodiscard]] bool may_have_ended(std::size_t type, const std::string& id, std::uint32_t number, timestamp now) const;
  [[nodiscard]] bool may_be_purged(std::size_t type, const identifiers::issued_ids& answer, timestamp now) const;
  void check_state(std::size_t type, const identifier& of, assignment& a, const identifiers::id_record& record,
                   timestamp now);
  [[nodiscard]] int open_requests(const key_state& key) const;
  void check_unanswered(std::size_t type, const identifiers::id_record& record, timestamp now);
  [[nodiscard]] std::string name(std::size_t type, const std::string& id, std::uint32_t number) const;

  findings& found_;
  std::vector<type_state> types_;
  std::map<std::string, payload_state> payloads_;
  std::map<std::string, key_state> keys_;
  std::set<timestamp> moments_; ///< when something becomes due
  std::set<std::tuple<timestamp, std::size_t, std::string>> expiries_;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t told_ = 0;
  timestamp newest_{};
};

} // namespace matricula::sim
