// One task of a bridge: begun in one transaction, the call outside of any, its outcome stored in further ones.
#include "connectors/postgres/bridge.hpp"
#include "connectors/postgres/payload.hpp"
#include "foundation/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace matricula::connectors::postgres {

using registrants::call_outcome;
using registrants::generator_answer;

namespace {

constexpr std::size_t identifier_bytes_max = 256;
constexpr std::uint32_t refusals_max = 10;
constexpr std::string_view first_by_another = "Another worker gave the registrant an identifier first.";

std::string no_registrant(std::int64_t number) { return fmt::format("There is no registrant {}.", number); }

/// What a failed try leaves in the task, from what the generator said.
std::string text_of(const generator_answer& a) { return a.error.empty() ? "The generator gave no reason." : a.error; }

} // namespace

void bridge::work_one(const claim& c) {
  auto begun = begin(c);
  if (!begun) {
    statement_failed(c, begun.error());
    return;
  }
  if (!*begun) return;
  auto& t = **begun;
  pass(c.what == task_step::request ? bridge_moment::before_call : bridge_moment::before_update);
  t.answer = call(t);
  pass(c.what == task_step::request ? bridge_moment::after_call : bridge_moment::after_update);
  unfinished_ = std::move(t);
  settle();
}

generator_answer bridge::call(const ticket& t) {
  if (t.of.what == task_step::update) return generator_.confirm(t.identifier);
  // Who knows requests again gives another identifier only to another request.
  auto answer = generator_.issue(t.collisions == 0 ? fmt::format("g2p:{}", t.registrant)
                                                   : fmt::format("g2p:{}/{}", t.registrant, t.collisions + 1));
  if (answer.outcome == call_outcome::done && (answer.id.empty() || answer.id.size() > identifier_bytes_max)) {
    answer.outcome = call_outcome::unknown;
    answer.error = "The generator's answer holds no identifier of 1 to 256 bytes.";
    answer.id.clear();
  }
  return answer;
}

/// Stores the outcome of a call. While that fails, it is kept and tried again: the answer is worth an identifier. What
/// is worth none does not keep the bridge from its other tasks for ever.
void bridge::settle() {
  auto& t = *unfinished_;
  auto done = finish(t);
  if (!done && done.error().what != failure::lost) {
    log::warning("bridge.answer_not_stored", done.error().message,
                 {{"bridge", options_.name}, {"task", t.of.task}, {"sqlstate", done.error().state}});
    note([](bridge_report& r) { ++r.did.statements_refused; });
    const bool holds_identifier =
        t.of.what == task_step::request && t.answer->outcome == call_outcome::done && !t.stored;
    if (done.error().what == failure::locked || holds_identifier || ++refusals_ < refusals_max) return;
    done = give_up(t);
    if (!done && done.error().what != failure::lost) return;
  }
  if (!done) return drop_connection(done.error());
  unfinished_.reset();
  refusals_ = 0;
}

/// What becomes of the task cannot be written, so it comes again, as late as any.
sql_result<void> bridge::give_up(const ticket& t) {
  auto tx = transaction::begin(*connection_);
  if (!tx) return std::unexpected(tx.error());
  if (t.of.what == task_step::request && !t.stored)
    if (auto ended = end_call(t); !ended) return std::unexpected(ended.error());
  auto counted = connection_->run("UPDATE matricula.bridge_try SET tries = tries + 1 WHERE task_table = $1 AND step = "
                                  "$2 AND task_id = $3::bigint AND owner = $4",
                                  table_->name(), to_string(t.of.what), t.of.task, options_.owner);
  if (!counted) return std::unexpected(counted.error());
  if (auto later = postpone(t.of, std::max(refused_pause, options_.retry.backoff_max), true); !later) return later;
  return tx->commit();
}

/// A task could not be begun: nothing was called, nothing is counted.
void bridge::statement_failed(const claim& c, const sql_error& e) {
  if (e.what == failure::lost) return drop_connection(e);
  if (e.what != failure::locked) {
    log::error("bridge.statement_refused", e.message,
               {{"bridge", options_.name}, {"task", c.task}, {"sqlstate", e.state}});
    note([](bridge_report& r) { ++r.did.statements_refused; });
  }
  if (auto later = postpone(c, e.what == failure::locked ? busy_pause : refused_pause, false); !later)
    drop_connection(later.error());
}

sql_result<std::optional<bridge::ticket>> bridge::begin(const claim& c) {
  auto tx = transaction::begin(*connection_);
  if (!tx) return std::unexpected(tx.error());
  const auto own = lock_own(c);
  if (!own) return std::unexpected(own.error());
  if (!*own) return std::nullopt; // its time was over, another has it
  const auto task = lock_task(c);
  if (!task) return std::unexpected(task.error());
  if (!*task || !(**task).pending) {
    // Somebody else has finished or removed it since it was claimed.
    saw_others(c);
    return no_call(*tx, forget(c));
  }
  if ((**task).attempts != (**own).attempts_seen) saw_others(c);
  const auto subject = (**task).subject ? std::optional<std::string_view>(*(**task).subject) : std::nullopt;
  const auto registrant =
      table_->kind() == table_kind::background_task ? registrant_of_payload(subject) : registrant_of_text(subject);
  if (!registrant) return no_call(*tx, fail_try(c, true, registrant.error(), std::nullopt));
  auto last = book().lock(*registrant);
  if (!last) return std::unexpected(last.error());
  const auto found = connection_->run(table_->read_registrant, *registrant);
  if (!found) return std::unexpected(found.error());
  const beginning b{c,
                    **own,
                    (**task).attempts,
                    *registrant,
                    std::move(*last),
                    found->empty() ? std::nullopt : std::optional(found->text(0, 0))};
  return c.what == task_step::request ? begin_request(*tx, b) : begin_update(*tx, b);
}

/// Another thing was done instead: it holds.
sql_result<std::optional<bridge::ticket>> bridge::no_call(transaction& tx, sql_result<void> done) {
  if (done) done = tx.commit();
  if (!done) return std::unexpected(done.error());
  return std::nullopt;
}

sql_result<std::optional<bridge::ticket>> bridge::note_call(transaction& tx, const beginning& b, ticket t) {
  if (auto started = start_try(b.of, b.own, b.attempts); !started) return std::unexpected(started.error());
  maybe_begun_ = t;
  if (auto done = tx.commit(); !done) return std::unexpected(done.error());
  maybe_begun_.reset();
  return t;
}

sql_result<std::optional<bridge::ticket>> bridge::begin_request(transaction& tx, const beginning& b) {
  auto calls = book();
  auto state = b.last.state;
  if (b.last.live) return no_call(tx, postpone(b.of, busy_pause, false)); // one call at a time for a registrant
  if (state == call_state::calling) {
    // The bridge that called is gone, and with it the answer. A generator that knows the request gives it again.
    if (!generator_.knows_requests() || b.last.generator != options_.generator) {
      if (auto listed = calls.doubt_last(b.registrant, ended_during_call); !listed)
        return std::unexpected(listed.error());
      list_in_log(b.of, ended_during_call);
    }
    state = call_state::ended;
  }
  const bool has_answer = state == call_state::answered || state == call_state::applied;
  if (has_answer && (!b.identifier || b.identifier->empty() || *b.identifier == b.last.identifier)) {
    // Of a life before: the answer is there and was not used, or the registrant's identifier went away. It gets the
    // same.
    if (auto done = tx.commit(); !done) return std::unexpected(done.error());
    if (auto done = apply(b.of, b.registrant); !done) return std::unexpected(done.error());
    return std::nullopt;
  }
  if (!b.identifier) return no_call(tx, fail_try(b.of, true, no_registrant(b.registrant), std::nullopt));
  if (!b.identifier->empty()) {
    if (state == call_state::answered) {
      if (auto listed = calls.doubt_last(b.registrant, first_by_another); !listed)
        return std::unexpected(listed.error());
      list_in_log(b.of, first_by_another);
    }
    auto done = complete_without_call(std::move(tx), b.of, b.registrant, state == call_state::applied);
    if (!done) return std::unexpected(done.error());
    return std::nullopt;
  }
  auto number = calls.begin(b.registrant, options_.lease);
  if (!number) return std::unexpected(number.error());
  return note_call(tx, b, {.of = b.of, .registrant = b.registrant, .call = *number, .collisions = b.last.collisions});
}

sql_result<std::optional<bridge::ticket>> bridge::begin_update(transaction& tx, const beginning& b) {
  if (!b.identifier) return no_call(tx, fail_try(b.of, true, no_registrant(b.registrant), std::nullopt));
  if (b.identifier->empty())
    return no_call(
        tx, fail_try(b.of, false, fmt::format("Registrant {} has no identifier yet.", b.registrant), std::nullopt));
  const bool replaced = b.last.state == call_state::applied && b.last.identifier != *b.identifier;
  if (replaced) {
    constexpr std::string_view reason = "Another worker replaced the identifier after the registrant had it.";
    if (auto listed = book().doubt_last(b.registrant, reason); !listed) return std::unexpected(listed.error());
    list_in_log(b.of, reason);
  }
  auto noted = note_call(tx, b, {.of = b.of, .registrant = b.registrant, .identifier = *b.identifier});
  if (noted && replaced) note([](bridge_report& r) { ++r.did.overwritten; });
  return noted;
}

/// Whether an identifier may have been consumed without anybody knowing it.
bool bridge::is_doubtful(const ticket& t) const {
  return t.answer->outcome == call_outcome::unknown && !generator_.knows_requests();
}

/// Notes that the call brought no identifier. False when that was noted before, or the call is not this bridge's any
/// more.
sql_result<bool> bridge::end_call(const ticket& t) {
  auto calls = book();
  const auto last = calls.lock(t.registrant);
  if (!last) return std::unexpected(last.error());
  if (last->number != t.call || last->state != call_state::calling) return false;
  if (is_doubtful(t)) {
    if (auto listed = calls.doubt_last(t.registrant, text_of(*t.answer)); !listed)
      return std::unexpected(listed.error());
    return true;
  }
  return calls.ended(t.registrant, t.call);
}

sql_result<void> bridge::finish(ticket& t) {
  return t.of.what == task_step::request ? finish_request(t) : finish_update(t);
}

sql_result<void> bridge::finish_request(ticket& t) {
  const auto& answer = *t.answer;
  auto tx = transaction::begin(*connection_);
  if (!tx) return std::unexpected(tx.error());
  auto calls = book();
  none_available_ = answer.outcome == call_outcome::none_available;
  if (answer.outcome == call_outcome::done) {
    auto kept = calls.answered(t.registrant, t.call, answer.id);
    if (!kept) return std::unexpected(kept.error());
    if (!*kept)
      if (auto listed = calls.late_answer(t.call, answer.id); !listed) return listed;
    if (auto done = tx->commit(); !done) return done;
    if (!*kept) {
      // Where it is not listed, whoever called again got the same identifier.
      log::warning("bridge.late_answer", "The call took longer than the lease: its answer is not used.",
                   {{"bridge", options_.name}, {"task", t.of.task}});
      return {};
    }
    t.stored = true;
    pass(bridge_moment::after_saving);
    return apply(t.of, t.registrant);
  }

  const auto ended = end_call(t);
  if (!ended) return std::unexpected(ended.error());
  if (!*ended) return tx->commit(); // stored before, or given up
  if (none_available_) {
    const auto pause = std::max(answer.try_again.value_or(milliseconds{0}), pause_for_not_yet(options_.retry, random_));
    none_until_ = now() + pause;
    probe_at_ = now() + probe_pause;
    if (auto later = postpone(t.of, pause, true); !later) return later;
  } else if (auto failed = fail_try(t.of, answer.outcome == call_outcome::refused, text_of(answer), answer.try_again);
             !failed) {
    return failed;
  }
  if (auto done = tx->commit(); !done) return done;
  if (none_available_) note([](bridge_report& r) { ++r.did.none_available; });
  if (is_doubtful(t)) list_in_log(t.of, text_of(answer));
  return {};
}

/// Gives the registrant the identifier that is stored for it. Only a lost connection is an error of this.
sql_result<void> bridge::apply(const claim& c, std::int64_t registrant) {
  const auto given = try_to_apply(c, registrant);
  if (given) {
    if (*given) pass(bridge_moment::after_completing);
    return {};
  }
  switch (given.error().what) {
  case failure::lost:
    return std::unexpected(given.error());
  case failure::locked:
    return postpone(c, busy_pause, false); // the identifier waits for it
  case failure::not_unique:
    return taken_by_another(c, registrant);
  case failure::refused:
    break;
  }
  log::error("bridge.statement_refused", given.error().message,
             {{"bridge", options_.name}, {"task", c.task}, {"sqlstate", given.error().state}});
  auto tx = transaction::begin(*connection_);
  if (!tx) return std::unexpected(tx.error());
  if (auto failed = fail_try(c, false, "PostgreSQL refused the identifier: " + given.error().message, std::nullopt);
      !failed)
    return failed;
  note([](bridge_report& r) { ++r.did.statements_refused; });
  return tx->commit();
}

/// False when there was nothing to give: the task or the registrant is gone, or somebody else was first.
/// Error not_unique: another registrant has the identifier.
sql_result<bool> bridge::try_to_apply(const claim& c, std::int64_t registrant) {
  auto tx = transaction::begin(*connection_);
  if (!tx) return std::unexpected(tx.error());
  const auto task = lock_task(c);
  if (!task) return std::unexpected(task.error());
  auto calls = book();
  const auto last = calls.lock(registrant);
  if (!last) return std::unexpected(last.error());
  const auto found = connection_->run(table_->lock_registrant, registrant);
  if (!found) return std::unexpected(found.error());
  const auto ends = [&](sql_result<void> done) -> sql_result<bool> {
    if (done) done = tx->commit();
    if (!done) return std::unexpected(done.error());
    return false;
  };
  if (last->state != call_state::answered && last->state != call_state::applied)
    return ends(postpone(c, milliseconds{0}, false)); // another has just dealt with it

  if (found->empty()) {
    constexpr std::string_view reason = "The registrant was removed before it had its identifier.";
    if (auto listed = calls.doubt_last(registrant, reason); !listed) return std::unexpected(listed.error());
    list_in_log(c, reason);
    return ends(fail_try(c, true, no_registrant(registrant), std::nullopt));
  }
  const auto present = found->text(0, 0);
  if (!present.empty() && present != last->identifier) {
    if (last->state == call_state::answered) {
      if (auto listed = calls.doubt_last(registrant, first_by_another); !listed) return std::unexpected(listed.error());
      list_in_log(c, first_by_another);
    }
    saw_others(c);
    if (auto done = complete_without_call(std::move(*tx), c, registrant, false); !done)
      return std::unexpected(done.error());
    return false;
  }
  if (present.empty()) {
    const auto other = connection_->run(table_->find_holder, last->identifier, registrant);
    if (!other) return std::unexpected(other.error());
    if (!other->empty()) return std::unexpected(sql_error{failure::not_unique, {}, {}});
    auto given = connection_->run(table_->give, registrant, last->identifier);
    if (!given) return std::unexpected(given.error());
  }
  const bool gives = present.empty() || last->state == call_state::answered;
  if (gives) {
    if (auto queued = queue_update(registrant, false); !queued) return std::unexpected(queued.error());
    if (auto applied = calls.applied(registrant); !applied) return std::unexpected(applied.error());
  }
  bool completed = false;
  if (*task && (**task).pending) {
    const auto done = complete(c);
    if (!done) return std::unexpected(done.error());
    completed = *done;
  } else if (gives) {
    saw_others(c); // the registrant gets it all the same, what another made of the task stays
  }
  if (auto forgotten = forget(c); !forgotten) return std::unexpected(forgotten.error());
  if (auto done = tx->commit(); !done) return std::unexpected(done.error());
  note([&](bridge_report& r) {
    r.did.identifiers_given += gives ? 1 : 0;
    r.did.tasks_completed += completed ? 1 : 0;
  });
  return true;
}

/// The generator gave an identifier that another registrant has. The next call asks for another one.
sql_result<void> bridge::taken_by_another(const claim& c, std::int64_t registrant) {
  constexpr std::string_view reason = "The generator gave an identifier that another registrant has already.";
  auto tx = transaction::begin(*connection_);
  if (!tx) return std::unexpected(tx.error());
  auto calls = book();
  const auto last = calls.lock(registrant);
  if (!last) return std::unexpected(last.error());
  if (last->state == call_state::answered || last->state == call_state::applied) {
    if (auto listed = calls.doubt_last(registrant, reason); !listed) return listed;
    list_in_log(c, reason);
  }
  if (auto counted = calls.collided(registrant); !counted) return counted;
  if (auto failed = fail_try(c, false, reason, std::nullopt); !failed) return failed;
  return tx->commit();
}

sql_result<void> bridge::finish_update(const ticket& t) {
  const auto& answer = *t.answer;
  auto tx = transaction::begin(*connection_);
  if (!tx) return std::unexpected(tx.error());
  const auto own = lock_own(t.of);
  if (!own) return std::unexpected(own.error());
  if (!*own || !(**own).trying) return tx->commit(); // stored before, or given up
  if (answer.outcome == call_outcome::none_available) {
    if (auto later = postpone(t.of, pause_for_not_yet(options_.retry, random_), true); !later) return later;
    return tx->commit();
  }
  if (answer.outcome != call_outcome::done) {
    if (auto failed = fail_try(t.of, answer.outcome == call_outcome::refused, text_of(answer), answer.try_again);
        !failed)
      return failed;
    return tx->commit();
  }
  const auto found = connection_->run(table_->lock_registrant, t.registrant);
  if (!found) return std::unexpected(found.error());
  if (!found->empty() && found->text(0, 0) != t.identifier) {
    // Another worker changed it meanwhile: what it has now is to be confirmed.
    saw_others(t.of);
    if (auto later = postpone(t.of, milliseconds{0}, true); !later) return later;
    return tx->commit();
  }
  const auto completed = complete(t.of);
  if (!completed) return std::unexpected(completed.error());
  if (auto forgotten = forget(t.of); !forgotten) return forgotten;
  if (auto done = tx->commit(); !done) return done;
  if (!*completed) saw_others(t.of);
  note([&](bridge_report& r) { r.did.tasks_completed += *completed ? 1 : 0; });
  return {};
}

} // namespace matricula::connectors::postgres
