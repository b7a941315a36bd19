#include "storage/id_ledger.hpp"

#include "foundation/bytes.hpp"
#include "storage/unconfirmed.hpp"

#include <algorithm>

namespace matricula::storage {

using namespace identifiers;

namespace {

/// The record before the steps that it took since it was read, as far as the index must know it.
id_record before_steps(const id_record& record, std::size_t steps) {
  id_record then;
  then.history.assign(record.history.begin(), record.history.end() - static_cast<std::ptrdiff_t>(steps));
  then.state = record.history[record.history.size() - steps].from;
  then.journal_seq = record.journal_seq;
  return then;
}

} // namespace

std::size_t id_ledger::import_bytes(const import_row& row) noexcept {
  constexpr std::size_t number = 10;            // a counter, an assignment, a time, a length: a varint at most
  constexpr std::size_t operation = 3 + number; // kind, column, length of the key; length of the value
  constexpr std::size_t longest_key = 28;       // of rows without a text in their key: one of the unconfirmed
  const auto text = [](std::string_view t) { return varint_bytes(t.size()) + t.size(); };
  const auto id = text(row.id);
  const auto holder = text(row.holder);
  const std::size_t steps = row.state == id_state::expired ? 2 : 1;
  const auto record = operation + 11 + 3 + id + number + 2 * number + holder + 2 * number + 1 +
                      steps * (number + 1 + text(import_name));
  const auto trail = steps * (1 + number + id + number + 1 + number + holder + number);
  const auto place = operation + 4 + id + number;                           // in the index of imports, or of a gap
  const auto due_or_unconfirmed = operation + longest_key + 3 + 2 * number; // a row of its own
  return record + trail + place + due_or_unconfirmed;
}

result<id_ledger> id_ledger::resume(const view& rows, const id_partition& part) {
  auto trail = journal::writer::resume(rows, id_trail::chain_of(part));
  if (!trail) return std::unexpected(trail.error());
  const auto floor = unconfirmed::find_floor(rows, part);
  if (!floor) return std::unexpected(floor.error());
  return id_ledger(part, std::move(*trail), *floor);
}

result<void> id_ledger::put(batch& into, pool_changes& changes, const pool_counters& counters, const asker& who,
                            const reader& rows) {
  const auto seq = trail_.next();
  id_trail::note note{std::string(who.tenant), std::string(who.request_id), {}};
  note.entries.reserve(changes.records.size());
  index_rows index;
  auto earliest = timestamp::max();
  for (auto& [counter, record] : changes.records) {
    const auto steps = std::min<std::size_t>(record.unrecorded.count, record.history.size());
    if (steps == 0) continue;
    for (auto i = record.history.size() - steps; i < record.history.size(); ++i) {
      const auto& e = record.history[i];
      note.entries.push_back(
          {counter, record.id, record.assignment, e.from, e.to, e.at, e.by, record.holder, record.journal_seq});
    }
    if (part_.of == lifecycle::uin) {
      if (const auto then = before_steps(record, steps); then.state == id_state::issued)
        if (auto out = take_out(counter, then, rows, index); !out) return out;
    }
    record.journal_seq = seq;
    record.unrecorded = {};
    if (part_.of != lifecycle::uin) continue;
    if (const auto where = unconfirmed::place_of(counter, record)) {
      index[unconfirmed::key_of(part_, *where)].push_back({counter, record.assignment});
      earliest = std::min(earliest, where->issued_at);
    }
  }
  put_rows(into, part_, changes, counters);
  if (note.entries.empty()) return {};
  put_index(into, index);
  if (earliest < floor_) {
    // Such as an import of what was issued long ago.
    floor_ = earliest;
    into.put(column::unconfirmed, unconfirmed::floor_key(part_), unconfirmed::encode_floor(floor_));
  }
  const auto latest = std::ranges::max(note.entries, {}, &id_trail::entry::at).at;
  const auto at = trail_.time_for(latest);
  if (earliest < at) backdated_ = seq;
  trail_.append(into, at, id_trail::encode(note, at));
  return {};
}

result<void> id_ledger::take_out(std::uint64_t counter, const id_record& as_it_was, const reader& rows,
                                 index_rows& changed) const {
  const auto where = unconfirmed::place_of(counter, as_it_was);
  if (!where) return {};
  const auto key = unconfirmed::key_of(part_, *where);
  auto found = changed.find(key);
  if (found == changed.end()) {
    const auto bytes = rows(column::unconfirmed, key);
    if (!bytes) return std::unexpected(bytes.error());
    // A damaged row of the index is no reason to refuse a confirmation; matricula verify finds it.
    auto entries = *bytes ? unconfirmed::decode(**bytes) : result<std::vector<due_entry>>(std::vector<due_entry>{});
    if (!entries || entries->empty()) return {};
    found = changed.emplace(key, std::move(*entries)).first;
  }
  std::erase_if(found->second, [counter](const due_entry& e) { return e.counter == counter; });
  return {};
}

void id_ledger::put_index(batch& into, const index_rows& changed) const {
  for (const auto& [key, entries] : changed) {
    if (entries.empty()) {
      into.erase(column::unconfirmed, key);
      continue;
    }
    auto sorted = entries;
    std::ranges::sort(sorted, {}, &due_entry::counter);
    into.put(column::unconfirmed, key, unconfirmed::encode(sorted));
  }
}

void id_ledger::raise_floor(batch& into, timestamp floor, std::uint64_t trail_seen) {
  if (floor <= floor_ || trail_seen < backdated_) return;
  floor_ = floor;
  into.put(column::unconfirmed, unconfirmed::floor_key(part_), unconfirmed::encode_floor(floor_));
}

} // namespace matricula::storage
