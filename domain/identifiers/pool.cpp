#include "domain/identifiers/pool.hpp"

#include "foundation/bytes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

namespace matricula::identifiers {

namespace {
constexpr std::uint8_t issued_ids_version = 1;
constexpr std::string_view expirer_name = "expirer";
/// What fits into one batch beside its other rows.
constexpr std::size_t issue_bytes_max = 250 * 1024;
constexpr std::size_t due_bytes_max = 96 * 1024;
constexpr std::size_t released_row_bytes = 32;
constexpr std::size_t due_steps_max = 400;
constexpr milliseconds refill_retry_after{1'000};
constexpr milliseconds release_retry_after{60'000};

/// Of an identifier that is handed out, beside its record: its part of the answer, of a due row and of the audit trail.
/// @param distance between its counter and that of the one before
std::size_t bytes_beside(const id_record& record, std::uint64_t distance) {
  const auto number = varint_bytes(record.assignment);
  const auto text = 1 + record.id.size();
  const auto counter = varint_bytes(distance) + 1;
  return (text + number) + (counter + number) + (2 + counter + text + number + varint_bytes(record.journal_seq));
}

/// Adds to the last row of the same time and kind, so that a batch issue costs one due row.
void add_due(std::vector<due_row>& rows, timestamp at, due_kind kind, due_entry entry) {
  for (auto& row : rows)
    if (row.at == at && row.kind == kind && row.entries.size() < due_row::entries_max)
      return row.entries.push_back(entry);
  rows.push_back({at, kind, {entry}, {}});
}

void sort_due(std::vector<due_row>& rows) {
  for (auto& row : rows) std::ranges::sort(row.entries, {}, &due_entry::counter);
}
} // namespace

std::string encode(const issued_ids& ids) {
  byte_writer out;
  out.u8(issued_ids_version)
      .varint(to_unix_ms(ids.issued_at))
      .varint(ids.expires_at ? to_unix_ms(*ids.expires_at) + 1 : 0);
  out.varint(ids.ids.size());
  for (std::size_t i = 0; i < ids.ids.size(); ++i) out.text(ids.ids[i]).varint(ids.assignments[i]);
  return std::move(out).str();
}

result<issued_ids> decode_issued_ids(std::string_view bytes) {
  byte_reader in{bytes};
  issued_ids ids;
  const bool version_known = in.u8() == issued_ids_version;
  ids.issued_at = from_unix_ms(in.varint());
  if (const auto expires = in.varint()) ids.expires_at = from_unix_ms(expires - 1);
  const auto count = in.varint();
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    ids.ids.emplace_back(in.text());
    ids.assignments.push_back(static_cast<std::uint32_t>(in.varint()));
  }
  if (!version_known || !in.done())
    return fail(errc::corrupt, "issued identifiers: unknown version, cut short or too long");
  return ids;
}

std::optional<timestamp> over_by(const id_record& record, std::uint32_t assignment) {
  if (record.assignment < assignment || record.history.empty()) return std::nullopt;
  if (record.assignment == assignment) {
    if (record.ended_at) return record.ended_at;
    if (record.state == id_state::available || record.state == id_state::retired || record.state == id_state::granted)
      return record.history.back().at;
    return std::nullopt;
  }
  // Backwards through the later assignments; when events were dropped, the gap is behind the first one.
  const std::size_t oldest = record.history_dropped > 0 ? 1 : 0;
  auto number = record.assignment;
  for (auto i = record.history.size(); i-- > oldest;) {
    const auto& event = record.history[i];
    if (event.from == id_state::available && number-- == assignment + 1) return event.at;
  }
  return record.history[std::min(oldest, record.history.size() - 1)].at;
}

pool::pool(pool_rules rules, const pool_counters& stored)
    : rules_(rules), counters_(stored), held_to_(stored.issued_to) {}

pool_level pool::level(std::uint64_t wanted) const noexcept {
  return {fresh_.size(), counters_.released, held_to_, rules_.end, wanted};
}

bool pool::exhausted() const noexcept {
  return counters_.available() == 0 && counters_.walked_to >= rules_.end && counters_.cooling == 0;
}

bool pool::accept(pool_proposal proposal) {
  if (proposal.from != held_to_ || proposal.to <= proposal.from || proposal.to > rules_.end) return false;
  // What lies below walked_to was counted before the restart; beyond it is new.
  const auto new_from = std::max(proposal.from, counters_.walked_to);
  if (proposal.to > new_from) {
    const auto index_of = [this](const candidate& c) { return rules_.walks.index(c.counter); };
    const auto first_new = std::ranges::lower_bound(proposal.found, new_from, {}, index_of);
    const auto valid = static_cast<std::uint64_t>(proposal.found.end() - first_new);
    counters_.fresh += valid;
    counters_.filtered += (proposal.to - new_from) - valid;
    counters_.walked_to = proposal.to;
  }
  held_to_ = proposal.to;
  fresh_.insert(fresh_.end(), std::make_move_iterator(proposal.found.begin()),
                std::make_move_iterator(proposal.found.end()));
  return true;
}

result<pool::issue_outcome> pool::issue(const issue_request& request, timestamp now, random_source& random,
                                        pool_rows& rows) {
  require(request.count > 0, "an issue asks for at least one identifier");
  const auto unwalked = rules_.end - counters_.walked_to;
  if (exhausted())
    return fail(errc::exhausted, "Every identifier of this type has been issued. Configure a longer type.");

  // How many come from the released list? Each draw weighs it against everything never issued yet.
  const double imported_share = static_cast<double>(counters_.imported_valid()) / static_cast<double>(rules_.end);
  const double remaining = static_cast<double>(counters_.fresh) +
                           static_cast<double>(unwalked) * std::max(0.0, rules_.valid_share - imported_share);
  std::uint64_t draws = 0;
  if (counters_.released > 0) {
    for (std::uint32_t i = 0; i < request.count; ++i) {
      const double released_left = static_cast<double>(counters_.released - draws);
      const double fresh_left = std::max(0.0, remaining - static_cast<double>(i - draws));
      const double share = released_left / std::max(1.0, released_left + fresh_left);
      if (released_left >= 1 && static_cast<double>(random.next() >> 11) * 0x1p-53 < share) ++draws;
    }
    draws = std::min<std::uint64_t>(draws, released_draws_max);
  }
  if (request.count - draws > fresh_.size()) {
    const bool more_to_come = held_to_ < rules_.end;
    if (more_to_come)
      return fail(errc::refilling, "The pool is being refilled. Try again in a moment.", refill_retry_after);
    // Everything is walked: what fresh ones cannot cover, released ones must.
    draws = request.count - fresh_.size();
    if (draws > counters_.released && counters_.cooling > 0)
      return fail(errc::refilling, "Every identifier is in use or cooling off. Try again later.", release_retry_after);
    if (draws > counters_.released)
      return fail(errc::invalid_argument,
                  fmt::format("Only {} identifiers of this type are left. Ask for fewer.", counters_.available()));
    if (draws > released_draws_max)
      return fail(errc::invalid_argument,
                  fmt::format("This type has only released identifiers left. Ask for at most {} at a time.",
                              released_draws_max));
  }

  issue_outcome out;
  auto next = counters_;
  out.answer.issued_at = now;
  out.answer.expires_at = request.expires_at;
  out.changes.records.reserve(request.count);

  std::size_t bytes = 0; // an upper bound of what will be written
  std::uint64_t before = 0;
  const auto hand_out = [&](std::uint64_t counter, id_record record) {
    ++record.assignment;
    record.expires_at = request.expires_at;
    record.ended_at.reset();
    record.holder = request.holder;
    record.of_policy = request.of_policy;
    record.idempotency_ref = request.idempotency_ref;
    const auto to = next_state(rules_.of, id_state::available, id_event::issue);
    record.advance(now, *to, request.by);
    next.count(*to, 1);
    ++next.issues_total;
    if (request.expires_at)
      add_due(out.changes.due_added, *request.expires_at, due_kind::expire, {counter, record.assignment});
    out.answer.ids.push_back(record.id);
    out.answer.assignments.push_back(record.assignment);
    bytes += record.size_estimate() + bytes_beside(record, counter > before ? counter - before : before - counter);
    before = counter;
    out.changes.records.emplace_back(counter, std::move(record));
  };

  // Released: a random place of the list; the last one moves into the gap.
  std::unordered_map<std::uint64_t, std::uint64_t> moved;
  const auto at_slot = [&](std::uint64_t slot) -> result<std::uint64_t> {
    if (const auto i = moved.find(slot); i != moved.end()) return i->second;
    return rows.released_at(slot);
  };
  id_record like_the_others;
  like_the_others.id = fresh_.empty() ? "" : std::string(fresh_.front().id.view());
  like_the_others.holder = request.holder;
  like_the_others.idempotency_ref = request.idempotency_ref;
  like_the_others.advance(now, id_state::available, request.by);
  constexpr std::uint64_t usual_distance = 1'000;
  const auto fresh_bytes = like_the_others.size_estimate() + bytes_beside(like_the_others, usual_distance);
  const auto too_long = [&](std::uint64_t fit) {
    return fail(errc::invalid_argument,
                fmt::format("So many identifiers with such long histories or holders do not fit into one write. Ask "
                            "for at most {} at a time.",
                            fit));
  };
  for (std::uint64_t i = 0; i < draws; ++i) {
    if (bytes + (request.count - i) * fresh_bytes + id_record::bytes_max > issue_bytes_max) {
      // The rest must come from fresh ones, or the batch would outgrow what an engine takes.
      if (request.count - i > fresh_.size() && held_to_ < rules_.end)
        return fail(errc::refilling, "The pool is being refilled. Try again in a moment.", refill_retry_after);
      if (request.count - i > fresh_.size())
        return too_long(std::max<std::uint64_t>(i, issue_bytes_max / id_record::bytes_max - 1));
      draws = i;
      break;
    }
    const auto last = next.released - 1;
    const auto slot = random.below(next.released);
    const auto counter = at_slot(slot);
    if (!counter) return std::unexpected(counter.error());
    auto record = rows.record(*counter);
    if (!record) return std::unexpected(record.error());
    if (!*record || (*record)->state != id_state::available)
      return fail(errc::corrupt, "The released list names an identifier that is not available. Run matricula verify.");
    if (slot != last) {
      const auto filler = at_slot(last);
      if (!filler) return std::unexpected(filler.error());
      moved[slot] = *filler;
    }
    --next.released;
    hand_out(*counter, std::move(**record));
    bytes += released_row_bytes;
  }
  for (const auto& [slot, counter] : moved)
    if (slot < next.released) out.changes.released_slots.emplace_back(slot, counter);
  std::ranges::sort(out.changes.released_slots);

  const auto from_fresh = static_cast<std::ptrdiff_t>(request.count - draws);
  for (std::ptrdiff_t i = 0; i < from_fresh; ++i) {
    const auto& c = fresh_[static_cast<std::size_t>(i)];
    id_record record;
    record.id = std::string(c.id.view());
    next.issued_to = rules_.walks.index(c.counter) + 1;
    --next.fresh;
    hand_out(c.counter, std::move(record));
  }
  if (bytes > issue_bytes_max)
    return too_long(std::max<std::uint64_t>(request.count * (issue_bytes_max / 2) / bytes, 1));
  fresh_.erase(fresh_.begin(), fresh_.begin() + from_fresh);
  sort_due(out.changes.due_added);
  counters_ = next;
  return out;
}

result<pool::step_outcome> pool::step(std::uint64_t counter, id_event event, std::optional<std::uint32_t> assignment,
                                      std::string_view by, timestamp now, milliseconds purge_after, pool_rows& rows) {
  auto found = rows.record(counter);
  if (!found) return std::unexpected(found.error());
  // One that was borrowed has a record before it is ever issued.
  if (!*found || (*found)->assignment == 0) return fail(errc::not_found, "This identifier was never issued.");
  step_outcome out{std::move(**found), false, {}};
  auto& record = out.record;
  // Whoever asks here for one that was given away knows it from before: since then it has been available.
  if (record.state == id_state::granted) record.state = id_state::available;
  if (assignment && *assignment != record.assignment)
    return fail(errc::stale_assignment,
                fmt::format("Assignment {} of this identifier is not the present one. It belongs to somebody else now.",
                            *assignment));
  if (already_done(rules_.of, record.state, event) && (record.state != id_state::available || assignment)) return out;
  if (rules_.of == lifecycle::uin && event == id_event::give_back && record.state == id_state::retired) return out;
  auto to = next_state(rules_.of, record.state, event);
  if (!to)
    return fail(errc::conflict, fmt::format("An identifier in state {} of lifecycle {} cannot be changed by '{}'.",
                                            to_string(record.state), to_string(rules_.of), to_string(event)));
  out.changed = true;
  if (*to == id_state::available && !may_be_reused(counter, record)) to = id_state::retired;
  if (event == id_event::revoke) {
    end_assignment(counter, record, *to, now, now, by, purge_after, out.changes);
  } else {
    counters_.count(record.state, -1);
    record.advance(now, *to, by);
    if (event == id_event::give_back) purge_later(record, now, purge_after, out.changes);
    if (*to == id_state::available)
      push_released(counter, out.changes);
    else
      counters_.count(*to, 1);
  }
  out.changes.records.emplace_back(counter, record);
  return out;
}

result<pool::step_outcome> pool::expire(std::uint64_t counter, std::string_view by, timestamp now,
                                        milliseconds purge_after, pool_rows& rows) {
  auto found = rows.record(counter);
  if (!found) return std::unexpected(found.error());
  if (!*found) return fail(errc::not_found, "This identifier was never issued.");
  step_outcome out{std::move(**found), false, {}};
  auto& record = out.record;
  const auto to = next_state(rules_.of, record.state, id_event::expire);
  if (!to || !record.expires_at || *record.expires_at > now) return out;
  out.changed = true;
  end_assignment(counter, record, *to, *record.expires_at, now, by, purge_after, out.changes);
  out.changes.records.emplace_back(counter, record);
  return out;
}

result<pool::due_outcome> pool::apply_due(const due_row& row, timestamp now, milliseconds purge_after,
                                          pool_rows& rows) {
  require(row.at <= now && row.kind != due_kind::purge, "only rows that are due are applied");
  // Read everything first: an unreadable row must not leave the counters half moved.
  std::vector<std::pair<std::uint64_t, id_record>> current;
  std::size_t bytes = 0;
  std::vector<due_entry> left_over;
  std::vector<due_row> to_come;
  for (const auto& entry : row.entries) {
    if (bytes > due_bytes_max || current.size() >= due_steps_max) {
      left_over.push_back(entry);
      continue;
    }
    auto record = rows.record(entry.counter);
    if (!record) return std::unexpected(record.error());
    if (!*record || (*record)->assignment != entry.assignment) continue;
    const auto& r = **record;
    const bool still_so = row.kind == due_kind::expire
                              ? r.state == id_state::assigned && r.expires_at && *r.expires_at <= now
                              : r.state == id_state::expired && r.ended_at && *r.ended_at + rules_.cool_off <= now;
    if (!still_so) {
      // Still to come, because the cool-off was made longer since the row was written.
      if (row.kind == due_kind::release && r.state == id_state::expired && r.ended_at)
        add_due(to_come, *r.ended_at + rules_.cool_off, due_kind::release, entry);
      continue;
    }
    bytes += r.size_estimate();
    current.emplace_back(entry.counter, std::move(**record));
  }
  due_outcome out;
  out.changes.due_added = std::move(to_come);
  for (auto& [counter, record] : current) {
    if (row.kind == due_kind::expire) {
      end_assignment(counter, record, id_state::expired, *record.expires_at, now, expirer_name, purge_after,
                     out.changes);
      ++out.expired;
    } else {
      counters_.count(record.state, -1);
      const bool again = rules_.reuse == reuse_policy::random && may_be_reused(counter, record);
      const auto event = again ? id_event::release : id_event::retire;
      const auto to = *next_state(rules_.of, record.state, event);
      record.advance(now, to, expirer_name);
      if (to == id_state::available) {
        push_released(counter, out.changes);
        ++out.released;
      } else {
        counters_.count(to, 1);
        ++out.retired;
      }
    }
    out.changes.records.emplace_back(counter, std::move(record));
  }
  sort_due(out.changes.due_added);
  out.changes.due_removed.push_back(row);
  if (!left_over.empty()) out.changes.due_added.push_back({row.at, row.kind, std::move(left_over), {}});
  return out;
}

void pool::end_assignment(std::uint64_t counter, id_record& record, id_state to, timestamp ended_at, timestamp now,
                          std::string_view by, milliseconds purge_after, pool_changes& changes) {
  counters_.count(record.state, -1);
  counters_.count(to, 1);
  record.ended_at = ended_at;
  record.advance(now, to, by);
  // Due rows never lie before the floor that the expirer has passed, nor before the time of their decision: a run that
  // began earlier would release the identifier at a time before its end was noted.
  const auto due_at = std::max({ended_at + rules_.cool_off, counters_.due_floor, now});
  add_due(changes.due_added, due_at, due_kind::release, {counter, record.assignment});
  purge_later(record, now, purge_after, changes);
}

void pool::purge_later(const id_record& record, timestamp now, milliseconds purge_after, pool_changes& changes) {
  if (record.idempotency_ref.empty()) return;
  for (const auto& row : changes.due_added)
    if (row.kind == due_kind::purge && row.idempotency_ref == record.idempotency_ref) return;
  changes.due_added.push_back({now + purge_after, due_kind::purge, {}, record.idempotency_ref});
}

void pool::push_released(std::uint64_t counter, pool_changes& changes) {
  changes.released_slots.emplace_back(counters_.released, counter);
  ++counters_.released;
}

} // namespace matricula::identifiers
