/// What is said to the queue of tasks about registrants: it writes them together with their tasks.
#pragma once
#include "actors/registrants/new_registrant.hpp"
#include "actors/request_context.hpp"
#include "foundation/trace.hpp"
#include "runtime/reply.hpp"
#include "runtime/trace_inspect.hpp"

#include <caf/meta/type_name.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace matricula::actors {

/// api -> queue: all of them with their tasks, but for those that are there already, or none.
struct create_registrants {
  trace_context trace;
  request_context context;
  std::vector<new_registrant> registrants; ///< at most created_registrants_max
  std::string idempotency_ref;             ///< 16 bytes, or empty: no key was sent. Only with one registrant
  std::string fingerprint;                 ///< 32 bytes with a key
  runtime::reply_to<std::vector<created_registrant>> reply;
};

/// api -> queue: this registrant is to get its ID, if it has none: its task is queued, or tried again.
struct request_registrant_id {
  trace_context trace;
  request_context context;
  std::uint64_t id = 0;
  runtime::reply_to<registrants::registrant> reply;
};

/// A worker -> queue: I am about to call a generator for the task that I have leased. Call when you have the answer.
struct begin_generator_call {
  trace_context trace;
  request_context context;
  std::uint64_t task = 0;
  std::uint64_t token = 0;
  std::string generator;
  runtime::reply_to<call_permit> reply;
};

/// A worker -> queue: my lease was over before I could say what the call got.
struct note_generator_answer {
  static constexpr bool replayable = true;
  trace_context trace;
  request_context context;
  std::uint64_t call = 0;
  std::string unique_id; ///< empty: it surely got nothing
  runtime::reply_to<bool> reply;
};

/// api -> queue: an operator has found out what a call in doubt did.
struct resolve_generator_call {
  trace_context trace;
  request_context context;
  std::uint64_t call = 0;
  std::string unique_id; ///< what it got; empty: nothing
  std::string note;
  runtime::reply_to<registrants::generator_call> reply;
};

inline std::size_t approximate_size(const create_registrants& m) {
  std::size_t bytes = sizeof(m);
  for (const auto& r : m.registrants) bytes += sizeof(r) + r.reference.size() + r.data.size();
  return bytes;
}

template <class I>
typename I::result_type inspect(I& f, new_registrant& x) {
  return f(caf::meta::type_name("new_registrant"), x.kind, x.id_type, x.reference, x.data, x.generator);
}
template <class I>
typename I::result_type inspect(I& f, registrant_effect& x) {
  return f(caf::meta::type_name("registrant_effect"), x.unique_id, x.assignment, x.call, x.call_in_doubt);
}
template <class I>
typename I::result_type inspect(I& f, create_registrants& x) {
  return f(caf::meta::type_name("create_registrants"), x.trace, x.context, x.registrants, x.idempotency_ref,
           x.fingerprint, x.reply);
}
template <class I>
typename I::result_type inspect(I& f, request_registrant_id& x) {
  return f(caf::meta::type_name("request_registrant_id"), x.trace, x.context, x.id, x.reply);
}
template <class I>
typename I::result_type inspect(I& f, begin_generator_call& x) {
  return f(caf::meta::type_name("begin_generator_call"), x.trace, x.context, x.task, x.token, x.generator, x.reply);
}
template <class I>
typename I::result_type inspect(I& f, note_generator_answer& x) {
  return f(caf::meta::type_name("note_generator_answer"), x.trace, x.context, x.call, x.unique_id, x.reply);
}
template <class I>
typename I::result_type inspect(I& f, resolve_generator_call& x) {
  return f(caf::meta::type_name("resolve_generator_call"), x.trace, x.context, x.call, x.unique_id, x.note, x.reply);
}

} // namespace matricula::actors
