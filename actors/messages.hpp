/// Every message that the cast exchanges, in one block of type ids. A comment says who sends it to whom.
/// Times are milliseconds since 1970; an absent time is 0. Texts of requests never appear in logs.
#pragma once
#include "actors/identifiers/vid_action.hpp"
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
} // namespace matricula::identifiers

namespace matricula::actors {

/// What every request carries: who asks, until when the answer is of use, and how to follow it.
struct request_context {
  std::string principal;        ///< 1 to 64 bytes; kept in the history
  std::int64_t deadline_ns = 0; ///< on the monotonic clock; 0 = none
};

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
};

/// populator -> pool: the next range, in order.
struct propose {
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  std::vector<identifiers::candidate> found;
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

/// Populator to checker: it was started anew, and what it was doing is lost.
struct refill_lost {};

/// An actor to itself: a timer of the given generation rang.
struct tick {
  std::uint64_t generation = 0;
};

/// expirer -> itself: has the run come any further since?
struct lease_check {
  std::uint64_t run = 0;
  std::uint64_t progress = 0;
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
inline std::size_t approximate_size(const apply_due& m) { return sizeof(m) + m.value.size(); }

// -- how they are serialised: for dead letters, and for other nodes
// ----------------------------------------------------

template <class I>
typename I::result_type inspect(I& f, request_context& x) {
  return f(caf::meta::type_name("request_context"), x.principal, x.deadline_ns);
}
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
  return f(caf::meta::type_name("walked"), x.order, x.from, x.to, x.found);
}
template <class I>
typename I::result_type inspect(I& f, propose& x) {
  return f(caf::meta::type_name("propose"), x.from, x.to, x.found);
}
template <class I>
typename I::result_type inspect(I& f, expiry_answer& x) {
  return f(caf::meta::type_name("expiry_answer"), x.expired, x.released, x.retired);
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
typename I::result_type inspect(I& f, refill_lost&) {
  return f(caf::meta::type_name("refill_lost"));
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
CAF_ADD_TYPE_ID(matricula, (matricula::actors::change_vids))
CAF_END_TYPE_ID_BLOCK(matricula)
