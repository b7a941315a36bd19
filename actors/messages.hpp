/// Every message that the cast exchanges, in one block of type ids. A comment says who sends it to whom.
/// Times are milliseconds since 1970; an absent time is 0. Texts of requests never appear in logs.
#pragma once
#include "actors/alerts/messages.hpp"
#include "actors/identifiers/vid_action.hpp"
#include "actors/request_context.hpp"
#include "actors/tasks/messages.hpp"
#include "domain/identifiers/holder.hpp"
#include "domain/identifiers/pool.hpp"
#include "foundation/trace.hpp"
#include "runtime/reply.hpp"
#include "runtime/trace_inspect.hpp"

#include <caf/meta/load_callback.hpp>
#include <caf/meta/type_name.hpp>
#include <caf/sec.hpp>
#include <caf/type_id.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace matricula::identifiers {
template <class I>
typename I::result_type inspect(I& f, candidate& x) {
  std::string text(x.id.view());
  return f(caf::meta::type_name("candidate"), x.counter, text, caf::meta::load_callback([&]() -> caf::error {
             if (text.size() > 32) return caf::sec::invalid_argument;
             x.id = id_text(text);
             return caf::none;
           }));
}
template <class I>
typename I::result_type inspect(I& f, import_row& x) {
  constexpr auto none = std::uint64_t(-1);
  const auto ms = [](std::optional<timestamp> t) { return t ? t->time_since_epoch().count() : 0; };
  auto counter = x.counter.value_or(none);
  auto state = static_cast<std::uint8_t>(x.state);
  std::int64_t issued_at = ms(x.issued_at), expires_at = ms(x.expires_at);
  return f(caf::meta::type_name("import_row"), x.id, counter, x.foreign, state, issued_at, expires_at, x.holder,
           caf::meta::load_callback([&]() -> caf::error {
             const auto time = [](std::int64_t at) {
               return at == 0 ? std::nullopt : std::optional(timestamp{milliseconds{at}});
             };
             if (state == 0 || state > static_cast<std::uint8_t>(id_state::taken) || x.id.empty() ||
                 x.id.size() > import_id_bytes_max)
               return caf::sec::invalid_argument;
             x.counter = counter == none ? std::nullopt : std::optional(counter);
             x.state = static_cast<id_state>(state);
             x.issued_at = time(issued_at);
             x.expires_at = time(expires_at);
             return caf::none;
           }));
}
} // namespace matricula::identifiers

namespace matricula::actors {

struct issue_answer {
  identifiers::issued_ids issued;
  bool replayed = false;
};

/// api -> pool: hand out identifiers. The reply leaves when they are durable.
struct issue_ids {
  trace_context trace;
  request_context context;
  std::uint32_t count = 1;
  std::int64_t expires_at_ms = 0;
  std::string holder;
  std::string idempotency_ref; ///< 16 bytes, or empty: no key was sent
  std::string fingerprint;     ///< 32 bytes with a key: SHA-256 of what was asked
  runtime::reply_to<issue_answer> reply;
};

/// api -> pool: confirm, return or revoke one identifier.
struct change_id {
  trace_context trace;
  request_context context;
  std::uint64_t counter = 0;
  std::uint8_t event = 0;       ///< identifiers::id_event
  std::uint32_t assignment = 0; ///< 0 = whichever is the present one
  runtime::reply_to<identifiers::id_record> reply;
};

struct import_answer {
  std::vector<identifiers::import_verdict> verdicts; ///< of each row
};

/// api -> pool: load identifiers that were issued elsewhere. The reply leaves when they are durable.
struct import_ids {
  trace_context trace;
  request_context context;
  std::vector<identifiers::import_row> rows; ///< at most identifiers::import_rows_max
  runtime::reply_to<import_answer> reply;
};

struct vid_answer {
  /// create: the new VID, then those that made room; use, revoke: the VID, then the fresh one that came for it;
  /// regenerate: the new one, then the old one; deactivate, reactivate: all of the holder.
  identifiers::holder of;
  bool replayed = false;
};

/// api -> pool: one of the actions. The reply leaves when its effect is durable.
struct change_vids {
  trace_context trace;
  request_context context;
  std::uint8_t action = 0;      ///< vid_action
  std::string holder;           ///< create, deactivate, reactivate
  std::string policy;           ///< create
  std::uint64_t counter = 0;    ///< use, revoke, regenerate
  std::uint32_t assignment = 0; ///< of the counter; 0 = whichever is the present one
  std::string idempotency_ref;  ///< 16 bytes, or empty; create, use, regenerate
  std::string fingerprint;
  runtime::reply_to<vid_answer> reply;
};

/// pool -> checker: the level may have changed. At most one is on its way.
struct level_changed {};

/// checker -> populator: find so many valid identifiers from a counter on.
struct refill {
  std::uint64_t order = 0;
  std::uint64_t from = 0;
  std::uint64_t count = 0;
};

/// populator -> walker: apply the rules to a range of counters.
struct walk {
  std::uint64_t order = 0;
  std::uint64_t from = 0;
  std::uint64_t to = 0;
};

/// walker -> populator: what a range holds.
struct walked {
  std::uint64_t order = 0;
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  std::vector<identifiers::candidate> found;
  std::uint64_t imports_seen = 0; ///< of the first so many imported identifiers none is among them
};

/// populator -> pool: the next range, in order.
struct propose {
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  std::vector<identifiers::candidate> found;
  std::uint64_t imports_seen = 0; ///< as the walker has it
};

/// populator -> pool -> checker: everything that the order asked for was proposed, or all is walked. By way of the
/// pool, so that the level has taken in the last proposal when the checker looks.
struct refill_done {
  std::uint64_t order = 0;
};

struct expiry_answer {
  std::uint64_t expired = 0;
  std::uint64_t released = 0;
  std::uint64_t retired = 0;
  std::uint64_t reclaimed = 0; ///< issued, never confirmed, past their lease
  bool operator==(const expiry_answer&) const = default;
};

/// scheduler or api -> expirer: do what is due. Replayable: doing it twice is doing it once.
struct run_expirer {
  static constexpr bool replayable = true;
  trace_context trace;
  runtime::reply_to<expiry_answer> reply;
};

/// expirer -> pool: apply these due rows. Replayable.
struct apply_due {
  static constexpr bool replayable = true;
  std::uint64_t run = 0;
  std::int64_t up_to_ms = 0; ///< the expirer's idea of now
  std::int64_t at_ms = 0;    ///< the row's time
  std::uint8_t kind = 0;     ///< identifiers::due_kind
  std::string value;         ///< the row's value as stored
  std::int64_t floor_ms = 0; ///< every earlier row has been seen to
};

/// pool -> expirer: that row is durably done, or not.
struct due_applied {
  std::uint64_t run = 0;
  bool durable = false;
  expiry_answer done;
  bool unreadable = false; ///< what it names does not decode: it stays, and the run goes round it
  std::int64_t at_ms = 0;  ///< of an unreadable row, with its value
  std::string value;
};

struct reclaim_answer {
  std::vector<std::string> ids;
  std::vector<std::uint32_t> assignments;
};

/// api or expirer -> pool: take these back if they are still ISSUED, under that assignment and from before that time.
struct reclaim_ids {
  static constexpr bool replayable = true;
  trace_context trace;
  request_context context;
  std::uint64_t run = 0; ///< of the expirer, which is told by due_applied; 0 = somebody waits for the reply
  std::int64_t issued_before_ms = 0;
  std::int64_t floor_ms = 0;    ///< nothing unconfirmed was issued earlier; 0 = nothing is known
  std::uint64_t floor_seen = 0; ///< the last row of the audit trail when that was seen
  std::vector<std::uint64_t> counters;
  std::vector<std::uint32_t> assignments; ///< as many
  runtime::reply_to<reclaim_answer> reply;
};

/// pool -> pool of another issuer: give me some, I lack `wanted` and have walked everything. It may be lost: whoever
/// still lacks something asks again.
struct borrow_ids {
  std::uint32_t taker = 0;
  std::uint64_t wanted = 0;
};

/// pool -> pool of another issuer: these are yours. Sent when the giver's rows are durable, and again until the taker
/// says that it has them.
struct grant_ids {
  std::uint32_t giver = 0;
  std::uint64_t number = 0; ///< counted by giver and taker
  std::string ids;          ///< identifiers::granted_id, encoded
};

/// pool -> pool of another issuer: that grant is durable here. Whoever took it before says so again.
struct grant_taken {
  std::uint32_t taker = 0;
  std::uint64_t number = 0;
};

/// Populator to checker: it was started anew, and what it was doing is lost.
struct refill_lost {};

/// Whoever has something for a worker's desk -> the worker: look at it. Carries nothing, so that one too many does
/// nothing.
struct look_at_desk {
  static constexpr bool replayable = true;
};

/// An actor to itself: a timer of the given generation rang.
struct tick {
  std::uint64_t generation = 0;
};

/// expirer -> itself: has the run come any further since?
struct lease_check {
  std::uint64_t run = 0;
  std::uint64_t progress = 0;
};

/// scheduler -> journal keeper: drop what is older than the retention.
struct trim_journals {
  static constexpr bool replayable = true;
};

/// journal keeper -> itself: a step of its run is durable, or not.
struct journal_trimmed {
  std::uint64_t run = 0;
  std::uint64_t rows = 0;
  bool more = false;
  bool failed = false;
};

/// commit log -> the incarnation that asked: its tenure, or token 0 when it was refused.
struct tenure_granted {
  std::uint64_t generation = 0;
  std::uint8_t shard = 0;
  std::uint64_t partition = 0;
  std::uint64_t token = 0;
};

inline std::size_t approximate_size(const issue_ids& m) { return sizeof(m) + m.holder.size(); }
inline std::size_t approximate_size(const change_vids& m) { return sizeof(m) + m.holder.size() + m.policy.size(); }
inline std::size_t approximate_size(const walked& m) {
  return sizeof(m) + m.found.size() * sizeof(identifiers::candidate);
}
inline std::size_t approximate_size(const propose& m) {
  return sizeof(m) + m.found.size() * sizeof(identifiers::candidate);
}
inline std::size_t approximate_size(const reclaim_ids& m) { return sizeof(m) + m.counters.size() * 12; }
inline std::size_t approximate_size(const import_ids& m) {
  return sizeof(m) + m.rows.size() * (sizeof(identifiers::import_row) + identifiers::import_id_bytes_max);
}
inline std::size_t approximate_size(const apply_due& m) { return sizeof(m) + m.value.size(); }
inline std::size_t approximate_size(const grant_ids& m) { return sizeof(m) + m.ids.size(); }

// -- how they are serialised: for dead letters, and for other nodes
// ----------------------------------------------------

template <class I>
typename I::result_type inspect(I& f, issue_ids& x) {
  return f(caf::meta::type_name("issue_ids"), x.trace, x.context, x.count, x.expires_at_ms, x.holder, x.idempotency_ref,
           x.fingerprint, x.reply);
}
template <class I>
typename I::result_type inspect(I& f, change_id& x) {
  return f(caf::meta::type_name("change_id"), x.trace, x.context, x.counter, x.event, x.assignment, x.reply);
}
template <class I>
typename I::result_type inspect(I& f, import_ids& x) {
  return f(caf::meta::type_name("import_ids"), x.trace, x.context, x.rows, x.reply);
}
template <class I>
typename I::result_type inspect(I& f, change_vids& x) {
  return f(caf::meta::type_name("change_vids"), x.trace, x.context, x.action, x.holder, x.policy, x.counter,
           x.assignment, x.idempotency_ref, x.fingerprint, x.reply);
}
template <class I>
typename I::result_type inspect(I& f, level_changed&) {
  return f(caf::meta::type_name("level_changed"));
}
template <class I>
typename I::result_type inspect(I& f, refill& x) {
  return f(caf::meta::type_name("refill"), x.order, x.from, x.count);
}
template <class I>
typename I::result_type inspect(I& f, refill_done& x) {
  return f(caf::meta::type_name("refill_done"), x.order);
}
template <class I>
typename I::result_type inspect(I& f, walk& x) {
  return f(caf::meta::type_name("walk"), x.order, x.from, x.to);
}
template <class I>
typename I::result_type inspect(I& f, walked& x) {
  return f(caf::meta::type_name("walked"), x.order, x.from, x.to, x.found, x.imports_seen);
}
template <class I>
typename I::result_type inspect(I& f, propose& x) {
  return f(caf::meta::type_name("propose"), x.from, x.to, x.found, x.imports_seen);
}
template <class I>
typename I::result_type inspect(I& f, expiry_answer& x) {
  return f(caf::meta::type_name("expiry_answer"), x.expired, x.released, x.retired, x.reclaimed);
}
template <class I>
typename I::result_type inspect(I& f, run_expirer& x) {
  return f(caf::meta::type_name("run_expirer"), x.trace, x.reply);
}
template <class I>
typename I::result_type inspect(I& f, apply_due& x) {
  return f(caf::meta::type_name("apply_due"), x.run, x.up_to_ms, x.at_ms, x.kind, x.value, x.floor_ms);
}
template <class I>
typename I::result_type inspect(I& f, due_applied& x) {
  return f(caf::meta::type_name("due_applied"), x.run, x.durable, x.done, x.unreadable, x.at_ms, x.value);
}
template <class I>
typename I::result_type inspect(I& f, reclaim_ids& x) {
  return f(caf::meta::type_name("reclaim_ids"), x.trace, x.context, x.run, x.issued_before_ms, x.floor_ms, x.floor_seen,
           x.counters, x.assignments, x.reply);
}
template <class I>
typename I::result_type inspect(I& f, refill_lost&) {
  return f(caf::meta::type_name("refill_lost"));
}
template <class I>
typename I::result_type inspect(I& f, look_at_desk&) {
  return f(caf::meta::type_name("look_at_desk"));
}
template <class I>
typename I::result_type inspect(I& f, trim_journals&) {
  return f(caf::meta::type_name("trim_journals"));
}
template <class I>
typename I::result_type inspect(I& f, journal_trimmed& x) {
  return f(caf::meta::type_name("journal_trimmed"), x.run, x.rows, x.more, x.failed);
}
template <class I>
typename I::result_type inspect(I& f, tick& x) {
  return f(caf::meta::type_name("tick"), x.generation);
}
template <class I>
typename I::result_type inspect(I& f, lease_check& x) {
  return f(caf::meta::type_name("lease_check"), x.run, x.progress);
}
template <class I>
typename I::result_type inspect(I& f, tenure_granted& x) {
  return f(caf::meta::type_name("tenure_granted"), x.generation, x.shard, x.partition, x.token);
}

template <class I>
typename I::result_type inspect(I& f, borrow_ids& x) {
  return f(caf::meta::type_name("borrow_ids"), x.taker, x.wanted);
}
template <class I>
typename I::result_type inspect(I& f, grant_ids& x) {
  return f(caf::meta::type_name("grant_ids"), x.giver, x.number, x.ids);
}
template <class I>
typename I::result_type inspect(I& f, grant_taken& x) {
  return f(caf::meta::type_name("grant_taken"), x.taker, x.number);
}

} // namespace matricula::actors

CAF_BEGIN_TYPE_ID_BLOCK(matricula, caf::first_custom_type_id)
CAF_ADD_TYPE_ID(matricula, (matricula::actors::issue_ids))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::change_id))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::level_changed))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::refill))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::refill_done))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::walk))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::walked))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::propose))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::run_expirer))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::apply_due))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::due_applied))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::refill_lost))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::tick))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::lease_check))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::tenure_granted))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::reclaim_ids))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::trim_journals))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::journal_trimmed))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::import_ids))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::borrow_ids))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::grant_ids))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::grant_taken))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::change_vids))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::enqueue_tasks))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::lease_tasks))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::renew_lease))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::end_task))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::finish_tasks))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::change_task))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::retry_failed))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::pause_queue))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::run_beat))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::create_registrants))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::request_registrant_id))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::begin_generator_call))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::note_generator_answer))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::resolve_generator_call))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::look_at_desk))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::observe_condition))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::acknowledge_alert))
CAF_ADD_TYPE_ID(matricula, (matricula::actors::notice_settled))
CAF_END_TYPE_ID_BLOCK(matricula)
