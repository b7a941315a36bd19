/// Every message that the cast exchanges, in one block of type ids. A comment says who sends it to whom.
/// Times are milliseconds since 1970; an absent time is 0. Texts of requests never appear in logs.
#pragma once
#include "domain/identifiers/pool.hpp"
#include "foundation/trace.hpp"
#include "runtime/reply.hpp"
#include "runtime/trace_inspect.hpp"

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/meta/type_name.hpp>
#include <caf/type_id.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace matricula::actors {

/// What every request carries: who asks, until when the answer is of use, and how to follow it.
struct request_context {
  std::string principal;
  std::int64_t deadline_ns = 0;  ///< on the monotonic clock; 0 = none
  trace_context trace;
};

struct issue_answer {
  identifiers::issued_ids issued;
  bool replayed = false;
};

/// api -> pool: hand out identifiers. The reply leaves when they are durable.
struct issue_ids {
  request_context context;
  std::uint32_t count = 1;
  std::int64_t expires_at_ms = 0;
  std::string holder;
  std::string idempotency_ref;  ///< 16 bytes, or empty: no key was sent
  std::string fingerprint;      ///< 32 bytes with a key: SHA-256 of what was asked
  runtime::reply_to<issue_answer> reply;
};

/// api -> pool: confirm, return or revoke one identifier.
struct change_id {
  request_context context;
  std::uint64_t counter = 0;
  std::uint8_t event = 0;        ///< identifiers::id_event
  std::uint32_t assignment = 0;  ///< 0 = whichever is the present one
  runtime::reply_to<identifiers::id_record> reply;
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

struct expiry_answer {
  std::uint64_t expired = 0;
  std::uint64_t released = 0;
  std::uint64_t retired = 0;
  bool operator==(const expiry_answer&) const = default;
};

/// scheduler or api -> expirer: do what is due. Replayable: doing it twice is doing it once.
struct run_expirer {
  trace_context trace;
  runtime::reply_to<expiry_answer> reply;
};

/// expirer -> pool: apply these due rows. Replayable.
struct apply_due {
  std::uint64_t run = 0;
  std::int64_t up_to_ms = 0;           ///< the expirer's idea of now
  std::int64_t at_ms = 0;              ///< the row's time
  std::uint8_t kind = 0;               ///< identifiers::due_kind
  std::string value;                   ///< the row's value as stored
  std::int64_t floor_ms = 0;           ///< every earlier row has been seen to
};

/// pool -> expirer: that row is durably done, or why not (errc; 255 = done).
struct due_applied {
  std::uint64_t run = 0;
  std::uint8_t failed = 255;
  expiry_answer done;
};

/// An actor to itself: a timer of the given generation rang.
struct tick {
  std::uint64_t generation = 0;
};

/// commit log -> an actor: its tenure, or token 0 when it was refused.
struct tenure_granted {
  std::uint8_t shard = 0;
  std::uint64_t partition = 0;
  std::uint64_t token = 0;
};

// -- how they are serialised: for dead letters, and for other nodes ----------------------------------------------------

template <class I>
typename I::result_type inspect(I& f, request_context& x) {
  return f(caf::meta::type_name("request_context"), x.principal, x.deadline_ns, x.trace);
}
template <class I>
typename I::result_type inspect(I& f, issue_ids& x) {
  return f(caf::meta::type_name("issue_ids"), x.context, x.count, x.expires_at_ms, x.holder, x.idempotency_ref, x.fingerprint, x.reply);
}
template <class I>
typename I::result_type inspect(I& f, change_id& x) {
  return f(caf::meta::type_name("change_id"), x.context, x.counter, x.event, x.assignment, x.reply);
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
  return f(caf::meta::type_name("due_applied"), x.run, x.failed, x.done);
}
template <class I>
typename I::result_type inspect(I& f, tick& x) {
  return f(caf::meta::type_name("tick"), x.generation);
}
template <class I>
typename I::result_type inspect(I& f, tenure_granted& x) {
  return f(caf::meta::type_name("tenure_granted"), x.shard, x.partition, x.token);
}

}  // namespace matricula::actors
