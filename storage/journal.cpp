#include "storage/journal.hpp"

#include "foundation/digest.hpp"
#include "storage/json_line.hpp"
#include "storage/keys.hpp"
#include "storage/stored_time.hpp"

#include <fmt/format.h>

namespace matricula::storage::journal {

namespace {

constexpr std::uint8_t version = 1;
enum kind : std::uint8_t { tip_row = 0, beginning_row = 1, entry_row = 2 };
/// Of the row's hash, kept with the row: it tells which row is wrong. What proves the chain is the tip.
constexpr std::size_t mark_bytes = 8;

const std::string& no_hash() {
  static const std::string zeros(digest_stream::bytes, '\0');
  return zeros;
}

std::string prefix_of(const chain& of, kind k) { return key_builder{of.shard}.u16(of.number).u8(k).str(); }

std::string hash_after(digest_stream& hasher, std::string_view before, std::string_view key, std::string_view body) {
  hasher.restart();
  hasher.add(before);
  hasher.add(key);
  hasher.add(body);
  return hasher.finish();
}

struct parsed_row {
  row shown;
  std::string_view body; ///< what is hashed
  std::string_view mark;
};

result<parsed_row> parse(std::string_view key, std::string_view value) {
  key_reader k{key};
  (void)k.shard();
  (void)k.u16();
  const auto found_kind = k.u8();
  parsed_row out;
  out.shown.seq = k.u64();
  if (!k.done() || found_kind != entry_row || value.size() < mark_bytes)
    return fail(errc::corrupt, "journal: malformed row");
  out.body = value.substr(0, value.size() - mark_bytes);
  out.mark = value.substr(out.body.size());
  byte_reader in{out.body};
  const auto found_version = in.u8();
  out.shown.at = read_time(in);
  if (!in.ok() || found_version != version) return fail(errc::corrupt, "journal: unknown version or cut short");
  out.shown.content = in.rest();
  return out;
}

std::string encode(const tip& t) {
  byte_writer out;
  out.u8(version).varint(t.seq).raw(t.hash);
  write_time(out, t.at);
  return std::move(out).str();
}

result<tip> decode_tip(std::string_view bytes) {
  byte_reader in{bytes};
  const auto found_version = in.u8();
  tip t;
  t.seq = in.varint();
  t.hash = in.raw(digest_stream::bytes);
  t.at = read_time(in);
  if (found_version != version || !in.done()) return fail(errc::corrupt, "journal: the row of its end does not decode");
  return t;
}

std::string encode(const beginning& b) { return byte_writer{}.u8(version).varint(b.first).raw(b.hash).str(); }

result<beginning> decode_beginning(std::string_view bytes) {
  byte_reader in{bytes};
  const auto found_version = in.u8();
  beginning b;
  b.first = in.varint();
  b.hash = in.raw(digest_stream::bytes);
  if (found_version != version || b.first == 0 || !in.done())
    return fail(errc::corrupt, "journal: the row of its beginning does not decode");
  return b;
}

/// Passes each row on; the first error, of the walk or of a row.
class reader {
public:
  explicit reader(const visitor& visit) : visit_(visit) {}
  bool operator()(std::string_view key, std::string_view value) {
    auto r = parse(key, value);
    if (!r) {
      bad_ = r.error();
      return false;
    }
    return visit_(r->shown);
  }
  result<void> end(result<void> walked) const {
    if (bad_) return std::unexpected(*bad_);
    return walked;
  }

private:
  const visitor& visit_;
  std::optional<error> bad_;
};

} // namespace

std::string row_key(const chain& of, std::uint64_t seq) {
  return key_builder{of.shard}.u16(of.number).u8(entry_row).u64(seq).str();
}

result<tip> find_tip(const view& rows, const chain& of) {
  const auto bytes = rows.get(column::journals, prefix_of(of, tip_row));
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes) return tip{0, no_hash(), {}};
  return decode_tip(**bytes);
}

result<beginning> find_beginning(const view& rows, const chain& of) {
  const auto bytes = rows.get(column::journals, prefix_of(of, beginning_row));
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes) return beginning{1, no_hash()};
  return decode_beginning(**bytes);
}

result<writer> writer::resume(const view& rows, const chain& of) {
  auto last = find_tip(rows, of);
  if (!last) return std::unexpected(last.error());
  return writer(of, std::move(*last));
}

void writer::append(batch& to, timestamp at, std::string_view content) {
  tip_.at = time_for(at);
  const auto key = row_key(chain_, ++tip_.seq);
  byte_writer value;
  value.reserve(content.size() + 16 + mark_bytes);
  value.u8(version);
  write_time(value, tip_.at);
  value.raw(content);
  tip_.hash = hash_after(*hasher_, tip_.hash, key, value.str());
  value.raw(std::string_view(tip_.hash).substr(0, mark_bytes));
  to.put(column::journals, key, value.str());
  to.put(column::journals, prefix_of(chain_, tip_row), encode(tip_));
}

result<void> look_at(const view& rows, const chain& of, std::uint64_t seq, const visitor& visit) {
  const auto key = row_key(of, seq);
  const auto bytes = rows.get(column::journals, key);
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes) return {};
  reader one(visit);
  (void)one(key, **bytes);
  return one.end({});
}

result<void> walk_down(const view& rows, const chain& of, std::uint64_t from, const visitor& visit) {
  reader each(visit);
  return each.end(rows.walk_back(column::journals, prefix_of(of, entry_row), row_key(of, from) + '\0',
                                 [&](std::string_view k, std::string_view v) { return each(k, v); }));
}

result<void> walk_up(const view& rows, const chain& of, std::uint64_t from, const visitor& visit) {
  reader each(visit);
  return each.end(rows.walk(column::journals, row_key(of, from), after_prefix(prefix_of(of, entry_row)),
                            [&](std::string_view k, std::string_view v) { return each(k, v); }));
}

result<std::uint64_t> first_not_before(const view& rows, const chain& of, timestamp at) {
  const auto from = find_beginning(rows, of);
  if (!from) return std::unexpected(from.error());
  const auto last = find_tip(rows, of);
  if (!last) return std::unexpected(last.error());
  auto low = from->first;
  auto high = last->seq + 1;
  while (low < high) {
    const auto middle = low + (high - low) / 2;
    std::optional<timestamp> found;
    if (auto looked = look_at(rows, of, middle, [&](const row& r) { return found = r.at, false; }); !looked)
      return std::unexpected(looked.error());
    if (!found) return fail(errc::corrupt, fmt::format("journal: row {} is missing. Run matricula verify.", middle));
    if (*found < at)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

std::optional<std::string> check(const view& rows, const chain& of, const visitor& visit) {
  const auto from = find_beginning(rows, of);
  if (!from) return from.error().message;
  const auto last = find_tip(rows, of);
  if (!last) return last.error().message;
  digest_stream hasher;
  auto hash = from->hash;
  auto expected = from->first;
  timestamp before{};
  std::optional<std::string> wrong;
  const auto walked =
      rows.walk(column::journals, prefix_of(of, entry_row), after_prefix(prefix_of(of, entry_row)),
                [&](std::string_view key, std::string_view value) {
                  const auto r = parse(key, value);
                  if (!r) {
                    wrong = fmt::format("row {}: {}", expected, r.error().message);
                    return false;
                  }
                  if (r->shown.seq != expected) {
                    wrong = r->shown.seq < expected ? fmt::format("row {} was dropped and is there again", r->shown.seq)
                                                    : fmt::format("row {} is missing", expected);
                    return false;
                  }
                  hash = hash_after(hasher, hash, key, r->body);
                  if (r->mark != std::string_view(hash).substr(0, mark_bytes)) {
                    wrong = fmt::format("row {} was changed, or another one stands in its place", r->shown.seq);
                    return false;
                  }
                  if (r->shown.at < before) wrong = fmt::format("row {} is earlier than the one before", r->shown.seq);
                  before = r->shown.at;
                  ++expected;
                  return !wrong && visit(r->shown);
                });
  if (wrong) return wrong;
  if (!walked) return walked.error().message;
  if (last->seq + 1 != expected)
    return fmt::format("its last row is {}, but {} rows were written", expected - 1, last->seq);
  if (last->hash != hash) return fmt::format("the hash after row {} is not the one that was kept", last->seq);
  return std::nullopt;
}

result<trimmed> trim(const view& rows, batch& to, const chain& of, timestamp before, std::size_t rows_max) {
  auto from = find_beginning(rows, of);
  if (!from) return std::unexpected(from.error());
  trimmed out;
  digest_stream hasher;
  std::optional<error> bad;
  const auto walked =
      rows.walk(column::journals, row_key(of, from->first), after_prefix(prefix_of(of, entry_row)),
                [&](std::string_view key, std::string_view value) {
                  const auto r = parse(key, value);
                  if (!r) return bad = r.error(), false;
                  if (r->shown.at >= before) return false;
                  if (out.rows == rows_max) return out.more = true, false;
                  auto hash = hash_after(hasher, from->hash, key, r->body);
                  if (r->shown.seq != from->first || r->mark != std::string_view(hash).substr(0, mark_bytes)) {
                    bad = error{errc::corrupt,
                                fmt::format("journal: row {} does not follow from the one before, so nothing is "
                                            "dropped. Run matricula verify.",
                                            from->first),
                                {}};
                    return false;
                  }
                  *from = {from->first + 1, std::move(hash)};
                  to.erase(column::journals, key);
                  ++out.rows;
                  return true;
                });
  if (bad) return std::unexpected(*bad);
  if (!walked) return std::unexpected(walked.error());
  if (out.rows > 0) to.put(column::journals, prefix_of(of, beginning_row), encode(*from));
  return out;
}

result<std::string> describe(std::string_view key, std::string_view value,
                             const std::function<result<std::string>(const chain&, const row&)>& content) {
  key_reader k{key};
  chain of;
  of.shard = k.shard();
  of.number = k.u16();
  const auto found_kind = k.u8();
  json_line out;
  out.number("chain", of.number);
  if (k.done() && found_kind == tip_row) {
    const auto t = decode_tip(value);
    if (!t) return std::unexpected(t.error());
    return out.number("last", t->seq).text("hash", to_hex(t->hash)).text("at", to_rfc3339(t->at)).str();
  }
  if (k.done() && found_kind == beginning_row) {
    const auto b = decode_beginning(value);
    if (!b) return std::unexpected(b.error());
    return out.number("first", b->first).text("hash_before", to_hex(b->hash)).str();
  }
  const auto r = parse(key, value);
  if (!r) return std::unexpected(r.error());
  const auto shown = content(of, r->shown);
  if (!shown) return std::unexpected(shown.error());
  return out.number("seq", r->shown.seq).text("at", to_rfc3339(r->shown.at)).raw("row", *shown).str();
}

} // namespace matricula::storage::journal
