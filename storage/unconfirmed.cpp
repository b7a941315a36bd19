#include "storage/unconfirmed.hpp"

#include "foundation/bytes.hpp"
#include "storage/json_line.hpp"
#include "storage/keys.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace matricula::storage::unconfirmed {

using namespace identifiers;

namespace {

constexpr std::uint8_t version = 1;
enum kind : std::uint8_t { floor_row = 0, entries_row = 1 };
/// Parts of one write: a confirmation of one of 1,000 rewrites about 60 entries.
constexpr std::uint64_t parts = 16;

key_builder prefix_of(const id_partition& part, kind k) {
  key_builder key{part.shard};
  key.u16(part.number).u8(k);
  return key;
}

std::optional<place> parse_key(std::string_view key) {
  key_reader in{key};
  (void)in.shard();
  (void)in.u16();
  const auto found_kind = in.u8();
  place p;
  p.issued_at = from_unix_ms(in.u64());
  p.journal_seq = in.u64();
  p.part = in.u64();
  if (!in.done() || found_kind != entries_row) return std::nullopt;
  return p;
}

} // namespace

std::optional<place> place_of(std::uint64_t counter, const id_record& record) {
  if (record.state != id_state::issued) return std::nullopt;
  const auto at = record.issued_at();
  if (!at) return std::nullopt;
  return place{*at, record.journal_seq, record.journal_seq == 0 ? counter : counter % parts};
}

std::string key_of(const id_partition& part, const place& where) {
  return prefix_of(part, entries_row).u64(to_unix_ms(where.issued_at)).u64(where.journal_seq).u64(where.part).str();
}

std::string floor_key(const id_partition& part) { return prefix_of(part, floor_row).str(); }

std::string encode(const std::vector<due_entry>& entries) {
  byte_writer out;
  out.u8(version).varint(entries.size());
  std::uint64_t previous = 0;
  for (const auto& e : entries) {
    out.varint(e.counter - previous).varint(e.assignment);
    previous = e.counter;
  }
  return std::move(out).str();
}

result<std::vector<due_entry>> decode(std::string_view bytes) {
  byte_reader in{bytes};
  const auto found_version = in.u8();
  const auto count = in.varint();
  std::vector<due_entry> out;
  std::uint64_t counter = 0;
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    counter += in.varint();
    out.push_back({counter, static_cast<std::uint32_t>(in.varint())});
  }
  if (found_version != version || out.empty() || !in.done())
    return fail(errc::corrupt, "unconfirmed identifiers: unknown version, cut short or too long");
  return out;
}

std::string encode_floor(timestamp floor) { return byte_writer{}.u8(version).varint(to_unix_ms(floor)).str(); }

namespace {
result<timestamp> decode_floor(std::string_view bytes) {
  byte_reader in{bytes};
  const auto found_version = in.u8();
  const auto floor = from_unix_ms(in.varint());
  if (found_version != version || !in.done()) return fail(errc::corrupt, "unconfirmed identifiers: malformed floor");
  return floor;
}
} // namespace

result<timestamp> find_floor(const view& rows, const id_partition& part) {
  const auto bytes = rows.get(column::unconfirmed, floor_key(part));
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes) return timestamp{};
  return decode_floor(**bytes);
}

result<std::vector<row>> find(const view& rows, const id_partition& part, const std::optional<place>& after,
                              timestamp issued_before, std::size_t limit) {
  std::string lower;
  if (after) {
    lower = key_of(part, *after) + '\0';
  } else {
    const auto floor = find_floor(rows, part);
    if (!floor) return std::unexpected(floor.error());
    lower = prefix_of(part, entries_row).u64(to_unix_ms(*floor)).str();
  }
  const auto upper = prefix_of(part, entries_row).u64(to_unix_ms(std::max(issued_before, timestamp{}))).str();
  std::vector<row> out;
  if (lower >= upper || limit == 0) return out;
  std::optional<error> bad;
  const auto walked = rows.walk(column::unconfirmed, lower, upper, [&](std::string_view key, std::string_view value) {
    const auto where = parse_key(key);
    auto entries = decode(value);
    if (!where || !entries) {
      bad = where ? entries.error() : error{errc::corrupt, "unconfirmed identifiers: malformed key", {}};
      return false;
    }
    out.push_back({*where, std::move(*entries)});
    return out.size() < limit;
  });
  if (bad) return std::unexpected(*bad);
  if (!walked) return std::unexpected(walked.error());
  return out;
}

result<page> list(const view& rows, const id_partition& part, const std::optional<cursor>& after,
                  timestamp issued_before, std::size_t limit) {
  limit = std::clamp<std::size_t>(limit, 1, 1'000);
  page out;
  const auto add = [&](const row& r) -> result<bool> {
    for (const auto& e : r.entries) {
      if (after && r.where == after->where && e.counter <= after->counter) continue;
      if (out.items.size() == limit) {
        return false;
      }
      auto record = find_record(rows, part, e.counter);
      if (!record) return std::unexpected(record.error());
      if (!*record || (*record)->state != id_state::issued)
        return fail(errc::corrupt, "The index names an identifier that is not ISSUED. Run matricula verify.");
      out.items.push_back({e.counter, std::move(**record)});
      out.next = cursor{r.where, e.counter};
    }
    return true;
  };
  if (after) {
    // The rest of the row in which the last page ended; it may have been confirmed away meanwhile.
    const auto bytes = rows.get(column::unconfirmed, key_of(part, after->where));
    if (!bytes) return std::unexpected(bytes.error());
    if (*bytes) {
      auto entries = decode(**bytes);
      if (!entries) return std::unexpected(entries.error());
      const auto whole = add({after->where, std::move(*entries)});
      if (!whole) return std::unexpected(whole.error());
      if (!*whole) return out;
    }
  }
  // One more than may be shown, to know whether there is another page.
  const auto found = find(rows, part, after ? std::optional(after->where) : std::nullopt, issued_before, limit + 1);
  if (!found) return std::unexpected(found.error());
  for (const auto& r : *found) {
    const auto whole = add(r);
    if (!whole) return std::unexpected(whole.error());
    if (!*whole) return out;
  }
  out.next.reset();
  return out;
}

result<std::string> describe(std::string_view key, std::string_view value) {
  key_reader in{key};
  (void)in.shard();
  json_line out;
  out.number("type", in.u16());
  if (in.u8() == floor_row && in.done()) {
    const auto floor = decode_floor(value);
    if (!floor) return std::unexpected(floor.error());
    return out.text("floor", to_rfc3339(*floor)).str();
  }
  const auto where = parse_key(key);
  if (!where) return fail(errc::corrupt, "unconfirmed identifiers: malformed key");
  const auto entries = decode(value);
  if (!entries) return std::unexpected(entries.error());
  std::string list = "[";
  for (const auto& e : *entries)
    list += fmt::format(R"({}{{"counter":{},"assignment":{}}})", list.size() > 1 ? "," : "", e.counter, e.assignment);
  return out.text("issued_at", to_rfc3339(where->issued_at))
      .number("journal_seq", where->journal_seq)
      .number("part", where->part)
      .raw("entries", list + "]")
      .str();
}

} // namespace matricula::storage::unconfirmed
