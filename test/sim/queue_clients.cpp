#include "test/sim/queue_clients.hpp"

#include "storage/task_list.hpp"

#include <caf/send.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace matricula::sim {

using namespace tasks;

namespace {

constexpr std::array<std::string_view, 2> type_names{"errand", "chore"};
constexpr std::size_t held_max = 60; ///< leases that workers remember
constexpr std::uint64_t keys_in_use = 12;
constexpr std::string_view follows_from = R"({"follows_from":)"; ///< and a token: the payload of what follows

std::uint64_t code_of(errc code) { return 100 + static_cast<std::uint64_t>(code); }

/// Learns from each answer that is there. @param learn of what was asked, and the answer
template <class Asked, class Learn>
void each_answer(std::vector<Asked>& waiting, Learn learn) {
  std::vector<Asked> ready;
  std::erase_if(waiting, [&](const Asked& what) {
    if (!what.answer->ready()) return false;
    ready.push_back(what);
    return true;
  });
  for (const auto& what : ready) learn(what, what.answer->value());
}

} // namespace

// -- what is asked ----------------------------------------------------------------------------------------------------

std::uint64_t queue_clients::some_task() {
  // Mostly one of the latest.
  const auto latest = std::min<std::uint64_t>(tasks_.size(), random_.below(3) == 0 ? tasks_.size() : 8);
  return std::prev(tasks_.end(), static_cast<std::ptrdiff_t>(1 + random_.below(latest)))->first;
}

void queue_clients::ask(node& to, const moment& now) {
  const auto what = random_.below(100);
  if (what < 30) return enqueue(to, now);
  if (what < 58)
    return lease(to, now, 1 + static_cast<std::uint32_t>(random_.below(3)),
                 milliseconds{random_.below(2) == 0 ? 0 : 300});
  if (what < 64) return renew(to, now);
  if (what < 88) {
    if (held_.empty()) return lease(to, now, 3, milliseconds{0});
    // Mostly one of the latest; others come back long after their lease has run out.
    const auto latest = random_.below(3) == 0 ? held_.size() : std::min<std::size_t>(held_.size(), 4);
    auto& held = held_[held_.size() - 1 - random_.below(latest)];
    static constexpr std::array hows{outcome_kind::done,      outcome_kind::done,      outcome_kind::done,
                                     outcome_kind::transient, outcome_kind::permanent, outcome_kind::not_yet};
    const auto how = hows[random_.below(hows.size())];
    if (random_.below(4) == 0) return finish_some(to);
    return end(to, held, held.told && random_.below(4) != 0 ? *held.told : how, sent_ % 6 == 0);
  }
  if (what < 95) {
    if (!tasks_.empty()) change(to);
    return;
  }
  if (what < 97) return retry_failed(to);
  pause(to, std::string(type_names[random_.below(type_names.size())]), random_.below(3) == 0);
}

void queue_clients::work_off(node& to, const moment& now) {
  for (const auto type : type_names) pause(to, std::string(type), false);
  for (auto& held : held_)
    if (!held.told) end(to, held, outcome_kind::done, false);
  for (std::size_t i = 0; i < type_names.size(); ++i) lease(to, now, 20, milliseconds{0});
}

void queue_clients::enqueue(node& to, const moment& now) {
  ++sent_;
  asked_tasks asked;
  for (auto n = 1 + random_.below(3); n > 0; --n) {
    actors::new_task t;
    t.worker_type = type_names[random_.below(type_names.size())];
    t.payload = "{}";
    // Keys come into use one after the other, each for a while.
    if (random_.below(2) == 0) t.unique_key = fmt::format("k{}", sent_ / 16 + random_.below(keys_in_use));
    t.priority = static_cast<std::uint8_t>(random_.below(task::priority_lowest + 1U));
    if (random_.below(4) == 0)
      t.due_at_ms =
          (now.decided + milliseconds{static_cast<std::int64_t>(random_.below(2'000))}).time_since_epoch().count();
    asked.wanted.push_back(std::move(t));
  }
  actors::enqueue_tasks m;
  m.tasks = asked.wanted;
  asked.answer = to.send_to_queue<std::vector<actors::queued_task>>(std::move(m));
  queued_.push_back(std::move(asked));
}

void queue_clients::lease(node& to, const moment& now, std::uint32_t count, milliseconds wait) {
  ++sent_;
  actors::lease_tasks m;
  m.worker_type = type_names[sent_ % type_names.size()];
  m.worker = fmt::format("worker {}", sent_);
  m.count = count;
  asked_lease asked{now, milliseconds{static_cast<std::int64_t>(200 + random_.below(2'000))}, {}};
  m.lease_ms = asked.time.count();
  if (wait > milliseconds{0}) m.wait_until_ns = (now.monotonic + wait).count();
  asked.answer = to.send_to_queue<std::vector<actors::leased_task>>(std::move(m));
  leased_.push_back(std::move(asked));
}

void queue_clients::renew(node& to, const moment& now) {
  if (held_.empty()) return;
  ++sent_;
  auto& held = held_[held_.size() - 1 - random_.below(std::min<std::size_t>(held_.size(), 4))];
  ++held.renewals_open;
  actors::renew_lease m;
  m.id = held.id;
  m.token = held.token;
  asked_renewal asked{
      now, milliseconds{static_cast<std::int64_t>(200 + random_.below(2'000))}, held.id, held.token, {}};
  m.lease_ms = asked.time.count();
  asked.answer = to.send_to_queue<tasks::lease>(std::move(m));
  renewed_.push_back(std::move(asked));
}

void queue_clients::end(node& to, held_lease& held, outcome_kind how, bool follows) {
  ++sent_;
  const bool first_word = !held.told;
  held.two_words = held.two_words || (held.told && *held.told != how);
  held.told = how;
  actors::end_task m;
  m.id = held.id;
  m.token = held.token;
  m.kind = static_cast<std::uint8_t>(how);
  if (how != outcome_kind::done) m.text = "as the simulation wants it";
  if (follows) {
    actors::new_task t;
    t.worker_type = type_names.front();
    t.payload = fmt::format("{}{}}}", follows_from, held.token);
    m.then.push_back(std::move(t));
  }
  to.plant(m);
  ended_.push_back({held.id, held.token, how, follows && first_word, to.send_to_queue<task>(std::move(m))});
}

void queue_clients::finish_some(node& to) {
  ++sent_;
  asked_finish asked;
  for (auto i = held_.rbegin(); i != held_.rend() && asked.tries.size() < 5; ++i) {
    if (random_.below(3) == 0) continue;
    i->two_words = i->two_words || (i->told && *i->told != outcome_kind::done);
    i->told = outcome_kind::done;
    // Now and then twice in one request.
    for (auto n = 1 + (random_.below(8) == 0 ? 1U : 0U); n > 0; --n) asked.tries.push_back({i->id, i->token, {}});
  }
  if (asked.tries.empty()) return;
  actors::finish_tasks m;
  m.tries = asked.tries;
  asked.answer = to.send_to_queue<actors::finished_tries>(std::move(m));
  finished_.push_back(std::move(asked));
}

void queue_clients::change(node& to) {
  ++sent_;
  const auto id = some_task();
  const bool cancels = random_.below(3) == 0;
  ++(cancels ? tasks_[id].cancels : tasks_[id].retries);
  actors::change_task m;
  m.id = id;
  m.action = static_cast<std::uint8_t>(cancels ? actors::task_action::cancel : actors::task_action::retry);
  changed_.push_back({id, to.send_to_queue<task>(std::move(m))});
}

void queue_clients::retry_failed(node& to) {
  ++sent_;
  for (auto& [id, t] : tasks_) ++t.retries;
  actors::retry_failed m;
  if (random_.below(2) == 0) m.worker_type = type_names[random_.below(type_names.size())];
  m.limit = 1 + static_cast<std::uint32_t>(random_.below(5));
  others_.push_back({to.send_to_queue<actors::retried_tasks>(std::move(m))});
}

void queue_clients::pause(node& to, const std::string& type, bool paused) {
  ++sent_;
  actors::pause_queue m;
  m.worker_type = type;
  m.paused = paused;
  (void)to.send_to_queue<bool>(std::move(m));
}

// -- what is answered -------------------------------------------------------------------------------------------------

void queue_clients::forget() {
  queued_.clear();
  leased_.clear();
  renewed_.clear();
  ended_.clear();
  finished_.clear();
  changed_.clear();
  others_.clear();
}

std::uint64_t queue_clients::collect(const moment& now, bool storage_failed) {
  std::uint64_t seen = 0;
  // Answers that have come together say nothing of the order in which they were decided.
  const bool retrying = !others_.empty();
  std::map<std::uint64_t, std::uint32_t> changing;
  for (const auto& what : changed_) ++changing[what.id];
  const auto take = [&](std::string_view what, const auto& answer, std::initializer_list<errc> also = {}) {
    seen = seen * 31 + (answer ? 1 : code_of(answer.error().code));
    if (answer)
      ++acknowledged_;
    else
      refused(what, answer.error(), storage_failed, also);
    return answer.has_value();
  };
  each_answer(queued_, [&](const asked_tasks& what, const auto& answer) {
    if (take("queue tasks", answer)) learn(what, now);
  });
  each_answer(leased_, [&](const asked_lease& what, const auto& answer) {
    if (take("lease tasks", answer)) learn(what, now);
  });
  each_answer(renewed_, [&](const asked_renewal& what, const auto& answer) {
    auto* held = find(what.token);
    if (held != nullptr && (answer || answer.error().code == errc::lease_lost)) --held->renewals_open;
    const bool valid = held != nullptr && !held->told && surely_valid(*held, now);
    if (take("renew a lease", answer, {errc::lease_lost})) {
      if (held == nullptr) return;
      held->asked_at = what.at.monotonic;
      held->time = what.time;
      held->until = answer->until;
      held->offset = what.at.offset();
    } else if (answer.error().code == errc::lease_lost && valid) {
      found_.add(symptom::lease_broken, fmt::format("the lease {} of task {} was taken away", what.token, what.id));
    }
  });
  each_answer(ended_, [&](const asked_end& what, const auto& answer) {
    if (take("end a task", answer, {errc::lease_lost})) {
      learn_end(what.id, *answer, retrying || changing.contains(what.id));
      endings_.try_emplace(what.token, what.id, what.how);
      if (what.followed) followed_.try_emplace(what.token, now.decided);
      if (what.how == outcome_kind::done) learn_done(what.id, what.token);
    } else if (answer.error().code == errc::lease_lost) {
      learn_refusal(what.id, what.token, now);
    }
  });
  each_answer(finished_, [&](const asked_finish& what, const auto& answers) {
    if (!take("finish tasks", answers)) return;
    if (answers->size() != what.tries.size()) return found_.add("not every task that was finished is answered");
    for (std::size_t i = 0; i < what.tries.size(); ++i) {
      const auto& [id, token, text] = what.tries[i];
      const auto& answer = answers->at(i);
      if (take("finish a task", answer, {errc::lease_lost})) {
        if (*answer != task_state::completed)
          found_.add(symptom::outcome_changed,
                     fmt::format("task {} was finished under the lease {} and is {}", id, token, to_string(*answer)));
        endings_.try_emplace(token, id, outcome_kind::done);
        learn_done(id, token);
      } else if (answer.error().code == errc::lease_lost) {
        learn_refusal(id, token, now);
      }
    }
  });
  each_answer(changed_, [&](const asked_change& what, const auto& answer) {
    if (take("cancel or retry a task", answer, {errc::conflict, errc::not_found}))
      learn_end(what.id, *answer, retrying || changing.at(what.id) > 1);
  });
  each_answer(others_, [&](const asked_otherwise&, const auto& answer) { (void)take("retry what failed", answer); });
  return seen;
}

void queue_clients::refused(std::string_view what, const error& why, bool storage_failed,
                            std::initializer_list<errc> also) {
  if (std::ranges::find(also, why.code) != also.end()) return;
  if (why.code == errc::overloaded || why.code == errc::unavailable) return;
  if (why.code == errc::outcome_unknown && storage_failed) return;
  found_.add(fmt::format("a request to {} was refused as {}: {}", what, to_string(why.code), why.message));
}

void queue_clients::learn(const asked_tasks& what, moment now) {
  const auto& answer = *what.answer->value();
  if (answer.size() != what.wanted.size()) return found_.add("not every task that was queued is answered");
  for (std::size_t i = 0; i < answer.size(); ++i) {
    const auto& wanted = what.wanted[i];
    // One that existed may be gone already: its key is known for ever.
    tasks_.try_emplace(answer[i].id, known_task{.at = answer[i].existed ? timestamp{} : now.decided});
    if (!answer[i].existed && lost_tasks_.contains(answer[i].id))
      found_.add(symptom::number_given_again,
                 fmt::format("task {} has the number of one that was queued after the backup", answer[i].id));
    if (answer[i].existed)
      ++keys_repeated_;
    else
      ++number_queued_;
    if (wanted.unique_key.empty()) {
      if (answer[i].existed) found_.add("a task without a key is said to have existed");
      continue;
    }
    const auto [at, fresh] = keys_.try_emplace({wanted.worker_type, wanted.unique_key}, answer[i].id);
    if (at->second != answer[i].id)
      found_.add(symptom::key_doubled, fmt::format("the key {} of {} has the tasks {} and {}", wanted.unique_key,
                                                   wanted.worker_type, at->second, answer[i].id));
  }
}

bool queue_clients::surely_valid(const held_lease& held, const moment& now) const {
  const auto task = tasks_.find(held.id);
  const bool may_be_cancelled = task != tasks_.end() && task->second.cancels > 0;
  return !may_be_cancelled && held.renewals_open == 0 && now.offset() == held.offset &&
         now.monotonic < held.asked_at + held.time && now.decided < held.until;
}

queue_clients::held_lease* queue_clients::find(std::uint64_t token) {
  const auto at = std::ranges::find(held_, token, &held_lease::token);
  return at == held_.end() ? nullptr : &*at;
}

void queue_clients::learn(const asked_lease& what, moment now) {
  for (const auto& one : *what.answer->value()) {
    const auto& of = one.task;
    const auto& given = one.lease;
    ++begun_;
    auto& known = tasks_.try_emplace(of.id, known_task{.at = now.decided}).first->second;
    for (const auto& other : held_)
      if (other.id == of.id && !other.told && surely_valid(other, now))
        found_.add(symptom::leased_twice,
                   fmt::format("task {} was leased as {} while the lease {} holds", of.id, given.token, other.token));
    if (lost_tokens_.contains(given.token))
      found_.add(symptom::number_given_again,
                 fmt::format("the token {} is that of a lease that was given after the backup", given.token));
    if (!leases_.emplace(given.token, of.id).second)
      found_.add(symptom::leased_twice, fmt::format("the token {} was given out twice", given.token));
    if (of.state != task_state::running || of.tries == 0) found_.add("a task is leased and does not run");
    if (done_by_.contains(of.id))
      found_.add(symptom::outcome_changed, fmt::format("task {} is done and was begun again", of.id));
    known.ended_as.reset();
    held_.push_back({of.id, given.token, what.at.monotonic, what.time, given.until, what.at.offset(), {}, 0, false});
  }
  if (held_.size() > held_max) held_.erase(held_.begin(), held_.end() - held_max);
}

void queue_clients::learn_done(std::uint64_t id, std::uint64_t token) {
  const auto [at, fresh] = done_by_.try_emplace(id, token);
  if (fresh) ++completed_;
  if (at->second != token)
    found_.add(symptom::ended_twice,
               fmt::format("task {} was acknowledged as done under the leases {} and {}", id, at->second, token));
}

void queue_clients::learn_refusal(std::uint64_t id, std::uint64_t token, const moment& now) {
  ++late_workers_;
  const auto* held = find(token);
  if (held != nullptr && !held->two_words && surely_valid(*held, now))
    found_.add(symptom::lease_broken,
               fmt::format("the end of task {} under the valid lease {} was refused", id, token));
}

void queue_clients::restored_after(const queue_clients& lost) {
  lost_tasks_ = lost.lost_tasks_;
  lost_tokens_ = lost.lost_tokens_;
  for (const auto& [id, known] : lost.tasks_)
    if (!tasks_.contains(id)) lost_tasks_.insert(id);
  for (const auto& [token, id] : lost.leases_)
    if (!leases_.contains(token)) lost_tokens_.insert(token);
}

void queue_clients::learn_end(std::uint64_t id, const task& t, bool may_be_changing) {
  if (!is_final(t.state)) return;
  auto& known = tasks_[id];
  if (may_be_changing) {
    known.ended_as.reset();
    return;
  }
  if (known.ended_as && *t.finished_at < known.ended_at) return; // an earlier one, which was answered later
  known.ended_as = t.state;
  known.ended_at = *t.finished_at;
  known.retries_then = known.retries;
}

// -- rows -------------------------------------------------------------------------------------------------------------

std::uint64_t queue_clients::open_tasks(const storage::view& durable) {
  std::uint64_t open = 0;
  for (const auto type : type_names) {
    const auto c = storage::find_queue(durable, storage::tasks_of_node(), type);
    if (c) open += c->of(task_state::pending) + c->of(task_state::running);
  }
  return open;
}

void queue_clients::check(const storage::view& durable, timestamp now) {
  const auto part = storage::tasks_of_node();
  rows_by_id rows;
  std::map<name_of_key, std::uint64_t> keys;
  std::string cursor;
  for (bool more = true; more;) {
    auto page = storage::list_tasks(durable, part, {}, cursor, 1'000);
    if (!page) return found_.add("the tasks cannot be listed: " + page.error().message);
    for (auto& item : page->items) {
      const auto id = item.task.id;
      if (!item.task.unique_key.empty()) {
        const auto [at, fresh] = keys.try_emplace({item.task.worker_type, item.task.unique_key}, id);
        if (!fresh)
          found_.add(symptom::key_doubled,
                     fmt::format("the key {} has the tasks {} and {}", item.task.unique_key, at->second, id));
      }
      rows.emplace(id, std::move(item));
    }
    more = page->next.has_value();
    cursor = page->next.value_or("");
  }
  for (auto& [id, known] : tasks_) {
    const auto row = rows.find(id);
    if (row == rows.end()) {
      if (now < known.at + task_retention)
        found_.add(symptom::task_lost, fmt::format("task {} was acknowledged and is lost", id));
      continue;
    }
    const auto& t = row->second.task;
    if (done_by_.contains(id) && t.state != task_state::completed)
      found_.add(symptom::outcome_changed,
                 fmt::format("task {} was acknowledged as done and is {}", id, to_string(t.state)));
    if (known.ended_as && known.retries == known.retries_then &&
        (t.state != *known.ended_as || t.finished_at != known.ended_at))
      found_.add(symptom::outcome_changed, fmt::format("task {} was {} and is {}, and nobody asked to try it again", id,
                                                       to_string(*known.ended_as), to_string(t.state)));
    learn_end(id, t, !others_.empty() || std::ranges::find(changed_, id, &asked_change::id) != changed_.end());
  }
  check_tries(rows);
  check_what_followed(rows, now);
  for (const auto& [token, ending] : endings_) {
    const auto row = rows.find(ending.first);
    if (row == rows.end() || row->second.task.history.size() >= task::history_max) continue;
    const auto same = [&](const attempt& a) { return a.token == token && a.ended == ending.second; };
    if (!std::ranges::any_of(row->second.task.history, same))
      found_.add(symptom::ended_without_lease,
                 fmt::format("the end of task {} under the lease {} was acknowledged, and is not in its history",
                             ending.first, token));
  }
}

void queue_clients::check_tries(const rows_by_id& rows) {
  for (const auto& [id, row] : rows) {
    const auto& t = row.task;
    std::uint32_t real = row.held ? 1 : 0;
    for (const auto& a : t.history) real += a.ended != outcome_kind::not_yet ? 1 : 0;
    if (t.history.size() < task::history_max && t.tries != real)
      found_.add(symptom::tries_miscounted,
                 fmt::format("task {} counts {} tries, and there were {}", id, t.tries, real));
  }
  for (const auto& [token, id] : leases_) {
    const auto row = rows.find(id);
    if (row == rows.end() || row->second.task.history.size() >= task::history_max) continue;
    const bool runs = row->second.held && row->second.held->token == token;
    if (!runs && std::ranges::find(row->second.task.history, token, &attempt::token) == row->second.task.history.end())
      found_.add(symptom::tries_miscounted,
                 fmt::format("the try under the lease {} of task {} is not in its history", token, id));
  }
}

void queue_clients::check_what_followed(const rows_by_id& rows, timestamp now) {
  std::map<std::uint64_t, std::uint64_t> following; // by the token that their payload names
  for (const auto& [id, row] : rows) {
    if (!row.task.payload.starts_with(follows_from)) continue;
    const auto token = std::strtoull(row.task.payload.c_str() + follows_from.size(), nullptr, 10);
    const auto [at, fresh] = following.emplace(token, id);
    if (!fresh)
      found_.add(symptom::ended_twice,
                 fmt::format("tasks {} and {} follow from the end under the lease {}", at->second, id, token));
  }
  for (const auto& [token, at] : followed_)
    if (!following.contains(token) && now < at + task_retention)
      found_.add(symptom::task_lost, fmt::format("nothing follows from the end under the lease {}", token));
}

} // namespace matricula::sim
