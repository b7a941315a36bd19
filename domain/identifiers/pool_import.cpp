// How a pool takes in what was issued elsewhere.
#include "domain/identifiers/pool.hpp"

#include <algorithm>
#include <string_view>
#include <unordered_set>

namespace matricula::identifiers {

namespace {
/// Whether the record, as far as it tells, was loaded with something else than `row` says. What has happened to it here
/// since is no difference.
bool was_loaded_otherwise(const id_record& record, const import_row& row) {
  const auto loaded_as = [&] {
    // The first event is always kept; an EXPIRED one was loaded with two.
    if (record.history.empty()) return record.state;
    const bool ended_elsewhere =
        record.history.size() > 1 && record.history_dropped == 0 && record.history[1].by == import_name;
    return record.history[ended_elsewhere ? 1 : 0].to;
  }();
  if (loaded_as != row.state) return true;
  if (record.assignment != 1 || record.state == id_state::available) return false;
  return record.expires_at != row.expires_at || record.holder != row.holder;
}
} // namespace

result<import_verdict> pool::judge_import(const import_row& row, pool_rows& stored) const {
  const auto slot = stored.imported_at(row.id);
  if (!slot) return std::unexpected(slot.error());
  if (*slot) {
    const auto record = stored.record(**slot);
    if (!record) return std::unexpected(record.error());
    if (!*record) return fail(errc::corrupt, "An imported identifier has no record. Run matricula verify.");
    return was_loaded_otherwise(**record, row) ? import_verdict::changed : import_verdict::duplicate;
  }
  if (!row.counter || rules_.walks.index(*row.counter) >= counters_.issued_to) return import_verdict::accepted;
  const auto record = stored.record(*row.counter);
  if (!record) return std::unexpected(record.error());
  // Without a record it was passed over: granted away, or left out after a restore.
  return *record ? import_verdict::conflict : import_verdict::accepted;
}

void pool::take_in(const import_row& row, timestamp now, pool_changes& changes) {
  id_record record;
  record.id = row.id;
  record.foreign = row.foreign;
  record.holder = row.holder;
  record.expires_at = row.expires_at;
  record.assignment = 1;
  const bool ended = row.state == id_state::expired;
  if (ended) record.ended_at = std::min(row.expires_at.value_or(now), now);
  const auto begun = row.issued_at.value_or(record.ended_at.value_or(now));
  record.advance(begun, ended ? id_state::assigned : row.state, import_name);
  if (ended) record.advance(*record.ended_at, id_state::expired, import_name);
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
  changes.imported.emplace_back(record.id, counter);
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
  for (const auto& row : rows)
    require(!row.counter || rules_.walks.holds(*row.counter), "an identifier is imported by the issuer of its counter");
  import_outcome out;
  out.verdicts.reserve(rows.size());
  std::unordered_set<std::string_view> seen;
  for (const auto& row : rows) {
    require(row.state != id_state::available && !row.id.empty() && row.id.size() <= import_id_bytes_max,
            "an imported identifier has a name and is in use");
    const auto verdict = judge_import(row, stored);
    if (!verdict) return std::unexpected(verdict.error());
    const bool first = *verdict != import_verdict::accepted || seen.insert(row.id).second;
    out.verdicts.push_back(first ? *verdict : import_verdict::duplicate);
  }
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (out.verdicts[i] == import_verdict::accepted) take_in(rows[i], now, out.changes);
  return out;
}

} // namespace matricula::identifiers
