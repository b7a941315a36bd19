#include "test/sim/planted_log.hpp"

#include "domain/identifiers/record.hpp"
#include "domain/registrants/generator_call.hpp"
#include "storage/idempotency.hpp"
#include "storage/tasks.hpp"

#include <stdexcept>
#include <string>

namespace matricula::sim {

using namespace storage;

namespace {
constexpr std::size_t kind_of_task_row = 1; ///< where the key of a row of the tasks' index says its kind
constexpr char ready_task = 1, running_task = 3, unique_key_of_task = 5;

bool is_task_row(column c, std::string_view key, char kind) {
  return c == column::task_index && key.size() > kind_of_task_row && key[kind_of_task_row] == kind;
}

class poisonous_view final : public view {
public:
  poisonous_view(std::shared_ptr<const view> real, planted_bug bug) : real_(std::move(real)), bug_(bug) {}
  result<std::optional<std::string>> get(column where, std::string_view key) const override {
    if (key.ends_with(planted_log::poison_reference)) throw std::runtime_error("injected: the message is poison");
    // In this column the type's own row has a key of three bytes; longer ones say who was imported.
    if (bug_ == planted_bug::unskipped_import && where == column::pools && key.size() > 3) return std::nullopt;
    auto row = real_->get(where, key);
    if (bug_ == planted_bug::tries_twice && where == column::tasks && row && *row) count_again(key, **row);
    return row;
  }
  result<void> walk(column where, std::string_view lower, std::string_view upper,
                    const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    return real_->walk(where, lower, upper, visit);
  }
  result<void> walk_back(column where, std::string_view lower, std::string_view upper,
                         const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    return real_->walk_back(where, lower, upper, visit);
  }

private:
  void count_again(std::string_view key, std::string& row) const {
    auto t = tasks::decode_task(row);
    if (!t) return;
    const task_partition part{{static_cast<std::uint8_t>(key.front())}};
    const auto held = real_->get(column::task_index, part.running_key(tasks::queue_of(*t), t->id));
    if (!held || !*held) return;
    ++t->tries;
    row = tasks::encode(*t);
  }

  std::shared_ptr<const view> real_;
  planted_bug bug_;
};
} // namespace

void planted_log::acquire(shard_id shard, std::string_view partition, completion<result<tenure>> granted) {
  if (bug_ != planted_bug::no_tenure) return real_.acquire(shard, partition, std::move(granted));
  const auto name = std::pair{shard, std::string(partition)};
  if (const auto known = first_.find(name); known != first_.end()) return granted(known->second);
  real_.acquire(shard, partition, [this, name, done = std::move(granted)](result<tenure> t) mutable noexcept {
    if (t) first_.emplace(name, *t);
    done(std::move(t));
  });
}

void planted_log::append(permit room, batch what, completion<verdict, position> settled) noexcept {
  switch (bug_) {
  case planted_bug::idempotency_apart:
    append_apart([](column c, std::string_view) { return c == column::idempotency; }, std::move(room), what,
                 std::move(settled));
    break;
  case planted_bug::count_apart:
    append_apart([](column c, std::string_view) { return c == column::holders; }, std::move(room), what,
                 std::move(settled));
    break;
  case planted_bug::task_key_apart:
    append_apart([](column c, std::string_view key) { return is_task_row(c, key, unique_key_of_task); },
                 std::move(room), what, std::move(settled));
    break;
  case planted_bug::id_apart:
    append_apart([](column c, std::string_view) { return c == column::registrants; }, std::move(room), what,
                 std::move(settled));
    break;
  case planted_bug::unwritten_lease:
    real_.append(std::move(room), without_leases(what), std::move(settled));
    break;
  case planted_bug::untold_lapse:
    real_.append(std::move(room), without_lost_tries(what), std::move(settled));
    break;
  case planted_bug::reply_before_write:
    apart_.emplace_back([done = std::move(settled)]() mutable noexcept { done(verdict::durable, position{}); });
    real_.append(std::move(room), std::move(what), [](verdict, position) noexcept {});
    break;
  case planted_bug::missing_index_key:
    real_.append(std::move(room), without_some_due_rows(what), std::move(settled));
    break;
  case planted_bug::forgotten_grant:
    real_.append(std::move(room), without_taken_grants(what), std::move(settled));
    break;
  case planted_bug::early_purge:
    real_.append(std::move(room), purging_early(what), std::move(settled));
    break;
  default:
    if (swallows(what)) {
      settled(verdict::durable, position{});
      break;
    }
    real_.append(std::move(room), std::move(what), std::move(settled));
  }
  if (work_) work_();
}

bool planted_log::do_apart() {
  if (apart_.empty()) return false;
  auto next = std::move(apart_.front());
  apart_.pop_front();
  next();
  return true;
}

bool planted_log::begins_a_call(const batch& what) {
  bool begins = false, alone = true;
  const bool well_formed = batch::decode(
      what.encoded(),
      [&](column c, std::string_view, std::string_view value) {
        alone = alone && c == column::registrants;
        const auto call = registrants::decode_generator_call(value);
        begins = begins || (c == column::registrants && call && call->state == registrants::call_state::open);
      },
      [&](column c, std::string_view) { alone = alone && c == column::registrants; });
  require(well_formed, "a batch decodes");
  return begins && alone;
}

bool planted_log::swallows(const batch& what) const {
  if (bug_ == planted_bug::unwritten_call) return begins_a_call(what);
  const bool letters = bug_ == planted_bug::unkept_letter || bug_ == planted_bug::unmarked_replay;
  if (!letters && bug_ != planted_bug::forgotten_run) return false;
  bool about_letters = false, about_runs = false;
  std::size_t puts = 0;
  const bool well_formed = batch::decode(
      what.encoded(),
      [&](column c, std::string_view key, std::string_view) {
        ++puts;
        about_letters = about_letters || c == column::dead_letters;
        if (c != column::schedules) return;
        // From where a job counts is written, and no run of it.
        const auto rows = real_.read(what.shard());
        const auto row = rows ? (*rows)->get(c, key) : std::unexpected(rows.error());
        about_runs = row && row->has_value();
      },
      [](column, std::string_view) {});
  require(well_formed, "a batch decodes");
  if (bug_ == planted_bug::forgotten_run) return about_runs;
  // To keep a letter is to write it and its count, to mark it is to write it alone.
  return about_letters && what.operations() == puts && (puts == 2) == (bug_ == planted_bug::unkept_letter);
}

result<std::shared_ptr<const view>> planted_log::read(shard_id shard, position at_least) const {
  if (poisoned_) {
    poisoned_ = false;
    ++reads_poisoned_;
    throw std::runtime_error("injected: the read threw");
  }
  auto rows = real_.read(shard, at_least);
  if (!rows) return rows;
  return std::make_shared<const poisonous_view>(std::move(*rows), bug_);
}

void planted_log::append_apart(const std::function<bool(column, std::string_view key)>& apart_goes, permit room,
                               const batch& what, completion<verdict, position> settled) noexcept {
  batch rest(what.shard());
  batch apart(what.shard());
  const bool well_formed = batch::decode(
      what.encoded(),
      [&](column c, std::string_view k, std::string_view v) { (apart_goes(c, k) ? apart : rest).put(c, k, v); },
      [&](column c, std::string_view k) { (apart_goes(c, k) ? apart : rest).erase(c, k); });
  require(well_formed, "a batch decodes");
  const auto held = room.held();
  real_.append(std::move(room), std::move(rest), std::move(settled));
  if (apart.empty()) return;
  apart_.emplace_back([this, held, left = std::move(apart)]() mutable noexcept {
    if (auto more = real_.reserve(held, left.bytes()))
      real_.append(std::move(*more), std::move(left), [](verdict, position) noexcept {});
  });
}

batch planted_log::without_some_due_rows(const batch& what) {
  constexpr std::uint64_t forgotten_every = 7;
  batch out(what.shard());
  const bool well_formed = batch::decode(
      what.encoded(),
      [&](column c, std::string_view k, std::string_view v) {
        if (c != column::due || ++due_rows_ % forgotten_every != 0) out.put(c, k, v);
      },
      [&](column c, std::string_view k) { out.erase(c, k); });
  require(well_formed, "a batch decodes");
  return out;
}

batch planted_log::without_taken_grants(const batch& what) {
  constexpr std::size_t kind_at = 3; // after the issuer's own key
  constexpr char taken = 3;
  batch out(what.shard());
  const bool well_formed = batch::decode(
      what.encoded(),
      [&](column c, std::string_view k, std::string_view v) {
        if (c != column::pools || k.size() <= kind_at || k[kind_at] != taken) out.put(c, k, v);
      },
      [&](column c, std::string_view k) { out.erase(c, k); });
  require(well_formed, "a batch decodes");
  return out;
}

/// Of a batch that leases tasks it leaves them where they are.
batch planted_log::without_leases(const batch& what) {
  bool leases = false;
  batch out(what.shard());
  const bool well_formed =
      batch::decode(
          what.encoded(),
          [&](column c, std::string_view k, std::string_view) { leases = leases || is_task_row(c, k, running_task); },
          [](column, std::string_view) {}) &&
      batch::decode(
          what.encoded(),
          [&](column c, std::string_view k, std::string_view v) {
            if (!is_task_row(c, k, running_task)) out.put(c, k, v);
          },
          [&](column c, std::string_view k) {
            if (!leases || !is_task_row(c, k, ready_task)) out.erase(c, k);
          });
  require(well_formed, "a batch decodes");
  return out;
}

/// A task whose latest try was lost is written as it was before that.
batch planted_log::without_lost_tries(const batch& what) {
  batch out(what.shard());
  const bool well_formed = batch::decode(
      what.encoded(),
      [&](column c, std::string_view k, std::string_view v) {
        if (c != column::tasks) return out.put(c, k, v);
        auto t = tasks::decode_task(v);
        if (!t || t->state != tasks::task_state::pending || t->history.empty() ||
            t->history.back().ended != tasks::outcome_kind::lost)
          return out.put(c, k, v);
        t->history.pop_back();
        --t->tries;
        out.put(c, k, tasks::encode(*t));
      },
      [&](column c, std::string_view k) { out.erase(c, k); });
  require(well_formed, "a batch decodes");
  return out;
}

/// What puts the end of a record off erases it instead.
batch planted_log::purging_early(const batch& what) {
  constexpr std::size_t purge_key_bytes = 1 + 2 + 8 + 1 + 16;
  constexpr std::size_t kind_at = 11;
  const auto purges = [](column c, std::string_view key) {
    return c == column::due && key.size() == purge_key_bytes &&
           static_cast<std::uint8_t>(key[kind_at]) == static_cast<std::uint8_t>(identifiers::due_kind::purge);
  };
  std::string done;
  const auto look = [&](column c, std::string_view k) {
    if (purges(c, k)) done = k.substr(kind_at + 1);
  };
  batch out(what.shard());
  const bool well_formed = batch::decode(
                               what.encoded(), [](column, std::string_view, std::string_view) {}, look) &&
                           batch::decode(
                               what.encoded(),
                               [&](column c, std::string_view k, std::string_view v) {
                                 if (purges(c, k) && k.substr(kind_at + 1) == done)
                                   out.erase(column::idempotency, idempotency::key_of(what.shard(), done));
                                 else
                                   out.put(c, k, v);
                               },
                               [&](column c, std::string_view k) { out.erase(c, k); });
  require(well_formed, "a batch decodes");
  return out;
}

} // namespace matricula::sim
