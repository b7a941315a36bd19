#include "domain/identifiers/grants.hpp"

#include "domain/identifiers/pool.hpp"
#include "foundation/bytes.hpp"

#include <algorithm>
#include <unordered_map>

namespace matricula::identifiers {

namespace {

constexpr std::uint8_t granted_ids_version = 1;
constexpr std::uint8_t given_grant_version = 1;
constexpr std::uint8_t taken_grant_version = 1;

std::unexpected<error> malformed(std::string_view what) {
  return fail(errc::corrupt, std::string(what) + ": unknown version, cut short or too long");
}

} // namespace

std::string encode(std::span<const granted_id> ids) {
  byte_writer out;
  out.u8(granted_ids_version).varint(ids.size());
  for (const auto& id : ids) out.varint(id.counter).text(encode(id.record));
  return std::move(out).str();
}

result<std::vector<granted_id>> decode_granted_ids(std::string_view bytes) {
  byte_reader in{bytes};
  const bool version_known = in.u8() == granted_ids_version;
  const auto count = in.varint();
  if (!version_known || count > grant_ids_max) return malformed("granted identifiers");
  std::vector<granted_id> ids;
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    const auto counter = in.varint();
    const auto text = in.text();
    if (!in.ok()) break;
    auto record = decode_id_record(text);
    if (!record) return std::unexpected(record.error());
    ids.push_back({counter, std::move(*record)});
  }
  if (!in.done()) return malformed("granted identifiers");
  return ids;
}

std::string encode(const given_grant& grant) {
  byte_writer out;
  out.u8(given_grant_version).varint(grant.number).raw(encode(std::span<const granted_id>(grant.ids)));
  return std::move(out).str();
}

result<given_grant> decode_given_grant(std::string_view bytes) {
  byte_reader in{bytes};
  given_grant grant;
  const bool version_known = in.u8() == given_grant_version;
  grant.number = in.varint();
  if (!version_known || !in.ok()) return malformed("a grant given");
  auto ids = decode_granted_ids(in.rest());
  if (!ids) return std::unexpected(ids.error());
  grant.ids = std::move(*ids);
  return grant;
}

std::string encode_taken_grant(std::uint64_t number) {
  byte_writer out;
  out.u8(taken_grant_version).varint(number);
  return std::move(out).str();
}

result<std::uint64_t> decode_taken_grant(std::string_view bytes) {
  byte_reader in{bytes};
  const bool version_known = in.u8() == taken_grant_version;
  const auto number = in.varint();
  if (!version_known || !in.done()) return malformed("a grant taken");
  return number;
}

pool_counters sum(std::span<const pool_counters> issuers) {
  pool_counters all;
  bool first = true;
  for (const auto& c : issuers) {
    all.issued_to += c.issued_to;
    all.walked_to += c.walked_to;
    all.filtered += c.filtered;
    all.fresh += c.fresh;
    all.released += c.released;
    all.issued += c.issued;
    all.assigned += c.assigned;
    all.cooling += c.cooling;
    all.retired += c.retired;
    all.granted += c.granted;
    all.issues_total += c.issues_total;
    all.imported += c.imported;
    all.imported_foreign += c.imported_foreign;
    all.imported_reuse_from = std::max(all.imported_reuse_from, c.imported_reuse_from);
    all.borrowed += c.borrowed;
    all.in_transit += c.in_transit;
    all.handovers += c.handovers;
    all.reuse_from += c.reuse_from;
    all.due_floor = first ? c.due_floor : std::min(all.due_floor, c.due_floor);
    first = false;
  }
  return all;
}

lending what_can_be_lent(const pool_counters& own, std::span<const pool_counters> others,
                         std::span<const std::uint64_t> ends, std::uint64_t wanted) noexcept {
  auto available = own.available();
  auto arriving = own.in_transit;
  auto cooling = own.cooling;
  bool may_find = false;
  std::uint64_t elsewhere = 0;
  for (std::size_t i = 0; i < others.size(); ++i) {
    elsewhere += others[i].available();
    arriving += others[i].in_transit;
    cooling += others[i].cooling;
    may_find = may_find || others[i].walked_to < ends[i];
  }
  available += elsewhere;
  if (may_find || available + arriving >= wanted)
    return may_find || elsewhere > 0 ? lending::possible : lending::arriving;
  if (cooling > 0) return lending::cooling;
  return available + arriving == 0 ? lending::exhausted : lending::too_few;
}

result<pool::grant_outcome> pool::grant(std::uint32_t taker, std::uint64_t wanted, random_source& random,
                                        pool_rows& rows) {
  grant_outcome out;
  const auto have = fresh_.size() + counters_.released;
  const auto count = std::min({std::max(wanted, (have + 1) / 2), have, grant_ids_max});
  auto next = counters_;
  std::size_t bytes = 0;
  const auto full = [&] { return out.ids.size() >= count || bytes + id_record::bytes_max > grant_bytes_max; };
  const auto hand_over = [&](std::uint64_t counter, id_record record) {
    bytes += record.size_estimate();
    auto left_behind = record;
    left_behind.state = id_state::granted;
    left_behind.granted_to = taker;
    out.changes.records.emplace_back(counter, std::move(left_behind));
    out.ids.push_back({counter, std::move(record)});
    next.count(id_state::granted, 1);
    ++next.in_transit;
  };
  std::size_t fresh = 0;
  for (; fresh < fresh_.size() && !full(); ++fresh) {
    id_record record;
    record.id = std::string(fresh_[fresh].id.view());
    next.issued_to = rules_.walks.index(fresh_[fresh].counter) + 1;
    --next.fresh;
    hand_over(fresh_[fresh].counter, std::move(record));
  }
  // Released: a random place of the list; the last one moves into the gap.
  std::unordered_map<std::uint64_t, std::uint64_t> moved;
  const auto at_slot = [&](std::uint64_t slot) -> result<std::uint64_t> {
    if (const auto i = moved.find(slot); i != moved.end()) return i->second;
    return rows.released_at(slot);
  };
  while (next.released > 0 && !full()) {
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
    hand_over(*counter, std::move(**record));
  }
  for (const auto& [slot, counter] : moved)
    if (slot < next.released) out.changes.released_slots.emplace_back(slot, counter);
  std::ranges::sort(out.changes.released_slots);
  if (out.ids.empty()) return out;
  ++next.handovers;
  fresh_.erase(fresh_.begin(), fresh_.begin() + static_cast<std::ptrdiff_t>(fresh));
  counters_ = next;
  return out;
}

result<pool_changes> pool::take(std::span<const granted_id> ids, pool_rows& rows) {
  pool_changes changes;
  auto next = counters_;
  for (const auto& id : ids) {
    const auto own = rows.record(id.counter);
    if (!own) return std::unexpected(own.error());
    // One that was ours before and is coming back leaves the number of those given away.
    if (*own && (*own)->state != id_state::granted)
      return fail(errc::conflict, "A grant brings an identifier that this issuer has already. Run matricula verify.");
    if (*own)
      next.count(id_state::granted, -1);
    else
      ++next.borrowed;
    auto record = id.record;
    // Its place in the audit trail is one in the giver's; here it has the one of before, if it was here before.
    record.journal_seq = *own ? (*own)->journal_seq : 0;
    changes.records.emplace_back(id.counter, std::move(record));
    changes.released_slots.emplace_back(next.released, id.counter);
    ++next.released;
  }
  ++next.handovers;
  counters_ = next;
  return changes;
}

void pool::grant_arrived(std::uint64_t ids) {
  require(counters_.in_transit >= ids, "what arrives was on its way");
  counters_.in_transit -= ids;
}

} // namespace matricula::identifiers
