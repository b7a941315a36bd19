#include "storage/holders.hpp"

#include "foundation/bytes.hpp"
#include "foundation/digest.hpp"
#include "storage/json_line.hpp"

#include <fmt/format.h>

#include <unordered_set>

namespace matricula::storage {

using namespace identifiers;

namespace {

constexpr std::size_t hash_bytes = 16;

/// The beginnings of keys of `holders` and `vids` are the same: shard and number of the type.
struct type_key {
  id_partition part;
  std::string_view rest;
};
std::optional<type_key> parse_key(std::string_view key, std::size_t rest_bytes) {
  byte_reader in{key};
  type_key out;
  out.part.shard = {in.u8()};
  out.part.number = in.big16();
  out.part.of = lifecycle::vid;
  out.rest = in.raw(rest_bytes);
  if (!in.done()) return std::nullopt;
  return out;
}

/// An assignment of an identifier, over all types.
std::string name_of(const id_partition& part, std::uint64_t counter, std::uint32_t assignment) {
  byte_writer out;
  out.u8(part.shard.value).big16(part.number).big64(counter).big32(assignment);
  return std::move(out).str();
}

std::string describe(const held_vid& v) {
  json_line out;
  out.text("id", v.id).number("counter", v.counter).number("assignment", v.assignment).text("policy", v.policy);
  out.text("state", to_string(v.state)).text("generated_at", to_rfc3339(v.generated_at));
  if (v.expires_at) out.text("expires_at", to_rfc3339(*v.expires_at));
  if (v.transactions_left) out.number("transactions_left", *v.transactions_left);
  return out.str();
}

/// What is wrong with a VID of a holder's row; empty: nothing.
std::string fault_of(const view& rows, const id_partition& part, const holder& of, const held_vid& v) {
  const auto record = find_record(rows, part, v.counter);
  if (!record) return "its record does not decode";
  if (!*record) return "it has no record";
  const auto& r = **record;
  if (!v.open()) {
    if (r.assignment == v.assignment && r.state == id_state::expired) return {};
    return "it has ended and its cool-off is over, or its record has not ended";
  }
  if (r.state != id_state::assigned || r.assignment != v.assignment) return "its record says that it has ended";
  if (r.holder != of.name || !r.of_policy) return "its record says that it is another holder's";
  if (r.id != v.id || r.expires_at != v.expires_at) return "its record has another identifier or expiry";
  return {};
}

} // namespace

std::string holder_key(const id_partition& part, std::string_view name) {
  return part.pool_key() + sha256(name).substr(0, hash_bytes);
}

void put(batch& into, const id_partition& part, const holder& h) {
  const auto key = holder_key(part, h.name);
  if (h.vids.empty())
    into.erase(column::holders, key);
  else
    into.put(column::holders, key, encode(h));
}

result<holder> find_holder(const view& v, const id_partition& part, std::string_view name) {
  auto bytes = v.get(column::holders, holder_key(part, name));
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes) return holder{std::string(name), {}};
  return decode_holder(**bytes);
}

result<std::optional<found_vid>> find_vid(const view& v, const id_partition& part, std::uint64_t counter) {
  const auto record = find_record(v, part, counter);
  if (!record) return std::unexpected(record.error());
  if (!*record || !(*record)->of_policy) return std::nullopt;
  auto of = find_holder(v, part, (*record)->holder);
  if (!of) return std::unexpected(of.error());
  const auto place = of->place_of(counter, (*record)->assignment);
  if (!place) return std::nullopt;
  return found_vid{std::move(*of), *place};
}

void holders_verifier::check(const view& rows, verify_report& report) const {
  std::unordered_set<std::string> open;
  std::uint64_t holders = 0;
  const auto bad = [&](std::string what) { report.add(name(), std::move(what)); };
  const auto walked = rows.walk(column::holders, "", "", [&](std::string_view key, std::string_view value) {
    ++holders;
    const auto parts = parse_key(key, hash_bytes);
    const auto of = decode_holder(value);
    if (!parts || !of) return true; // the check of the rows tells
    if (key != holder_key(parts->part, of->name)) bad("a holder's row is under the key of another name");
    if (of->vids.size() > holder::open_max + holder::ended_max) bad("a holder has more VIDs than there may be");
    for (const auto& v : of->vids) {
      if (const auto why = fault_of(rows, parts->part, *of, v); !why.empty())
        bad(fmt::format("a holder's row lists counter {} (assignment {}, {}), but {}", v.counter, v.assignment,
                        to_string(v.state), why));
      if (v.open() && !open.insert(name_of(parts->part, v.counter, v.assignment)).second)
        bad(fmt::format("counter {} (assignment {}) is listed twice", v.counter, v.assignment));
    }
    return true;
  });
  if (!walked) bad(walked.error().message);
  constexpr std::size_t counter_bytes = 8;
  const auto looked = rows.walk(column::vids, "", "", [&](std::string_view key, std::string_view value) {
    const auto parts = parse_key(key, counter_bytes);
    const auto r = decode_id_record(value);
    if (!parts || !r || !r->of_policy || r->state != id_state::assigned) return true;
    const auto counter = byte_reader{parts->rest}.big64();
    if (!open.contains(name_of(parts->part, counter, r->assignment)))
      bad(fmt::format("counter {} (assignment {}) was made by a policy and is in no holder's row", counter,
                      r->assignment));
    return true;
  });
  if (!looked) bad(looked.error().message);
  report.count("holders", holders);
}

void add_holder_decoder(row_decoders& to) {
  to.set(column::holders, [](std::string_view key, std::string_view value) -> result<std::string> {
    const auto parts = parse_key(key, hash_bytes);
    const auto h = decode_holder(value);
    if (!parts) return fail(errc::corrupt, "holder: malformed key");
    if (!h) return std::unexpected(h.error());
    std::string vids = "[";
    for (const auto& v : h->vids) vids += (vids.size() > 1 ? "," : "") + describe(v);
    return json_line{}.number("type", parts->part.number).text("holder", h->name).raw("vids", vids + "]").str();
  });
}

} // namespace matricula::storage
