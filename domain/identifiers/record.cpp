#include "domain/identifiers/record.hpp"

#include "foundation/bytes.hpp"

#include <algorithm>

namespace matricula::identifiers {

namespace {

constexpr std::uint8_t id_record_version = 1;
constexpr std::uint8_t pool_counters_version = 2; // 1 had no reuse_from
constexpr std::uint8_t due_version = 1;
constexpr std::uint8_t last_state = 5;

enum flag : std::uint8_t {
  has_expires = 1,
  has_ended = 2,
  has_holder = 4,
  has_ref = 8,
  has_dropped = 16,
  has_journal_seq = 32,
  all_flags = 63
};

} // namespace

void id_record::advance(timestamp at, id_state to, std::string_view by) {
  if (history.size() >= history_max) {
    history.erase(history.begin() + 1);
    ++history_dropped;
  }
  history.push_back({at, state, to, std::string(by)});
  ++unrecorded.count;
  state = to;
}

std::optional<timestamp> id_record::issued_at() const noexcept {
  for (auto i = history.rbegin(); i != history.rend(); ++i)
    if (i->from == id_state::available) return i->at;
  return std::nullopt;
}

std::size_t id_record::size_estimate() const noexcept {
  constexpr std::size_t fixed = 22;        // version, flags, state, lengths, and its key in a batch
  constexpr std::size_t journal_place = 6; // it gets a new one with the write: 4 * 10^12 rows
  constexpr std::size_t time = 7;
  std::size_t n =
      fixed + journal_place + varint_bytes(assignment) + id.size() + (expires_at ? time : 0) + (ended_at ? time : 0);
  if (!holder.empty()) n += 1 + holder.size();
  if (!idempotency_ref.empty()) n += 1 + idempotency_ref.size();
  if (history_dropped > 0) n += 10;
  for (const auto& e : history) n += time + 2 + e.by.size();
  return n;
}

std::string encode(const id_record& r) {
  byte_writer out;
  out.reserve(40 + r.id.size() + r.holder.size());
  const auto flags = (r.expires_at ? has_expires : 0) | (r.ended_at ? has_ended : 0) |
                     (r.holder.empty() ? 0 : has_holder) | (r.idempotency_ref.empty() ? 0 : has_ref) |
                     (r.history_dropped ? has_dropped : 0) | (r.journal_seq ? has_journal_seq : 0);
  out.u8(id_record_version).u8(static_cast<std::uint8_t>(flags)).u8(static_cast<std::uint8_t>(r.state));
  out.text(r.id).varint(r.assignment);
  if (r.expires_at) out.varint(to_unix_ms(*r.expires_at));
  if (r.ended_at) out.varint(to_unix_ms(*r.ended_at));
  if (!r.holder.empty()) out.text(r.holder);
  if (!r.idempotency_ref.empty()) out.text(r.idempotency_ref);
  if (r.history_dropped) out.varint(r.history_dropped);
  if (r.journal_seq) out.varint(r.journal_seq);
  out.varint(r.history.size());
  for (const auto& e : r.history)
    out.varint(to_unix_ms(e.at))
        .u8(static_cast<std::uint8_t>(static_cast<unsigned>(e.from) << 4 | static_cast<unsigned>(e.to)))
        .text(e.by);
  return std::move(out).str();
}

result<id_record> decode_id_record(std::string_view bytes) {
  byte_reader in{bytes};
  const auto bad = [](const char* what) { return fail(errc::corrupt, std::string("identifier record: ") + what); };
  if (in.u8() != id_record_version) return bad("unknown version");
  const auto flags = in.u8();
  const auto state = in.u8();
  if (flags > all_flags || state > last_state) return bad("unknown flag or state");
  id_record r;
  r.state = static_cast<id_state>(state);
  r.id = in.text();
  const auto assignment = in.varint();
  if (assignment > UINT32_MAX) return bad("assignment out of range");
  r.assignment = static_cast<std::uint32_t>(assignment);
  if (flags & has_expires) r.expires_at = from_unix_ms(in.varint());
  if (flags & has_ended) r.ended_at = from_unix_ms(in.varint());
  if (flags & has_holder) r.holder = in.text();
  if (flags & has_ref) r.idempotency_ref = in.text();
  if (flags & has_dropped) r.history_dropped = in.varint();
  if (flags & has_journal_seq) r.journal_seq = in.varint();
  const auto events = in.varint();
  if (!in.ok() || events > id_record::history_max) return bad("cut short");
  r.history.reserve(events);
  for (std::uint64_t i = 0; i < events; ++i) {
    history_event e;
    e.at = from_unix_ms(in.varint());
    const auto step = in.u8();
    if ((step >> 4) > last_state || (step & 15) > last_state) return bad("unknown state in the history");
    e.from = static_cast<id_state>(step >> 4);
    e.to = static_cast<id_state>(step & 15);
    e.by = in.text();
    r.history.push_back(std::move(e));
  }
  if (!in.done()) return bad("cut short or too long");
  return r;
}

void pool_counters::count(id_state state, std::int64_t delta) noexcept {
  const auto add = [delta](std::uint64_t& n) {
    require(delta >= 0 || n >= static_cast<std::uint64_t>(-delta), "a pool counter fell below zero");
    n += static_cast<std::uint64_t>(delta);
  };
  switch (state) {
  case id_state::available:
    return add(released);
  case id_state::issued:
  case id_state::taken:
    return add(issued);
  case id_state::assigned:
    return add(assigned);
  case id_state::expired:
    return add(cooling);
  case id_state::retired:
    return add(retired);
  }
}

std::string encode(const pool_counters& c) {
  byte_writer out;
  out.u8(pool_counters_version);
  for (const auto n : {c.issued_to, c.walked_to, c.filtered, c.fresh, c.released, c.issued, c.assigned, c.cooling,
                       c.retired, c.granted, c.issues_total, to_unix_ms(c.due_floor), c.reuse_from})
    out.varint(n);
  return std::move(out).str();
}

result<pool_counters> decode_pool_counters(std::string_view bytes) {
  byte_reader in{bytes};
  pool_counters c;
  const auto version = in.u8();
  const bool version_known = version == 1 || version == pool_counters_version;
  for (auto* n : {&c.issued_to, &c.walked_to, &c.filtered, &c.fresh, &c.released, &c.issued, &c.assigned, &c.cooling,
                  &c.retired, &c.granted, &c.issues_total})
    *n = in.varint();
  c.due_floor = from_unix_ms(in.varint());
  if (version > 1) c.reuse_from = in.varint();
  if (!version_known || !in.done()) return fail(errc::corrupt, "pool counters: unknown version, cut short or too long");
  return c;
}

std::string encode_due_value(const due_row& row) {
  byte_writer out;
  out.u8(due_version);
  if (row.kind == due_kind::purge) {
    out.text(row.idempotency_ref);
    return std::move(out).str();
  }
  out.varint(row.entries.size());
  std::uint64_t previous = 0;
  for (const auto& e : row.entries) {
    out.varint(e.counter - previous).varint(e.assignment);
    previous = e.counter;
  }
  return std::move(out).str();
}

result<due_row> decode_due_value(timestamp at, due_kind kind, std::string_view bytes) {
  byte_reader in{bytes};
  due_row row{at, kind, {}, {}};
  const bool version_known = in.u8() == due_version;
  if (kind == due_kind::purge) {
    row.idempotency_ref = in.text();
  } else {
    const auto count = in.varint();
    std::uint64_t counter = 0;
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
      counter += in.varint();
      row.entries.push_back({counter, static_cast<std::uint32_t>(in.varint())});
    }
  }
  if (!version_known || !in.done()) return fail(errc::corrupt, "due row: unknown version, cut short or too long");
  return row;
}

} // namespace matricula::identifiers
