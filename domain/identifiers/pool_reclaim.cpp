#include "domain/identifiers/pool.hpp"

#include <unordered_set>

namespace matricula::identifiers {

namespace {
constexpr std::size_t reclaim_bytes_max = 96 * 1024;
constexpr std::size_t reclaims_max = 400;
} // namespace

result<pool::reclaim_outcome> pool::reclaim(std::span<const due_entry> entries, timestamp issued_before,
                                            std::string_view by, timestamp now, milliseconds purge_after,
                                            pool_rows& rows) {
  // Read everything first: an unreadable row must not leave the counters half moved.
  std::vector<std::pair<std::uint64_t, id_record>> current;
  std::unordered_set<std::uint64_t> named;
  std::size_t bytes = 0;
  for (const auto& entry : entries) {
    if (bytes > reclaim_bytes_max || current.size() >= reclaims_max) break;
    auto record = rows.record(entry.counter);
    if (!record) return std::unexpected(record.error());
    if (!*record || (*record)->assignment != entry.assignment) continue;
    if (!next_state(rules_.of, (*record)->state, id_event::reclaim)) continue;
    if (const auto at = (*record)->issued_at(); !at || *at >= issued_before) continue;
    if (!named.insert(entry.counter).second) continue;
    bytes += (*record)->size_estimate();
    current.emplace_back(entry.counter, std::move(**record));
  }
  reclaim_outcome out;
  for (auto& [counter, record] : current) {
    auto to = *next_state(rules_.of, record.state, id_event::reclaim);
    if (!may_be_reused(counter, record)) to = id_state::retired;
    counters_.count(record.state, -1);
    record.advance(now, to, by);
    purge_later(record, now, purge_after, out.changes);
    if (to == id_state::available)
      push_released(counter, out.changes);
    else
      counters_.count(to, 1);
    out.ids.push_back(record.id);
    out.assignments.push_back(record.assignment);
    out.changes.records.emplace_back(counter, std::move(record));
  }
  return out;
}

} // namespace matricula::identifiers
