#include "connectors/postgres/bridge.hpp"

#include "connectors/postgres/own_schema.hpp"
#include "connectors/postgres/payload.hpp"
#include "foundation/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace matricula::connectors::postgres {

using registrants::call_outcome;
using registrants::generator_answer;
using registrants::id_generator;

namespace {

constexpr std::size_t identifier_bytes_max = 256;
constexpr std::uint32_t house_rows_max = 1'000;
constexpr milliseconds reconnect_first{100};
constexpr milliseconds reconnect_max{5'000};
constexpr milliseconds busy_pause{500}; ///< another has the registrant or the row
constexpr milliseconds refused_pause{5'000};
constexpr milliseconds probe_pause{200}; ///< between new tasks while the generator has none
constexpr std::uint32_t refusals_max = 10;
constexpr std::chrono::minutes others_told_every{1};

constexpr std::string_view first_by_another = "Another worker gave the registrant an identifier first.";
constexpr std::string_view ended_during_call = "The bridge ended during the call.";

bridge_options with_owner(bridge_options o, random_source& random) {
  require(o.time != nullptr, "a bridge needs a clock");
  require(o.batch > 0, "a bridge takes tasks");
  if (o.owner.empty()) o.owner = o.name + '-' + make_ulid(o.time->wall().time_since_epoch().count(), random);
  return o;
}

/// What a failed try leaves in the task, from what the generator said.
std::string text_of(const generator_answer& a) { return a.error.empty() ? "The generator gave no reason." : a.error; }

} // namespace

bridge::bridge(bridge_options options, id_generator& generator, random_source& random)
    : options_(with_owner(std::move(options), random)), generator_(generator), random_(random) {
  report_.name = options_.name;
}

bridge_report bridge::report() const {
  const std::scoped_lock hold(guard_);
  return report_;
}

// --- rounds -------------------------------------------------------------------------------------------------------

milliseconds bridge::step() {
  if (!connection_ && !connect(stop_)) {
    const auto shift = std::min(connect_failures_, 10U);
    const auto most = std::min(reconnect_max, reconnect_first * (1U << shift));
    return most / 2 +
           milliseconds{static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(most.count())))} / 2;
  }
  if (unfinished_) settle();
  if (unfinished_) return reconnect_first;
  if (must_undo_) {
    if (auto undone = undo_what_was_not_begun(); !undone) {
      drop_connection(undone.error());
      return reconnect_first;
    }
    must_undo_ = false;
  }
  auto claims = take_claims();
  if (!claims) return cannot_work(claims.error());
  if (std::exchange(refused_, false)) note([](bridge_report& r) { r.problem.clear(); });
  work(*claims);
  if (connection_) {
    if (auto kept = keep_house(); !kept && kept.error().what == failure::lost)
      drop_connection(kept.error());
    else if (!kept)
      log::warning("bridge.not_counted", kept.error().message,
                   {{"bridge", options_.name}, {"sqlstate", kept.error().state}});
  }
  if (!connection_ || unfinished_) return reconnect_first;
  if (!claims->empty()) return milliseconds{0};
  return none_available_ ? std::min(options_.poll, probe_pause) : options_.poll;
}

void bridge::wait(milliseconds at_most) {
  if (!connection_ || unfinished_) {
    stop_.wait(std::chrono::steady_clock::now() + at_most);
    return;
  }
  if (auto woken = connection_->wait(at_most, stop_); !woken) drop_connection(woken.error());
}

void bridge::release() {
  // An answer is worth some more time and connections, although it is time to go.
  const auto until = now() + options_.database.statement_at_most;
  while (unfinished_ && !cut_.raised() && now() < until) {
    if (connection_ || connect(cut_)) settle();
    if (unfinished_) cut_.wait(std::chrono::steady_clock::now() + reconnect_first);
  }
  if (unfinished_)
    log::error("bridge.answer_lost",
               "The database was not there to store the generator's answer: the call is in doubt.",
               {{"bridge", options_.name}, {"task", unfinished_->of.task}});
  if (!connection_) return;
  if (auto given = give_back(); !given) drop_connection(given.error());
}

bool bridge::connect(const stop_signal& until) {
  auto opened = connection::open(options_.database, until, cut_);
  sql_result<void> ready;
  if (opened) {
    connection_ = std::move(*opened);
    ready = prepare();
  } else {
    ready = std::unexpected(opened.error());
  }
  if (ready) {
    note([](bridge_report& r) { r.connected = true, r.problem.clear(); });
    log::info("bridge.connected", "The bridge works OpenG2P's tasks.",
              {{"bridge", options_.name}, {"table", table_->name()}});
    connect_failures_ = 0;
    return true;
  }
  connection_.reset();
  const auto problem = ready.error().message;
  if (connect_failures_ == 0 || report().problem != problem)
    log::error("bridge.not_connected", problem, {{"bridge", options_.name}});
  ++connect_failures_;
  note([&](bridge_report& r) { r.connected = false, r.problem = problem; });
  return false;
}

sql_result<void> bridge::prepare() {
  if (auto made = make_own_schema(*connection_, options_.may_install); !made) return made;
  auto table = task_table::look_up(*connection_, options_.tables);
  if (!table) return std::unexpected(table.error());
  const bool first = !table_;
  table_ = std::move(*table);
  if (first && !table_->has_status_index())
    log::warning("bridge.no_index",
                 "No index finds the tasks to do, so each look reads the whole table; docs/bridge.md has one.",
                 {{"bridge", options_.name}, {"table", table_->name()}});
  if (first && !table_->has_unique_index())
    log::warning("bridge.no_unique_index",
                 "No unique index keeps one identifier from two registrants; only the generator does.",
                 {{"bridge", options_.name}, {"table", options_.tables.registrants}});
  if (options_.may_install) {
    auto trigger = make_wake_trigger(*connection_, table_->quoted());
    if (!trigger && trigger.error().what == failure::lost) return trigger;
    if (!trigger && first)
      log::info("bridge.no_trigger",
                "New tasks are found by looking: the trigger cannot be made. " + trigger.error().message,
                {{"bridge", options_.name}, {"every_ms", options_.poll.count()}});
  }
  auto listening = connection_->run(std::string("LISTEN ") + wake_channel);
  if (!listening) return std::unexpected(listening.error());
  return {};
}

void bridge::drop_connection(const sql_error& e) {
  connection_.reset();
  must_undo_ = true;
  log::warning("bridge.connection_lost", e.message, {{"bridge", options_.name}, {"sqlstate", e.state}});
  note([&](bridge_report& r) {
    r.connected = false;
    r.problem = e.message;
    ++r.did.connections_lost;
  });
}

/// The database refuses what every round needs, over a connection that is sound. Returns when to try again.
milliseconds bridge::cannot_work(const sql_error& e) {
  if (e.what == failure::lost) {
    drop_connection(e);
    return reconnect_first;
  }
  // Some may have been claimed before it refused.
  if (auto given = give_back(); !given && given.error().what == failure::lost) {
    drop_connection(given.error());
    return reconnect_first;
  }
  if (!refused_ || report().problem != e.message)
    log::error("bridge.cannot_work", e.message, {{"bridge", options_.name}, {"sqlstate", e.state}});
  refused_ = true;
  note([&](bridge_report& r) {
    r.problem = e.message;
    ++r.did.statements_refused;
  });
  return e.what == failure::locked ? busy_pause : refused_pause;
}

/// What was claimed before the connection was lost is given back, and a call that was noted but never made is struck
/// out.
sql_result<void> bridge::undo_what_was_not_begun() {
  if (maybe_begun_) {
    if (maybe_begun_->of.what == task_step::request)
      if (auto ended = book().ended(maybe_begun_->registrant, maybe_begun_->call); !ended)
        return std::unexpected(ended.error());
    if (auto later = postpone(maybe_begun_->of, milliseconds{0}, true); !later) return later;
    maybe_begun_.reset();
  }
  return give_back();
}

sql_result<void> bridge::give_back() {
  auto given = connection_->run("UPDATE matricula.bridge_try SET owner = NULL, lease_until = NULL WHERE "
                                "owner = $1",
                                options_.owner);
  if (!given) return std::unexpected(given.error());
  return {};
}

sql_result<std::vector<bridge::claim>> bridge::take(task_step what, bool again, std::uint32_t at_most) {
  std::vector<claim> out;
  if (at_most == 0) return out;
  const auto& sql = table_->of(what);
  auto found = connection_->run(again ? sql.claim_due : sql.claim_new, options_.owner, options_.lease, at_most);
  if (!found) return std::unexpected(found.error());
  for (std::size_t i = 0; i < found->size(); ++i) out.push_back({what, found->number(i, 0)});
  std::ranges::sort(out, {}, &claim::task);
  return out;
}

/// New tasks and those that come again, of both steps, have their turns: none of the four can starve another.
sql_result<std::vector<bridge::claim>> bridge::take_claims() {
  if (options_.refuse_unknown_types && !table_->refuse_unknown.empty()) {
    auto refused = connection_->run(table_->refuse_unknown, options_.batch);
    if (!refused) return std::unexpected(refused.error());
    note([&](bridge_report& r) { r.did.tasks_failed += refused->changed(); });
  }
  const auto half = (options_.batch + 1) / 2;
  auto new_requests = half, again_requests = half;
  if (none_available_) {
    // One asks now and then whether there are some again; the others need not.
    new_requests = now() >= probe_at_ ? 1 : 0;
    again_requests = now() >= none_until_ ? 1 : 0;
    if (new_requests > 0) probe_at_ = now() + probe_pause;
  }
  std::array<sql_result<std::vector<claim>>, 4> parts{
      take(task_step::request, false, new_requests), take(task_step::update, false, half),
      take(task_step::request, true, again_requests), take(task_step::update, true, half)};
  std::vector<claim> out;
  std::size_t longest = 0;
  for (const auto& part : parts) {
    if (!part) return std::unexpected(part.error());
    longest = std::max(longest, part->size());
  }
  ++rounds_;
  for (std::size_t i = 0; i < longest; ++i)
    for (std::size_t turn = 0; turn < parts.size(); ++turn)
      if (const auto& part = *parts.at((turn + rounds_) % parts.size()); i < part.size()) out.push_back(part[i]);
  return out;
}

void bridge::work(const std::vector<claim>& claims) {
  const auto until = now() + options_.round_max;
  for (std::size_t i = 0; i < claims.size(); ++i) {
    if (stop_.raised() || (i > 0 && now() > until)) {
      if (auto given = give_back(); !given) drop_connection(given.error());
      return;
    }
    work_one(claims[i]);
    if (!connection_ || unfinished_) return;
  }
}

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

sql_result<void> bridge::keep_house() {
  if (cleaned_at_.count() >= 0 && now() - cleaned_at_ < options_.report_every) return {};
  // Also when it fails: what takes the database too long is not to be asked in every round.
  const auto before = std::exchange(cleaned_at_, now());
  note([&](bridge_report& r) {
    if (before.count() >= 0 && cleaned_at_ > before)
      r.completed_per_s = static_cast<double>(r.did.tasks_completed - completed_when_cleaned_) /
                          std::chrono::duration<double>(cleaned_at_ - before).count();
    completed_when_cleaned_ = r.did.tasks_completed;
  });
  for (const auto what : {task_step::request, task_step::update})
    if (auto forgotten = connection_->run(table_->of(what).forget, house_rows_max); !forgotten)
      return std::unexpected(forgotten.error());
  if (!generator_.knows_requests()) {
    auto listed = book().doubt_abandoned(house_rows_max);
    if (!listed) return std::unexpected(listed.error());
    if (*listed > 0)
      log::warning("bridge.in_doubt", ended_during_call, {{"bridge", options_.name}, {"calls", *listed}});
    note([&](bridge_report& r) { r.did.doubts_listed += *listed; });
  }
  if (options_.counts)
    if (auto counted = count(); !counted) return counted;
  return {};
}

sql_result<void> bridge::count() {
  auto requests = connection_->run(table_->of(task_step::request).counts);
  if (!requests) return std::unexpected(requests.error());
  auto updates = connection_->run(table_->of(task_step::update).counts);
  if (!updates) return std::unexpected(updates.error());
  auto doubts = count_doubts(*connection_);
  if (!doubts) return std::unexpected(doubts.error());
  const auto number = [](const rows& r, std::size_t column) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(0, r.number(0, column)));
  };
  note([&](bridge_report& r) {
    r.pending_requests = number(*requests, 0), r.failed_requests = number(*requests, 1);
    r.pending_updates = number(*updates, 0), r.failed_updates = number(*updates, 1);
    r.oldest_pending_s = std::max(number(*requests, 2), number(*updates, 2));
    r.in_doubt = doubts->unknown, r.unused = doubts->unused;
    r.counted = true;
  });
  return {};
}

// --- one task -----------------------------------------------------------------------------------------------------

sql_result<std::optional<bridge::ticket>> bridge::begin(const claim& c) {
  auto tx = transaction::begin(*connection_);
  if (!tx) return std::unexpected(tx.error());
  const auto own = lock_own(c);
  if (!own) return std::unexpected(own.error());
  if (!*own) return std::nullopt; // its time was over, another has it
  const auto task = lock_task(c);
  if (!task) return std::unexpected(task.error());
  const auto ends = [&](sql_result<void> done) -> sql_result<std::optional<ticket>> {
    if (done) done = tx->commit();
    if (!done) return std::unexpected(done.error());
    return std::nullopt;
  };
  if (!*task || !(**task).pending) {
    // Somebody else has finished or removed it since it was claimed.
    saw_others(c);
    return ends(forget(c));
  }
  if ((**task).attempts != (**own).attempts_seen) saw_others(c);
  const auto subject = (**task).subject ? std::optional<std::string_view>(*(**task).subject) : std::nullopt;
  const auto registrant =
      table_->kind() == table_kind::background_task ? registrant_of_payload(subject) : registrant_of_text(subject);
  if (!registrant) return ends(fail_try(c, true, registrant.error(), std::nullopt));
  return c.what == task_step::request ? begin_request(std::move(*tx), c, **own, (**task).attempts, *registrant)
                                      : begin_update(std::move(*tx), c, **own, (**task).attempts, *registrant);
}

sql_result<std::optional<bridge::ticket>> bridge::begin_request(transaction tx, const claim& c, const own_row& own,
                                                                std::int64_t attempts, std::int64_t registrant) {
  const auto ends = [&](sql_result<void> done) -> sql_result<std::optional<ticket>> {
    if (done) done = tx.commit();
    if (!done) return std::unexpected(done.error());
    return std::nullopt;
  };
  auto calls = book();
  auto last = calls.lock(registrant);
  if (!last) return std::unexpected(last.error());
  const auto found = connection_->run(table_->read_registrant, registrant);
  if (!found) return std::unexpected(found.error());

  if (last->live) return ends(postpone(c, busy_pause, false)); // one call at a time for a registrant
  if (last->state == call_state::calling) {
    // The bridge that called is gone, and with it the answer. A generator that knows the request gives it again.
    if (!generator_.knows_requests() || last->generator != options_.generator) {
      if (auto listed = calls.doubt_last(registrant, ended_during_call); !listed)
        return std::unexpected(listed.error());
      list_in_log(c, ended_during_call);
    }
    last->state = call_state::ended;
  }
  const bool has_answer = last->state == call_state::answered || last->state == call_state::applied;
  if (has_answer && (found->empty() || found->text(0, 0).empty() || found->text(0, 0) == last->identifier)) {
    // Of a life before: the answer is there and was not used, or the registrant's identifier went away. It gets the
    // same.
    if (auto done = tx.commit(); !done) return std::unexpected(done.error());
    if (auto done = apply(c, registrant); !done) return std::unexpected(done.error());
    return std::nullopt;
  }
  if (found->empty())
    return ends(fail_try(c, true, fmt::format("There is no registrant {}.", registrant), std::nullopt));
  if (!found->text(0, 0).empty()) {
    if (last->state == call_state::answered) {
      if (auto listed = calls.doubt_last(registrant, first_by_another); !listed) return std::unexpected(listed.error());
      list_in_log(c, first_by_another);
    }
    auto done = complete_without_call(std::move(tx), c, registrant, last->state == call_state::applied);
    if (!done) return std::unexpected(done.error());
    return std::nullopt;
  }

  auto number = calls.begin(registrant, options_.lease);
  if (!number) return std::unexpected(number.error());
  if (auto started = start_try(c, own, attempts); !started) return std::unexpected(started.error());
  ticket t{.of = c, .registrant = registrant, .call = *number, .collisions = last->collisions};
  maybe_begun_ = t;
  if (auto done = tx.commit(); !done) return std::unexpected(done.error());
  maybe_begun_.reset();
  return t;
}

sql_result<std::optional<bridge::ticket>> bridge::begin_update(transaction tx, const claim& c, const own_row& own,
                                                               std::int64_t attempts, std::int64_t registrant) {
  const auto ends = [&](sql_result<void> done) -> sql_result<std::optional<ticket>> {
    if (done) done = tx.commit();
    if (!done) return std::unexpected(done.error());
    return std::nullopt;
  };
  auto calls = book();
  auto last = calls.lock(registrant);
  if (!last) return std::unexpected(last.error());
  const auto found = connection_->run(table_->read_registrant, registrant);
  if (!found) return std::unexpected(found.error());
  if (found->empty())
    return ends(fail_try(c, true, fmt::format("There is no registrant {}.", registrant), std::nullopt));
  auto identifier = found->text(0, 0);
  if (identifier.empty())
    return ends(fail_try(c, false, fmt::format("Registrant {} has no identifier yet.", registrant), std::nullopt));
  const bool replaced = last->state == call_state::applied && last->identifier != identifier;
  if (replaced) {
    constexpr std::string_view reason = "Another worker replaced the identifier after the registrant had it.";
    if (auto listed = calls.doubt_last(registrant, reason); !listed) return std::unexpected(listed.error());
    list_in_log(c, reason);
  }
  if (auto started = start_try(c, own, attempts); !started) return std::unexpected(started.error());
  ticket t{.of = c, .registrant = registrant, .identifier = std::move(identifier)};
  maybe_begun_ = t;
  if (auto done = tx.commit(); !done) return std::unexpected(done.error());
  maybe_begun_.reset();
  if (replaced) note([](bridge_report& r) { ++r.did.overwritten; });
  return t;
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
    return ends(fail_try(c, true, fmt::format("There is no registrant {}.", registrant), std::nullopt));
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

// --- parts of a transaction -----------------------------------------------------------------------------------------

sql_result<std::optional<bridge::locked_task>> bridge::lock_task(const claim& c) {
  auto found = connection_->run(table_->of(c.what).lock, c.task);
  if (!found) return std::unexpected(found.error());
  if (found->empty()) return std::nullopt;
  const auto subject = found->at(0, 2);
  return locked_task{found->flag(0, 0), found->number(0, 1),
                     subject ? std::optional<std::string>(*subject) : std::nullopt};
}

sql_result<std::optional<bridge::own_row>> bridge::lock_own(const claim& c) {
  auto found =
      connection_->run("SELECT tries, trying, attempts_seen FROM matricula.bridge_try WHERE task_table = $1 AND "
                       "step = $2 AND task_id = $3::bigint AND owner = $4 FOR UPDATE",
                       table_->name(), to_string(c.what), c.task, options_.owner);
  if (!found) return std::unexpected(found.error());
  if (found->empty()) return std::nullopt;
  return own_row{found->number(0, 0), found->flag(0, 1), found->number(0, 2)};
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

/// A try that began and of which no end is known counts: it was made.
sql_result<void> bridge::start_try(const claim& c, const own_row& own, std::int64_t attempts) {
  auto tries = own.tries;
  if (own.trying) {
    auto noted = connection_->run(table_->of(c.what).note_interrupt, c.task,
                                  "The bridge ended during this try; it is tried again.");
    if (!noted) return std::unexpected(noted.error());
    ++tries;
    attempts = noted->empty() ? attempts : noted->number(0, 0);
  }
  auto started = connection_->run("UPDATE matricula.bridge_try SET trying = true, tries = $4::integer, attempts_seen = "
                                  "$5::integer, lease_until = clock_timestamp() + $6::bigint * interval '1 ms' WHERE "
                                  "task_table = $1 AND step = $2 AND task_id = $3::bigint",
                                  table_->name(), to_string(c.what), c.task, tries, attempts, options_.lease);
  if (!started) return std::unexpected(started.error());
  return {};
}

/// False when the task is not PENDING any more: then it stays as another left it.
sql_result<bool> bridge::complete(const claim& c) {
  auto done = connection_->run(table_->of(c.what).complete, c.task);
  if (!done) return std::unexpected(done.error());
  return !done->empty();
}

/// In the older generation completing the first step is what queues the second.
sql_result<void> bridge::queue_update(std::int64_t registrant, bool unless_there) {
  if (table_->queue_update.empty()) return {};
  if (unless_there) {
    auto there = connection_->run(table_->has_update, registrant);
    if (!there) return std::unexpected(there.error());
    if (!there->empty()) return {};
  }
  auto queued = connection_->run(table_->queue_update, fmt::format("{{\"registrant_id\": {}}}", registrant));
  if (!queued) {
    // A sequence that is behind says so, too; it has nothing to do with identifiers.
    auto why = queued.error();
    if (why.what == failure::not_unique) why.what = failure::refused;
    return std::unexpected(std::move(why));
  }
  return {};
}

sql_result<void> bridge::complete_without_call(transaction tx, const claim& c, std::int64_t registrant,
                                               bool update_was_queued) {
  if (!update_was_queued)
    if (auto queued = queue_update(registrant, true); !queued) return queued;
  const auto completed = complete(c);
  if (!completed) return std::unexpected(completed.error());
  if (auto forgotten = forget(c); !forgotten) return forgotten;
  if (auto done = tx.commit(); !done) return done;
  note([&](bridge_report& r) { r.did.tasks_completed += *completed ? 1 : 0; });
  return {};
}

sql_result<void> bridge::forget(const claim& c) {
  auto gone = connection_->run("DELETE FROM matricula.bridge_try WHERE task_table = $1 AND step = $2 AND task_id = "
                               "$3::bigint AND owner = $4",
                               table_->name(), to_string(c.what), c.task, options_.owner);
  if (!gone) return std::unexpected(gone.error());
  return {};
}

sql_result<void> bridge::postpone(const claim& c, milliseconds by, bool try_is_over) {
  auto done =
      connection_->run("UPDATE matricula.bridge_try SET owner = NULL, lease_until = NULL, trying = trying AND NOT "
                       "$6::boolean, due_at = clock_timestamp() + $5::bigint * interval '1 ms' WHERE task_table = "
                       "$1 AND step = $2 AND task_id = $3::bigint AND owner = $4",
                       table_->name(), to_string(c.what), c.task, options_.owner, by, try_is_over);
  if (!done) return std::unexpected(done.error());
  return {};
}

/// Counts one try, in OpenG2P's row and in ours, and decides whether there is another one.
sql_result<void> bridge::fail_try(const claim& c, bool for_good, std::string_view error,
                                  std::optional<milliseconds> try_again) {
  const auto own = lock_own(c);
  if (!own) return std::unexpected(own.error());
  if (!*own) return {}; // given up: whoever has it now counts
  const auto tries = static_cast<std::uint32_t>((**own).tries + 1);
  const bool failed = for_good || tries >= options_.retry.tries_max;
  auto counted = connection_->run(table_->of(c.what).try_failed, c.task, failed ? "FAILED" : "PENDING", error);
  if (!counted) return std::unexpected(counted.error());
  note([&](bridge_report& r) {
    ++r.did.tries_failed;
    r.did.tasks_failed += failed && !counted->empty() ? 1 : 0;
  });
  if (counted->empty() || counted->number(0, 0) != (**own).attempts_seen + 1) saw_others(c);
  if (failed || counted->empty()) return forget(c);
  const auto pause = std::max(backoff(options_.retry, tries, random_), try_again.value_or(milliseconds{0}));
  auto kept = connection_->run("UPDATE matricula.bridge_try SET tries = $5::integer, attempts_seen = $6::integer WHERE "
                               "task_table = $1 AND step = $2 AND task_id = $3::bigint AND owner = $4",
                               table_->name(), to_string(c.what), c.task, options_.owner, tries, counted->number(0, 0));
  if (!kept) return std::unexpected(kept.error());
  return postpone(c, pause, true);
}

void bridge::saw_others(const claim& c) {
  note([](bridge_report& r) { ++r.did.seen_others; });
  if (told_others_at_.count() >= 0 && now() - told_others_at_ < others_told_every) return;
  told_others_at_ = now();
  log::warning(
      "bridge.other_worker",
      "Another worker changes tasks of this table, perhaps OpenG2P's own; docs/bridge.md says how to switch over.",
      {{"bridge", options_.name}, {"task", c.task}});
}

void bridge::list_in_log(const claim& c, std::string_view reason) {
  note([](bridge_report& r) { ++r.did.doubts_listed; });
  log::warning("bridge.in_doubt", reason,
               {{"bridge", options_.name}, {"task", c.task}, {"generator", options_.generator}});
}

} // namespace matricula::connectors::postgres
