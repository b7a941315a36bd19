#include "connectors/postgres/bridge.hpp"

#include "connectors/postgres/own_schema.hpp"
#include "foundation/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace matricula::connectors::postgres {

using registrants::id_generator;

namespace {

constexpr std::uint32_t house_rows_max = 1'000;
constexpr milliseconds reconnect_first{100};
constexpr milliseconds reconnect_max{5'000};

bridge_options with_owner(bridge_options o, random_source& random) {
  require(o.time != nullptr, "a bridge needs a clock");
  require(o.batch > 0, "a bridge takes tasks");
  if (o.owner.empty()) o.owner = o.name + '-' + make_ulid(o.time->wall().time_since_epoch().count(), random);
  return o;
}

} // namespace

bridge::bridge(bridge_options options, id_generator& generator, random_source& random)
    : options_(with_owner(std::move(options), random)), generator_(generator), random_(random) {
  report_.name = options_.name;
}

bridge_report bridge::report() const {
  const std::scoped_lock hold(guard_);
  return report_;
}

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

} // namespace matricula::connectors::postgres
