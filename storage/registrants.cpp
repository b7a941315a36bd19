#include "storage/registrants.hpp"

#include "foundation/bytes.hpp"
#include "foundation/digest.hpp"
#include "storage/json_line.hpp"
#include "storage/keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

namespace matricula::storage {

using namespace registrants;

namespace {

enum kind : std::uint8_t { row = 1, data, reference, unique_id, call, log_of_calls, doubt, next };
constexpr std::size_t digest_bytes = 32;
constexpr std::array<std::string_view, 9> kind_words{"",     "row", "data",  "reference", "unique_id",
                                                     "call", "log", "doubt", "next"};

key_builder of_kind(const registrant_partition& part, kind k) {
  key_builder out{part.shard};
  out.u8(k);
  return out;
}

/// What stands for a reference in its key: references are longer than keys may be.
std::string digest_of(std::string_view tenant, std::string_view text) {
  return sha256(byte_writer{}.text(tenant).text(text).str());
}

std::unexpected<error> malformed(std::string_view what) {
  return fail(errc::corrupt, fmt::format("registrants: {} is malformed", what));
}

result<std::optional<std::string>> get(const row_reader& rows, const std::string& key) {
  return rows(column::registrants, key);
}

/// A key, taken apart.
struct parsed_key {
  registrant_partition part;
  kind of = row;
  std::uint64_t number = 0;
  std::string text; ///< unique_id; of `reference` the digest
};

std::optional<parsed_key> parse(std::string_view key) {
  key_reader in{key};
  parsed_key out;
  out.part.shard = in.shard();
  const auto k = in.u8();
  if (k < row || k > next) return std::nullopt;
  out.of = static_cast<kind>(k);
  switch (out.of) {
  case row:
  case data:
  case call:
  case log_of_calls:
  case doubt:
    out.number = in.u64();
    break;
  case reference:
    out.text = in.fixed(digest_bytes);
    break;
  case unique_id:
    out.text = in.text();
    break;
  case next:
    break;
  }
  if (!in.done()) return std::nullopt;
  return out;
}

result<std::uint64_t> decode_number(std::string_view bytes) {
  byte_reader in{bytes};
  const auto n = in.varint();
  if (!in.done() || n == 0) return malformed("a row of an index");
  return n;
}

result<registrant_numbers> decode_numbers(std::string_view bytes) {
  byte_reader in{bytes};
  registrant_numbers n;
  n.next_id = in.varint();
  n.next_call = in.varint();
  n.in_doubt = in.varint();
  n.created = in.varint();
  if (!in.done() || n.next_id == 0 || n.next_call == 0) return malformed("the row of the next numbers");
  return n;
}

std::string describe(const registrant& r) {
  json_line out;
  out.number("id", r.id)
      .text("kind", r.kind)
      .text("id_type", r.id_type)
      .text("generator", r.generator)
      .text("id_progress", to_string(r.progress));
  out.number("reference_bytes", r.reference.size()).number("unique_id_bytes", r.unique_id.size());
  out.number("assignment", r.assignment).number("request_task", r.request_task).number("update_task", r.update_task);
  return out.text("created_at", to_rfc3339(r.created_at)).text("changed_at", to_rfc3339(r.changed_at)).str();
}

std::string describe(const generator_call& c) {
  json_line out;
  out.number("number", c.number).number("registrant", c.registrant).number("task", c.task);
  out.text("generator", c.generator).text("state", to_string(c.state)).text("began_at", to_rfc3339(c.began_at));
  return out.number("unique_id_bytes", c.unique_id.size()).str();
}

result<std::string> describe_row(std::string_view key, std::string_view value) {
  const auto k = parse(key);
  if (!k) return malformed("a key");
  const auto word = kind_words[k->of];
  switch (k->of) {
  case row: {
    const auto r = decode_registrant(value);
    if (!r) return std::unexpected(r.error());
    return describe(*r);
  }
  case log_of_calls: {
    const auto c = decode_generator_call(value);
    if (!c) return std::unexpected(c.error());
    return describe(*c);
  }
  case next: {
    const auto n = decode_numbers(value);
    if (!n) return std::unexpected(n.error());
    return json_line{}
        .number("next_id", n->next_id)
        .number("next_call", n->next_call)
        .number("in_doubt", n->in_doubt)
        .number("created", n->created)
        .str();
  }
  case data:
    return json_line{}.text("row", word).number("id", k->number).number("bytes", value.size()).str();
  case doubt:
    if (!value.empty()) return malformed("a row of a call in doubt");
    return json_line{}.text("row", word).number("call", k->number).str();
  case reference:
  case unique_id:
  case call:
    break;
  }
  const auto n = decode_number(value);
  if (!n) return std::unexpected(n.error());
  json_line out;
  out.text("row", word);
  if (k->of == call) return out.number("registrant", k->number).number("call", *n).str();
  return out.number("registrant", *n).str();
}

/// Values of a range, decoded, until there are enough.
template <class T>
result<std::vector<T>> decoded(const view& v, const std::string& lower, const std::string& upper, std::size_t limit,
                               const std::function<result<T>(std::string_view key, std::string_view value)>& decode) {
  std::vector<T> found;
  std::optional<error> bad;
  if (limit == 0) return found;
  const auto walked = v.walk(column::registrants, lower, upper, [&](std::string_view k, std::string_view value) {
    auto one = decode(k, value);
    if (!one) return bad = one.error(), false;
    found.push_back(std::move(*one));
    return found.size() < limit;
  });
  if (!walked) return std::unexpected(walked.error());
  if (bad) return std::unexpected(*bad);
  return found;
}

} // namespace

std::string registrant_partition::row_key(std::uint64_t id) const { return of_kind(*this, row).u64(id).str(); }
std::string registrant_partition::data_key(std::uint64_t id) const { return of_kind(*this, data).u64(id).str(); }
std::string registrant_partition::reference_key(std::string_view tenant, std::string_view text) const {
  return of_kind(*this, reference).fixed(digest_of(tenant, text)).str();
}
std::string registrant_partition::unique_id_key(std::string_view text) const {
  return of_kind(*this, unique_id).text(text).str();
}
std::string registrant_partition::call_key(std::uint64_t registrant) const {
  return of_kind(*this, call).u64(registrant).str();
}
std::string registrant_partition::log_key(std::uint64_t number) const {
  return of_kind(*this, log_of_calls).u64(number).str();
}
std::string registrant_partition::doubt_key(std::uint64_t number) const {
  return of_kind(*this, doubt).u64(number).str();
}
std::string registrant_partition::next_key() const { return of_kind(*this, next).str(); }

result<std::optional<registrant>> find_registrant(const row_reader& rows, const registrant_partition& part,
                                                  std::uint64_t id) {
  const auto bytes = get(rows, part.row_key(id));
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes) return std::optional<registrant>{};
  auto r = decode_registrant(**bytes);
  if (!r) return std::unexpected(r.error());
  return std::optional(std::move(*r));
}

result<std::string> find_registrant_data(const row_reader& rows, const registrant_partition& part, std::uint64_t id) {
  auto bytes = get(rows, part.data_key(id));
  if (!bytes) return std::unexpected(bytes.error());
  return std::move(*bytes).value_or("");
}

result<std::optional<std::uint64_t>> find_number(const row_reader& rows, const std::string& key) {
  const auto bytes = get(rows, key);
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes) return std::optional<std::uint64_t>{};
  const auto n = decode_number(**bytes);
  if (!n) return std::unexpected(n.error());
  return std::optional(*n);
}

result<std::optional<generator_call>> find_call(const row_reader& rows, const registrant_partition& part,
                                                std::uint64_t number) {
  const auto bytes = get(rows, part.log_key(number));
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes) return std::optional<generator_call>{};
  auto c = decode_generator_call(**bytes);
  if (!c) return std::unexpected(c.error());
  return std::optional(std::move(*c));
}

result<registrant_numbers> find_registrant_numbers(const row_reader& rows, const registrant_partition& part) {
  const auto bytes = get(rows, part.next_key());
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes) return registrant_numbers{};
  return decode_numbers(**bytes);
}

void put_registrant(batch& into, const registrant_partition& part, const registrant& r) {
  into.put(column::registrants, part.row_key(r.id), encode(r));
}
void put_number(batch& into, const std::string& key, std::uint64_t number) {
  into.put(column::registrants, key, byte_writer{}.varint(number).str());
}
void put_call(batch& into, const registrant_partition& part, const generator_call& c) {
  into.put(column::registrants, part.log_key(c.number), encode(c));
}
void put_registrant_numbers(batch& into, const registrant_partition& part, const registrant_numbers& n) {
  into.put(column::registrants, part.next_key(),
           byte_writer{}.varint(n.next_id).varint(n.next_call).varint(n.in_doubt).varint(n.created).str());
}

result<std::vector<registrant>> list_registrants(const view& v, const registrant_partition& part, std::uint64_t from,
                                                 std::size_t limit) {
  return decoded<registrant>(v, part.row_key(from), after_prefix(of_kind(part, row).str()), limit,
                             [](std::string_view, std::string_view value) { return decode_registrant(value); });
}

result<std::vector<generator_call>> list_calls(const view& v, const registrant_partition& part, bool in_doubt,
                                               std::uint64_t from, std::size_t limit) {
  if (!in_doubt)
    return decoded<generator_call>(
        v, part.log_key(from), after_prefix(of_kind(part, log_of_calls).str()), limit,
        [](std::string_view, std::string_view value) { return decode_generator_call(value); });
  const auto rows = reader_of(v);
  return decoded<generator_call>(v, part.doubt_key(from), after_prefix(of_kind(part, doubt).str()), limit,
                                 [&](std::string_view key, std::string_view) -> result<generator_call> {
                                   const auto k = parse(key);
                                   if (!k) return malformed("a key");
                                   auto c = find_call(rows, part, k->number);
                                   if (!c) return std::unexpected(c.error());
                                   if (!*c) return malformed("a call in doubt");
                                   return std::move(**c);
                                 });
}

void registrants_verifier::check(const view& rows, verify_report& report) const {
  const auto bad = [&](std::string what) { report.add(name(), std::move(what)); };
  const auto reader = reader_of(rows);
  struct of_shard {
    registrant_numbers kept;
    std::uint64_t doubts = 0, last_id = 0, last_call = 0, registrants = 0;
  };
  std::array<of_shard, shard_count> shards{};
  std::uint64_t count = 0, calls = 0;
  const auto names = [&](const std::string& key, std::uint64_t number) {
    const auto n = find_number(reader, key);
    return n && *n && **n == number;
  };
  const auto check_registrant = [&](const parsed_key& k, const registrant& r) {
    ++count;
    auto& s = shards.at(k.part.shard.value);
    s.last_id = std::max(s.last_id, r.id);
    ++s.registrants;
    if (r.id != k.number) bad(fmt::format("registrant {} stands under the number {}", r.id, k.number));
    if (!r.reference.empty() && !names(k.part.reference_key(r.tenant, r.reference), r.id))
      bad(fmt::format("registrant {} is not the one that its reference names", r.id));
    const bool has = r.progress == id_progress::assigned || r.progress == id_progress::confirmed;
    if (has == r.unique_id.empty())
      bad(fmt::format("registrant {} is {} {} a unique ID", r.id, to_string(r.progress), has ? "without" : "with"));
    if (!r.unique_id.empty() && !names(k.part.unique_id_key(r.unique_id), r.id))
      bad(fmt::format("registrant {} is not the one that its unique ID names", r.id));
    if (r.progress != id_progress::requested) return;
    const auto t = find_task_row(reader, {k.part.shard}, r.request_task);
    if (!t || !*t || tasks::is_final((*t)->state))
      bad(fmt::format("registrant {} has asked for an ID, and its task {} is not to be done", r.id, r.request_task));
  };
  const auto check_call = [&](const parsed_key& k, const generator_call& c) {
    ++calls;
    auto& s = shards.at(k.part.shard.value);
    s.last_call = std::max(s.last_call, c.number);
    const auto stands = rows.get(column::registrants, k.part.doubt_key(c.number));
    if (c.number != k.number) bad(fmt::format("call {} stands under the number {}", c.number, k.number));
    if (stands && stands->has_value() != (c.state == call_state::in_doubt))
      bad(fmt::format("call {} of a generator is {} and {} among those in doubt", c.number, to_string(c.state),
                      *stands ? "stands" : "is not"));
    const bool live = c.state == call_state::open || c.state == call_state::answered;
    // One in doubt may have an identifier that its registrant gets when it asks again.
    const bool may = live || (c.state == call_state::in_doubt && !c.unique_id.empty());
    const bool named = names(k.part.call_key(c.registrant), c.number);
    if (named ? !may : live)
      bad(fmt::format("call {} of a generator is {}, and its registrant says otherwise", c.number, to_string(c.state)));
  };
  const auto walked = rows.walk(column::registrants, "", "", [&](std::string_view key, std::string_view value) {
    const auto k = parse(key);
    if (!k) return true; // the check of the rows tells
    auto& s = shards.at(k->part.shard.value);
    switch (k->of) {
    case row:
      if (const auto r = decode_registrant(value)) check_registrant(*k, *r);
      return true;
    case log_of_calls:
      if (const auto c = decode_generator_call(value)) check_call(*k, *c);
      return true;
    case next:
      if (const auto n = decode_numbers(value)) s.kept = *n;
      return true;
    case data:
      if (const auto r = find_registrant(reader, k->part, k->number); r && !*r)
        bad(fmt::format("there are data of registrant {}, who is not there", k->number));
      return true;
    case doubt:
      ++s.doubts;
      if (const auto c = find_call(reader, k->part, k->number); c && !*c)
        bad(fmt::format("call {} is in doubt and not there", k->number));
      return true;
    case call: {
      const auto n = decode_number(value);
      const auto c = n ? find_call(reader, k->part, *n) : std::unexpected(n.error());
      if (c && (!*c || (*c)->registrant != k->number))
        bad(fmt::format("registrant {} names a call that is not its own", k->number));
      return true;
    }
    case reference:
    case unique_id: {
      const auto n = decode_number(value);
      const auto r = n ? find_registrant(reader, k->part, *n) : std::unexpected(n.error());
      if (!r) return true;
      const bool same =
          *r && (k->of == unique_id ? (*r)->unique_id == k->text : digest_of((*r)->tenant, (*r)->reference) == k->text);
      if (!same) bad(fmt::format("a {} names registrant {}, whose it is not", kind_words[k->of], *n));
      return true;
    }
    }
    return true;
  });
  if (!walked) bad(walked.error().message);
  for (const auto& s : shards) {
    if (s.kept.next_id <= s.last_id || s.kept.next_call <= s.last_call)
      bad("the next number of a registrant or of a call was given out before");
    if (s.kept.created != s.registrants)
      bad(fmt::format("there are {} registrants, and the counter says {}", s.registrants, s.kept.created));
    if (s.kept.in_doubt != s.doubts)
      bad(fmt::format("{} calls are in doubt, and the counter says {}", s.doubts, s.kept.in_doubt));
  }
  report.count("registrants", count);
  report.count("generator calls", calls);
}

void add_registrant_decoder(row_decoders& to) { to.set(column::registrants, describe_row); }

} // namespace matricula::storage
