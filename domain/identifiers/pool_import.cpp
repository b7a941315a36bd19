// How a pool takes in what was issued elsewhere.
#include "domain/identifiers/pool.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <string_view>
#include <unordered_map>

namespace matricula::identifiers {

namespace {

/// Whether the record was loaded, as far as its history tells: the event of it, else the end of the history.
auto loading_of(const id_record& record) {
  return std::ranges::find_if(
      record.history, [](const history_event& e) { return e.from == id_state::available && e.by == import_name; });
}

/// Whether the record, as far as it tells, was loaded with something else than `row` says. What has happened to it here
/// since is no difference.
bool was_loaded_otherwise(const id_record& record, const import_row& row) {
  const auto begun = loading_of(record);
  if (begun == record.history.end()) return false;
  // An EXPIRED one was loaded with two events.
  const auto next = begun + 1;
  const bool ended_elsewhere = next != record.history.end() && next->by == import_name;
  if ((ended_elsewhere ? next->to : begun->to) != row.state) return true;
  const bool issued_since =
      std::any_of(next, record.history.end(), [](const history_event& e) { return e.from == id_state::available; });
  if (issued_since || record.state == id_state::available || record.state == id_state::granted) return false;
  return record.expires_at != row.expires_at || record.holder != row.holder;
}

bool say_the_same(const import_row& a, const import_row& b) {
  return a.state == b.state && a.expires_at == b.expires_at && a.holder == b.holder;
}

} // namespace

result<pool::judged_import> pool::judge_import(const import_row& row, pool_rows& stored) const {
  using enum import_verdict;
  const auto before = [&row](const id_record& record) {
    return judged_import{was_loaded_otherwise(record, row) ? changed : duplicate, {}};
  };
  const auto slot = stored.imported_at(row.id);
  if (!slot) return std::unexpected(slot.error());
  if (*slot) {
    const auto record = stored.record(**slot);
    if (!record) return std::unexpected(record.error());
    if (!*record) return fail(errc::corrupt, "An imported identifier has no record. Run matricula verify.");
    return before(**record);
  }
  const bool own = !row.counter || rules_.walks.holds(*row.counter);
  if (!row.counter || (own && rules_.walks.index(*row.counter) >= counters_.issued_to)) return judged_import{};
  auto record = stored.record(*row.counter);
  if (!record) return std::unexpected(record.error());
  // An own one without a record was passed over, such as after a restore.
  if (!*record) return judged_import{own ? accepted : elsewhere, {}};
  if ((*record)->state == id_state::granted) return judged_import{elsewhere, {}};
  if (loading_of(**record) != (*record)->history.end()) return before(**record);
  if ((*record)->state == id_state::available) return judged_import{accepted, std::move(*record)};
  return judged_import{conflict, {}};
}

result<pool::released_leaving> pool::find_released(std::span<const std::uint64_t> wanted, pool_rows& stored) {
  released_leaving out;
  std::vector<std::uint64_t> slots;
  const auto looks = std::min(counters_.released, import_released_looks_max);
  for (std::uint64_t n = 0; n < looks && slots.size() < wanted.size(); ++n) {
    if (released_looked_to_ == 0 || released_looked_to_ > counters_.released) released_looked_to_ = counters_.released;
    const auto counter = stored.released_at(--released_looked_to_);
    if (!counter) return std::unexpected(counter.error());
    if (!std::ranges::binary_search(wanted, *counter)) continue;
    slots.push_back(released_looked_to_);
    out.counters.push_back(*counter);
  }
  // From the last one down: what stands at the end moves into the gap.
  std::ranges::sort(slots, std::greater{});
  std::map<std::uint64_t, std::uint64_t> moved;
  auto last = counters_.released;
  for (const auto slot : slots) {
    if (slot == --last) continue;
    const auto again = moved.find(last);
    const auto filler = again != moved.end() ? result<std::uint64_t>(again->second) : stored.released_at(last);
    if (!filler) return std::unexpected(filler.error());
    moved[slot] = *filler;
  }
  for (const auto& [slot, counter] : moved)
    if (slot < last) out.moved.emplace_back(slot, counter);
  std::ranges::sort(out.counters);
  return out;
}

void pool::take_in(const import_row& row, std::optional<id_record> released, timestamp now, pool_changes& changes) {
  // One that was issued here before keeps its place and its history: it is assigned once more.
  const bool again = released.has_value();
  auto record = again ? std::move(*released) : id_record{};
  const auto not_before = record.history.empty() ? timestamp{} : record.history.back().at;
  record.id = row.id;
  record.foreign = row.foreign;
  record.holder = row.holder;
  record.idempotency_ref.clear();
  record.of_policy = false;
  record.expires_at = row.expires_at;
  record.ended_at.reset();
  ++record.assignment;
  const bool ended = row.state == id_state::expired;
  if (ended) record.ended_at = std::min(row.expires_at.value_or(now), now);
  const auto begun = std::max(row.issued_at.value_or(record.ended_at.value_or(now)), not_before);
  record.advance(begun, ended ? id_state::assigned : row.state, import_name);
  if (ended) record.advance(std::max(*record.ended_at, not_before), id_state::expired, import_name);
  if (again) {
    ++counters_.issues_total;
    return load(*row.counter, std::move(record), now, changes);
  }
  give_slot(row.counter, std::move(record), now, changes);
}

/// @param own_counter where the permutation has it
void pool::give_slot(std::optional<std::uint64_t> own_counter, id_record record, timestamp now, pool_changes& changes) {
  const auto index = own_counter ? rules_.walks.index(*own_counter) : counters_.walked_to;
  if (index >= counters_.issued_to && index < counters_.walked_to) {
    // It was counted as available; from now on it is as if the rules had refused it.
    --counters_.fresh;
    ++counters_.filtered;
    const auto held = std::ranges::lower_bound(fresh_, *own_counter, {}, &candidate::counter);
    if (held != fresh_.end() && held->counter == *own_counter) fresh_.erase(held);
  }
  const auto counter = import_slot(rules_.walks, counters_.imported++);
  if (record.foreign) ++counters_.imported_foreign;
  changes.imported.emplace_back(record.id, counter);
  load(counter, std::move(record), now, changes);
}

void pool::load(std::uint64_t counter, id_record record, timestamp now, pool_changes& changes) {
  counters_.count(record.state, 1);

  // Never before now: the expirer may have passed an earlier time while this was on its way.
  const auto add_due = [&](timestamp at, due_kind kind) {
    at = std::max({at, now, counters_.due_floor});
    const auto same =
        std::ranges::find_if(changes.due_added, [&](const due_row& due) { return due.at == at && due.kind == kind; });
    if (same != changes.due_added.end())
      same->entries.push_back({counter, record.assignment});
    else
      changes.due_added.push_back({at, kind, {{counter, record.assignment}}, {}});
  };
  if (record.state == id_state::expired)
    add_due(record.ended_at.value_or(now) + rules_.cool_off, due_kind::release);
  else if (record.state == id_state::assigned && record.expires_at)
    add_due(*record.expires_at, due_kind::expire);
  changes.records.emplace_back(counter, std::move(record));
}

pool_changes pool::take_over(std::vector<import_copy> copies, std::string_view by, timestamp now) {
  require(copies.size() <= import_rows_max, "what is taken over fits into one batch");
  pool_changes changes;
  for (auto& [record, counter] : copies) {
    const auto last = record.history.empty() ? now : record.history.back().at;
    if (record.state == id_state::available) record.advance(std::max(now, last), id_state::retired, by);
    record.idempotency_ref.clear();
    record.of_policy = false;
    // The audit trail that its steps stand in is lost: they go into this one.
    record.journal_seq = 0;
    record.unrecorded.count = static_cast<std::uint32_t>(record.history.size());
    give_slot(counter, std::move(record), now, changes);
  }
  return changes;
}

result<pool::import_outcome> pool::import(std::span<const import_row> rows, timestamp now, pool_rows& stored) {
  require(rows.size() <= import_rows_max, "an import fits into one batch");
  import_outcome out;
  out.verdicts.reserve(rows.size());
  std::map<std::uint64_t, id_record> released; ///< by counter
  std::size_t released_bytes = 0;
  for (const auto& row : rows) {
    require(row.state != id_state::available && !row.id.empty() && row.id.size() <= import_id_bytes_max,
            "an imported identifier has a name and is in use");
    auto judged = judge_import(row, stored);
    if (!judged) return std::unexpected(judged.error());
    out.verdicts.push_back(judged->verdict);
    if (!judged->released || released.contains(*row.counter)) continue;
    released_bytes += judged->released->size_estimate();
    if (released_bytes > import_released_bytes_max)
      out.verdicts.back() = import_verdict::in_pool;
    else
      released.emplace(*row.counter, std::move(*judged->released));
  }
  std::vector<std::uint64_t> wanted;
  for (const auto& [counter, record] : released) wanted.push_back(counter);
  auto leaving = find_released(wanted, stored);
  if (!leaving) return std::unexpected(leaving.error());

  // Nothing fails from here on.
  counters_.released -= leaving->counters.size();
  out.changes.released_slots = std::move(leaving->moved);
  std::unordered_map<std::string_view, std::size_t> first;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto& verdict = out.verdicts[i];
    if (verdict != import_verdict::accepted) continue;
    const auto known = rows[i].counter ? released.find(*rows[i].counter) : released.end();
    if (known != released.end() && !std::ranges::binary_search(leaving->counters, known->first)) {
      verdict = import_verdict::in_pool;
      continue;
    }
    const auto [earlier, is_first] = first.emplace(rows[i].id, i);
    if (!is_first) {
      verdict = say_the_same(rows[earlier->second], rows[i]) ? import_verdict::duplicate : import_verdict::changed;
      continue;
    }
    take_in(rows[i], known == released.end() ? std::nullopt : std::optional(std::move(known->second)), now,
            out.changes);
  }
  for (auto& due : out.changes.due_added) std::ranges::sort(due.entries, {}, &due_entry::counter);
  return out;
}

} // namespace matricula::identifiers
