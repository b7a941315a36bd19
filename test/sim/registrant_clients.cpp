#include "test/sim/registrant_clients.hpp"

#include "storage/registrants.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace matricula::sim {

using namespace registrants;

namespace {
storage::registrant_partition part() { return storage::registrants_of(storage::tasks_of_node()); }
constexpr std::size_t rows_max = 100'000;
constexpr auto looked_up = "the generator's list was looked at";
} // namespace

generator_answer sim_generator::issue(std::string_view request) {
  ++calls;
  const auto what = in_order ? 0 : random_.below(10);
  if (what == 7) return {call_outcome::none_available, {}, "none is available", {}};
  if (what == 8) return {call_outcome::failed, {}, "it fails", {}};
  if (what == 9 && random_.below(2) == 0) return {call_outcome::unknown, {}, "no answer, and no effect", {}};
  const auto id = fmt::format("F{}", ++issued_);
  given[std::string(request)].insert(id);
  if (what < 7) return {call_outcome::done, id, {}, {}};
  ++answers_lost;
  return {call_outcome::unknown, {}, "no answer", {}};
}

generator_answer sim_generator::confirm(std::string_view) {
  if (in_order || random_.below(4) != 0) return {call_outcome::done, {}, {}, {}};
  return {call_outcome::unknown, {}, "no answer", {}};
}

void registrant_clients::ask(node& to) {
  ++sent_;
  const auto what = random_.below(10);
  if (what < 7) {
    actors::create_registrants m;
    for (auto n = 1 + random_.below(2); n > 0; --n) {
      actors::new_registrant r{"individual", "foreign", {}, {}};
      if (random_.below(2) == 0) r.reference = fmt::format("r{}", sent_ / 8 + random_.below(4));
      m.registrants.push_back(std::move(r));
    }
    asked_.push_back(to.send_to_queue<std::vector<actors::created_registrant>>(std::move(m)));
  } else if (what < 8 && !known_.empty()) {
    actors::request_registrant_id m;
    m.id = *std::next(known_.begin(), static_cast<std::ptrdiff_t>(random_.below(known_.size())));
    (void)to.send_to_queue<registrant>(std::move(m));
  } else if (what < 9) {
    const auto doubts = storage::list_calls(*to.durable(), part(), true, 0, rows_max);
    if (!doubts || doubts->empty()) return;
    const auto& call = (*doubts)[random_.below(doubts->size())];
    actors::resolve_generator_call m;
    m.call = call.number;
    m.note = looked_up;
    // What it gave for the registrant and nobody has.
    for (const auto& id : generator_->given[task_key_of(call.registrant)])
      if (!unique_ids_.contains(call.registrant) || unique_ids_.at(call.registrant) != id) m.unique_id = id;
    if (random_.below(2) == 0) m.unique_id.clear();
    (void)to.send_to_queue<generator_call>(std::move(m));
  } else {
    to.kill_worker_by_order();
  }
}

bool registrant_clients::answer_a_call() {
  if (calls_.empty()) return false;
  std::swap(calls_.front(), calls_[random_.below(calls_.size())]);
  const auto call = std::move(calls_.front());
  calls_.pop_front();
  call();
  return true;
}

void registrant_clients::learn(bool storage_failed) {
  std::erase_if(asked_, [&](const auto& answer) {
    if (!answer->ready()) return false;
    if (const auto& made = answer->value()) {
      for (const auto& one : *made) known_.insert(one.id);
    } else if (const auto code = made.error().code; code != errc::overloaded && code != errc::unavailable &&
                                                    code != errc::outcome_unknown && code != errc::fenced &&
                                                    !storage_failed) {
      found_.add("creating a registrant was refused: " + made.error().message);
    }
    return true;
  });
}

void registrant_clients::node_ends() {
  node_lives_ = false;
  while (!calls_.empty()) {
    const auto call = std::move(calls_.front());
    calls_.pop_front();
    if (random_.below(2) == 0) call();
  }
  asked_.clear();
}

void registrant_clients::restored() {
  known_.clear();
  unique_ids_.clear();
  // Calls that were made since the backup are on no list any more.
  for (auto& [who, ids] : generator_->given) ids.clear();
}

void registrant_clients::check(const storage::view& durable) {
  const auto rows = storage::list_registrants(durable, part(), 0, rows_max);
  const auto calls = storage::list_calls(durable, part(), false, 0, rows_max);
  if (!rows || !calls) return found_.add("the registrants cannot be listed");
  std::map<std::uint64_t, std::uint64_t> listed; ///< calls by registrant
  std::uint64_t in_doubt = 0;
  std::map<std::uint64_t, id_progress> progress;
  for (const auto& r : *rows) progress[r.id] = r.progress;
  for (const auto& c : *calls) {
    // What came late is its registrant's next, or it is to be on the list of those in doubt.
    const bool late = c.state == call_state::answered && c.note != looked_up;
    if (!late || progress[c.registrant] == id_progress::requested) ++listed[c.registrant];
    if (c.state == call_state::in_doubt) ++in_doubt;
  }
  most_in_doubt_ = std::max(most_in_doubt_, in_doubt);
  std::set<std::uint64_t> there;
  std::map<std::string, std::uint64_t> owners;
  for (const auto& r : *rows) {
    there.insert(r.id);
    if (!r.unique_id.empty()) {
      const auto [owner, first] = owners.emplace(r.unique_id, r.id);
      if (!first)
        found_.add(symptom::id_shared,
                   fmt::format("{} is the ID of the registrants {} and {}", r.unique_id, owner->second, r.id));
    }
    const auto [seen, fresh] = unique_ids_.emplace(r.id, r.unique_id);
    if (!fresh && seen->second != r.unique_id && !seen->second.empty())
      found_.add(symptom::id_changed,
                 fmt::format("registrant {} had {} and has '{}'", r.id, seen->second, r.unique_id));
    seen->second = r.unique_id;
    const auto t = storage::find_task(durable, storage::tasks_of_node(), r.request_task);
    const bool over = t && *t && (*t)->task.state == tasks::task_state::completed;
    if (over && r.unique_id.empty())
      found_.add(symptom::registrant_forgotten,
                 fmt::format("task {} is COMPLETED, and registrant {} has no ID", r.request_task, r.id));
    const auto given = generator_->given.find(task_key_of(r.id));
    if (given == generator_->given.end()) continue;
    const auto unused = given->second.size() - given->second.count(r.unique_id);
    if (unused > listed[r.id])
      found_.add(symptom::call_lost,
                 fmt::format("registrant {} has {} identifiers that nobody uses, and {} calls listed", r.id, unused,
                             listed[r.id]));
  }
  for (const auto id : known_)
    if (!there.contains(id))
      found_.add(symptom::acknowledged_lost, fmt::format("registrant {} was acknowledged and is lost", id));
}

std::uint64_t registrant_clients::unfinished(node& at) {
  const auto rows = storage::list_registrants(*at.durable(), part(), 0, rows_max);
  if (!rows) return 0;
  std::uint64_t open = 0;
  for (const auto& r : *rows) {
    if (r.progress == id_progress::confirmed) continue;
    ++open;
    actors::request_registrant_id m;
    m.id = r.id;
    (void)at.send_to_queue<registrant>(std::move(m));
  }
  return open;
}

} // namespace matricula::sim
