#include "storage/identifiers.hpp"

#include "foundation/bytes.hpp"
#include "foundation/digest.hpp"
#include "storage/grants.hpp"
#include "storage/keys.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace matricula::storage {

using namespace identifiers;

namespace {

/// In shard 0.
constexpr std::string_view types_prefix{"\0type/", 6};
constexpr std::uint8_t type_setup_version = 1;
/// After a type's own key in column pools: an index row of an imported identifier.
constexpr std::uint8_t import_index = 1;
constexpr std::size_t import_id_at = 4; ///< bytes before the identifier in such a key
/// As 1, then the number of issuers and the keys that were replaced; written for types that need it.
constexpr std::uint8_t type_setup_grown_version = 2;

byte_writer key_of(const id_partition& part) {
  byte_writer key;
  key.reserve(24);
  key.u8(part.shard.value).big16(part.number);
  return key;
}

struct due_key_parts {
  timestamp at;
  due_kind kind = due_kind::expire;
};
std::optional<due_key_parts> parse_due_key(std::string_view key) {
  byte_reader in{key};
  (void)in.u8();
  (void)in.big16();
  const auto at = in.big64();
  const auto kind = in.u8();
  const bool purge = kind == static_cast<std::uint8_t>(due_kind::purge);
  (void)in.raw(purge ? 16 : 12);
  if (!in.done() || kind < 1 || kind > 3) return std::nullopt;
  return due_key_parts{from_unix_ms(at), static_cast<due_kind>(kind)};
}

std::string json_string(std::string_view s) {
  std::string out = "\"";
  for (const char c : s) {
    if (c == '"' || c == '\\') out.push_back('\\');
    if (static_cast<unsigned char>(c) < 0x20)
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    else
      out.push_back(c);
  }
  out.push_back('"');
  return out;
}

std::string describe(const id_record& r) {
  std::string out =
      fmt::format(R"({{"id":{},"state":"{}","assignment":{})", json_string(r.id), to_string(r.state), r.assignment);
  if (r.expires_at) out += fmt::format(R"(,"expires_at":"{}")", to_rfc3339(*r.expires_at));
  if (r.ended_at) out += fmt::format(R"(,"ended_at":"{}")", to_rfc3339(*r.ended_at));
  if (!r.holder.empty()) out += fmt::format(R"(,"holder":{})", json_string(r.holder));
  if (!r.idempotency_ref.empty()) out += fmt::format(R"(,"idempotency_ref":"{}")", to_hex(r.idempotency_ref));
  if (r.foreign) out += R"(,"foreign":true)";
  if (r.state == id_state::granted) out += fmt::format(R"(,"granted_to_issuer":{})", r.granted_to);
  if (r.of_policy) out += R"(,"of_policy":true)";
  out += R"(,"history":[)";
  for (std::size_t i = 0; i < r.history.size(); ++i) {
    const auto& e = r.history[i];
    out += fmt::format(R"({}{{"at":"{}","from":"{}","to":"{}","by":{}}})", i ? "," : "", to_rfc3339(e.at),
                       to_string(e.from), to_string(e.to), json_string(e.by));
  }
  return out + "]}";
}

} // namespace

column id_partition::records() const noexcept {
  switch (of) {
  case lifecycle::uin:
    return column::uins;
  case lifecycle::vid:
    return column::vids;
  case lifecycle::pool:
    return column::pool_ids;
  }
  return column::pool_ids;
}

std::string id_partition::record_key(std::uint64_t counter) const {
  return std::move(key_of(*this).big64(counter)).str();
}
std::string id_partition::pool_key() const { return std::move(key_of(*this)).str(); }
std::string id_partition::released_key(std::uint64_t slot) const { return std::move(key_of(*this).big64(slot)).str(); }

std::string id_partition::due_key(const due_row& row) const {
  auto key = key_of(*this);
  key.big64(to_unix_ms(row.at)).u8(static_cast<std::uint8_t>(row.kind));
  if (row.kind == due_kind::purge) {
    require(row.idempotency_ref.size() == 16, "an idempotency reference has 16 bytes");
    key.raw(row.idempotency_ref);
  } else {
    require(!row.entries.empty(), "a due row names somebody");
    key.big64(row.entries.front().counter).big32(row.entries.front().assignment);
  }
  return std::move(key).str();
}

std::string id_partition::due_lower(timestamp from) const {
  return std::move(key_of(*this).big64(to_unix_ms(from))).str();
}

std::string id_partition::import_key(std::string_view id) const {
  return std::move(key_of(*this).u8(import_index).raw(id)).str();
}

shard_id id_shard(std::string_view type_name, std::uint32_t issuer) {
  return shard_of(fmt::format("ids/{}/{}", type_name, issuer));
}

std::vector<id_partition> id_partitions(std::string_view type_name, std::uint16_t number, lifecycle of,
                                        std::uint32_t issuers) {
  std::vector<id_partition> all;
  for (std::uint32_t i = 0; i < issuers; ++i)
    all.push_back({id_shard(type_name, i), static_cast<std::uint16_t>(number + i), of, i});
  return all;
}

void put_rows(batch& into, const id_partition& part, const pool_changes& changes, const pool_counters& counters) {
  for (const auto& [counter, record] : changes.records)
    into.put(part.records(), part.record_key(counter), encode(record));
  for (const auto& [slot, counter] : changes.released_slots) {
    byte_writer value;
    value.varint(counter);
    into.put(column::released, part.released_key(slot), value.str());
  }
  for (const auto& row : changes.due_removed) into.erase(column::due, part.due_key(row));
  for (const auto& row : changes.due_added) into.put(column::due, part.due_key(row), encode_due_value(row));
  for (const auto& [id, counter] : changes.imported) {
    byte_writer value;
    value.varint(counter - import_base);
    into.put(column::pools, part.import_key(id), value.str());
  }
  into.put(column::pools, part.pool_key(), encode(counters));
}

result<std::optional<id_record>> find_record(const view& v, const id_partition& part, std::uint64_t counter) {
  auto bytes = v.get(part.records(), part.record_key(counter));
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes) return std::optional<id_record>{};
  auto record = decode_id_record(**bytes);
  if (!record) return std::unexpected(record.error());
  return std::optional(std::move(*record));
}

result<pool_counters> find_pool(const view& v, const id_partition& part) {
  auto bytes = v.get(column::pools, part.pool_key());
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes) return pool_counters{};
  return decode_pool_counters(**bytes);
}

result<std::uint64_t> decode_import(std::string_view value) {
  byte_reader in{value};
  const auto slot = in.varint();
  if (!in.done() || slot >= import_base) return fail(errc::corrupt, "imported identifier: malformed index row");
  return import_base + slot;
}

result<std::optional<std::uint64_t>> find_import(const view& v, const id_partition& part, std::string_view id) {
  if (id.size() > import_id_bytes_max) return std::optional<std::uint64_t>{};
  auto bytes = v.get(column::pools, part.import_key(id));
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes) return std::optional<std::uint64_t>{};
  const auto counter = decode_import(**bytes);
  if (!counter) return std::unexpected(counter.error());
  return std::optional(*counter);
}

result<void> walk_imports(const view& v, const id_partition& part,
                          const std::function<bool(std::string_view, std::uint64_t)>& visit) {
  std::optional<error> bad;
  const auto first = part.import_key("");
  const auto walked =
      v.walk(column::pools, first, after_prefix(first), [&](std::string_view key, std::string_view value) {
        const auto counter = decode_import(value);
        if (!counter) return bad = counter.error(), false;
        return visit(key.substr(import_id_at), *counter);
      });
  if (bad) return std::unexpected(*bad);
  return walked;
}

const id_partition& home_of(std::span<const id_partition> issuers, std::string_view id,
                            std::optional<std::uint64_t> counter) {
  const auto count = static_cast<std::uint32_t>(issuers.size());
  return issuers[counter ? *counter % count : issuer_of_key(id, count)];
}

namespace {
/// @param source a commit log, or a view of all shards
/// @param rows_of gives the rows of an issuer
template <class Source, class RowsOf>
result<std::optional<id_place>> find_place_in(const Source& source, const RowsOf& rows_of,
                                              std::span<const id_partition> issuers, const id_type& type,
                                              std::string_view id, bool imports_exist) {
  const auto at = [&](std::uint64_t counter) -> result<id_place> {
    auto owned = find_owner(source, issuers, counter);
    if (!owned) return std::unexpected(owned.error());
    return id_place{counter, owned->issuer, std::move(owned->record)};
  };
  std::optional<std::uint64_t> counter;
  if (const auto found = type.space->counter_of(id); found && *found < type.rules.end)
    counter = static_cast<std::uint64_t>(*found);
  std::optional<id_place> generated;
  if (counter) {
    auto place = at(*counter);
    if (!place) return std::unexpected(place.error());
    generated = std::move(*place);
    if (generated->record) return generated;
  }
  if (!imports_exist) return generated;
  const auto& home = home_of(issuers, id, counter);
  const auto slot = rows_of(home, [&](const view& rows) { return find_import(rows, home, id); });
  if (!slot) return std::unexpected(slot.error());
  if (!*slot) return generated;
  auto place = at(**slot);
  if (!place) return std::unexpected(place.error());
  return std::optional(std::move(*place));
}
} // namespace

result<std::optional<id_place>> find_place(const commit_log& log, std::span<const id_partition> issuers,
                                           const id_type& type, std::string_view id, bool imports_exist) {
  const auto in_log = [&log](const id_partition& part,
                             const auto& look) -> decltype(look(std::declval<const view&>())) {
    const auto rows = log.read(part.shard);
    if (!rows) return std::unexpected(rows.error());
    return look(**rows);
  };
  return find_place_in(log, in_log, issuers, type, id, imports_exist);
}

result<std::optional<id_place>> find_place(const view& all, std::span<const id_partition> issuers, const id_type& type,
                                           std::string_view id, bool imports_exist) {
  const auto in_view = [&all](const id_partition&, const auto& look) { return look(all); };
  return find_place_in(all, in_view, issuers, type, id, imports_exist);
}

result<std::vector<due_row>> find_due(const view& v, const id_partition& part, timestamp from, timestamp to,
                                      std::size_t limit, std::uint64_t* unreadable) {
  std::vector<due_row> rows;
  std::optional<error> bad;
  const auto walked = v.walk(column::due, part.due_lower(from), part.due_lower(to + milliseconds{1}),
                             [&](std::string_view key, std::string_view value) {
                               const auto parts = parse_due_key(key);
                               auto row = parts ? decode_due_value(parts->at, parts->kind, value)
                                                : result<due_row>(fail(errc::corrupt, "due row: malformed key"));
                               if (!row && unreadable) return ++*unreadable, true;
                               if (!row) return bad = row.error(), false;
                               rows.push_back(std::move(*row));
                               return rows.size() < limit;
                             });
  if (bad) return std::unexpected(*bad);
  if (!walked) return std::unexpected(walked.error());
  return rows;
}

result<void> walk_records(const view& v, const id_partition& part, std::uint64_t from,
                          const std::function<bool(std::uint64_t, const id_record&)>& visit) {
  std::optional<error> bad;
  const auto walked = v.walk(part.records(), part.record_key(from), after_prefix(part.pool_key()),
                             [&](std::string_view key, std::string_view value) {
                               byte_reader in{key};
                               (void)in.raw(3);
                               const auto counter = in.big64();
                               auto record = in.done()
                                                 ? decode_id_record(value)
                                                 : result<id_record>(fail(errc::corrupt, "identifier: malformed key"));
                               if (!record) return bad = record.error(), false;
                               return visit(counter, *record);
                             });
  if (bad) return std::unexpected(*bad);
  return walked;
}

bool is_type_key(std::string_view key) noexcept {
  return key.size() > types_prefix.size() && key.starts_with(types_prefix);
}

namespace {
result<type_setup> decode_type_setup(std::string_view key, std::string_view value) {
  byte_reader in{value};
  type_setup setup;
  setup.name = key.substr(types_prefix.size());
  const auto version = in.u8();
  setup.number = in.big16();
  const auto of = in.u8();
  setup.of = static_cast<lifecycle>(of);
  setup.space = in.text();
  setup.key_fingerprint = in.text();
  if (version == type_setup_grown_version) {
    setup.issuers = static_cast<std::uint32_t>(in.varint());
    for (auto n = in.varint(); n > 0 && in.ok(); --n) {
      std::string fingerprint(in.text());
      setup.past_keys.push_back({std::move(fingerprint), in.varint()});
    }
  }
  const bool version_known = version == type_setup_version || version == type_setup_grown_version;
  if (!version_known || of > 2 || setup.issuers < 1 || setup.issuers > issuers_max || !in.done())
    return fail(errc::corrupt, "identifier type: unknown version, cut short or too long");
  return setup;
}
} // namespace

result<std::vector<type_setup>> find_types(const view& v) {
  std::vector<type_setup> out;
  std::optional<error> bad;
  const auto walked =
      v.walk(column::meta, types_prefix, after_prefix(types_prefix), [&](std::string_view key, std::string_view value) {
        auto setup = decode_type_setup(key, value);
        if (!setup) return bad = setup.error(), false;
        out.push_back(std::move(*setup));
        return true;
      });
  if (bad) return std::unexpected(*bad);
  if (!walked) return std::unexpected(walked.error());
  return out;
}

result<std::string> describe_type_setup(std::string_view key, std::string_view value) {
  const auto setup = decode_type_setup(key, value);
  if (!setup) return std::unexpected(setup.error());
  std::string past;
  for (const auto& one : setup->past_keys)
    past += fmt::format(R"({}{{"key_fingerprint":{},"counters_below":{}}})", past.empty() ? "" : ",",
                        json_string(one.key_fingerprint), one.end);
  return fmt::format(
      R"({{"type":{},"number":{},"lifecycle":"{}","space":{},"key_fingerprint":{},"issuers":{},"past_keys":[{}]}})",
      json_string(setup->name), setup->number, to_string(setup->of), json_string(setup->space),
      json_string(setup->key_fingerprint), setup->issuers, past);
}

void put(batch& into, const type_setup& setup) {
  byte_writer value;
  const bool grown = setup.issuers > 1 || !setup.past_keys.empty();
  value.u8(grown ? type_setup_grown_version : type_setup_version)
      .big16(setup.number)
      .u8(static_cast<std::uint8_t>(setup.of))
      .text(setup.space)
      .text(setup.key_fingerprint);
  if (grown) {
    value.varint(setup.issuers).varint(setup.past_keys.size());
    for (const auto& one : setup.past_keys) value.text(one.key_fingerprint).varint(one.end);
  }
  into.put(column::meta, std::string(types_prefix) + setup.name, value.str());
}

result<std::vector<type_setup>> settle_types(std::span<const type_setup> stored, std::span<id_type> types) {
  std::vector<type_setup> added;
  std::uint16_t next = 1;
  for (const auto& s : stored) next = std::max<std::uint16_t>(next, static_cast<std::uint16_t>(s.number + s.issuers));
  for (auto& type : types) {
    type_setup wanted{type.name,     0, type.rules.of, describe_space(type), type.key_fingerprint, type.issuers,
                      type.past_keys};
    const auto known = std::ranges::find(stored, type.name, &type_setup::name);
    if (known == stored.end()) {
      wanted.number = type.number = next;
      next = static_cast<std::uint16_t>(next + type.issuers);
      added.push_back(std::move(wanted));
      continue;
    }
    type.number = wanted.number = known->number;
    if (known->key_fingerprint != wanted.key_fingerprint)
      return fail(
          errc::invalid_argument,
          fmt::format("identifier type '{}': the key has fingerprint {}, but its identifiers were made with {}. Start "
                      "with the key that belongs to this data folder; another one would issue identifiers twice.",
                      type.name, wanted.key_fingerprint, known->key_fingerprint));
    if (known->past_keys != wanted.past_keys)
      return fail(errc::invalid_argument,
                  fmt::format("identifier type '{}': its key was replaced {} times and the type was given {} earlier "
                              "keys. Name them in identifiers.previous_keys.",
                              type.name, known->past_keys.size(), wanted.past_keys.size()));
    if (known->of != wanted.of)
      return fail(
          errc::invalid_argument,
          fmt::format("identifier type '{}': its lifecycle is {}, not {}. It cannot change; configure a new type.",
                      type.name, to_string(known->of), to_string(wanted.of)));
    if (known->space != wanted.space)
      return fail(
          errc::invalid_argument,
          fmt::format("identifier type '{}': its length, alphabet and rules cannot change once it was started. Stored: "
                      "{}. Configured: {}. Put the old ones back, or configure a new type.",
                      type.name, known->space, wanted.space));
    if (known->issuers != wanted.issuers)
      return fail(
          errc::invalid_argument,
          fmt::format("identifier type '{}': it was started with issuing_shards = {}, not {}. Its identifiers are "
                      "shared out among them for good: put the old number back, or configure a new type.",
                      type.name, known->issuers, wanted.issuers));
  }
  return added;
}

result<std::string> describe_id_row(column where, std::string_view key, std::string_view value) {
  byte_reader in{key};
  const auto shard = in.u8();
  const auto number = in.big16();
  const auto head = fmt::format(R"({{"shard":{},"type":{})", shard, number);
  switch (where) {
  case column::uins:
  case column::vids:
  case column::pool_ids: {
    const auto counter = in.big64();
    auto record = decode_id_record(value);
    if (!in.done()) return fail(errc::corrupt, "identifier: malformed key");
    if (!record) return std::unexpected(record.error());
    return fmt::format(R"({},"counter":{},"record":{}}})", head, counter, describe(*record));
  }
  case column::pools: {
    if (const auto rest = in.rest(); !rest.empty()) {
      if (static_cast<std::uint8_t>(rest.front()) != import_index) return describe_grant_row(key, value);
      const auto counter = decode_import(value);
      if (!counter) return std::unexpected(counter.error());
      return fmt::format(R"({},"imported":{},"counter":{}}})", head, json_string(rest.substr(1)), *counter);
    }
    auto c = decode_pool_counters(value);
    if (!in.done()) return fail(errc::corrupt, "pool: malformed key");
    if (!c) return std::unexpected(c.error());
    return fmt::format(
        R"({},"issued_to":{},"walked_to":{},"filtered":{},"fresh":{},"released":{},"issued":{},"assigned":{},"cooling":{},"retired":{},"granted":{},"issues_total":{},"due_floor":"{}","reuse_from":{},"imported":{},"imported_foreign":{},"imported_reuse_from":{},"borrowed":{},"in_transit":{},"handovers":{}}})",
        head, c->issued_to, c->walked_to, c->filtered, c->fresh, c->released, c->issued, c->assigned, c->cooling,
        c->retired, c->granted, c->issues_total, to_rfc3339(c->due_floor), c->reuse_from, c->imported,
        c->imported_foreign, c->imported_reuse_from, c->borrowed, c->in_transit, c->handovers);
  }
  case column::released: {
    const auto slot = in.big64();
    byte_reader v{value};
    const auto counter = v.varint();
    if (!in.done() || !v.done()) return fail(errc::corrupt, "released list: malformed row");
    return fmt::format(R"({},"slot":{},"counter":{}}})", head, slot, counter);
  }
  case column::due: {
    const auto parts = parse_due_key(key);
    if (!parts) return fail(errc::corrupt, "due row: malformed key");
    auto row = decode_due_value(parts->at, parts->kind, value);
    if (!row) return std::unexpected(row.error());
    static constexpr const char* kinds[] = {"", "expire", "release", "purge"};
    std::string entries;
    for (const auto& e : row->entries)
      entries +=
          fmt::format(R"({}{{"counter":{},"assignment":{}}})", entries.empty() ? "" : ",", e.counter, e.assignment);
    return fmt::format(R"({},"at":"{}","kind":"{}","entries":[{}],"idempotency_ref":"{}"}})", head, to_rfc3339(row->at),
                       kinds[static_cast<int>(row->kind)], entries, to_hex(row->idempotency_ref));
  }
  default:
    return fail(errc::invalid_argument, "not a column of identifiers");
  }
}

} // namespace matricula::storage
