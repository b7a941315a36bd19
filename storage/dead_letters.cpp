#include "storage/dead_letters.hpp"

#include "foundation/bytes.hpp"
#include "storage/keys.hpp"
#include "storage/stored_time.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace matricula::storage::dead_letters {

namespace {

constexpr std::uint8_t version = 1;
constexpr std::uint8_t letter_row = 1;
constexpr std::uint8_t count_row = 2;

std::unexpected<error> missing(std::string_view id) {
  return fail(errc::not_found, fmt::format("there is no dead letter {}", id.substr(0, id_bytes)));
}

} // namespace

std::string encode(const letter& l) {
  byte_writer out;
  out.u8(version).u8(static_cast<std::uint8_t>(l.now)).u8(l.replayable ? 1 : 0);
  write_time(out, l.at);
  out.text(l.actor).text(l.reason).text(l.message_type).text(l.summary);
  out.text(l.trace.request_id).text(l.trace.traceparent).text(l.payload);
  return std::move(out).str();
}

result<letter> decode(std::string_view id, std::string_view bytes) {
  byte_reader in{bytes};
  letter l;
  l.id = id;
  const auto found_version = in.u8();
  const auto now = in.u8();
  const auto replayable = in.u8();
  l.at = read_time(in);
  l.actor = in.text();
  l.reason = in.text();
  l.message_type = in.text();
  l.summary = in.text();
  l.trace.request_id = in.text();
  l.trace.traceparent = in.text();
  l.payload = in.text();
  if (found_version != version || now < 1 || now > 2 || replayable > 1 || !in.done())
    return fail(errc::corrupt, "a dead letter does not decode");
  l.now = static_cast<state>(now);
  l.replayable = replayable == 1;
  return l;
}

std::string encode(const count& c) { return byte_writer{}.u8(version).varint(c.kept).varint(c.dropped).str(); }

result<count> decode_count(std::string_view bytes) {
  byte_reader in{bytes};
  const auto found_version = in.u8();
  count c;
  c.kept = in.varint();
  c.dropped = in.varint();
  if (found_version != version || !in.done()) return fail(errc::corrupt, "a count of dead letters does not decode");
  return c;
}

std::string key_of(shard_id shard, std::string_view id) { return key_builder{shard}.u8(letter_row).fixed(id).str(); }

std::string count_key(shard_id shard, std::string_view actor, std::string_view reason) {
  return key_builder{shard}.u8(count_row).text(actor).text(reason).str();
}

std::optional<parsed_key> parse_key(std::string_view key) {
  key_reader in{key};
  (void)in.shard();
  parsed_key out;
  switch (in.u8()) {
  case letter_row:
    out.id = in.fixed(id_bytes);
    break;
  case count_row:
    out.actor = in.text();
    out.reason = in.text();
    break;
  default:
    return std::nullopt;
  }
  if (!in.done()) return std::nullopt;
  return out;
}

result<count> count_of(const view& in, shard_id shard, std::string_view actor, std::string_view reason) {
  auto row = in.get(column::dead_letters, count_key(shard, actor, reason));
  if (!row) return std::unexpected(row.error());
  if (!*row) return count{};
  return decode_count(**row);
}

result<bool> put(const view& in, batch& to, letter l, std::uint64_t cap) {
  require(l.id.size() == id_bytes, "a dead letter's id is a ULID");
  auto counted = count_of(in, to.shard(), l.actor, l.reason);
  if (!counted) return std::unexpected(counted.error());
  const bool keep = counted->kept < cap;
  ++(keep ? counted->kept : counted->dropped);
  to.put(column::dead_letters, count_key(to.shard(), l.actor, l.reason), encode(*counted));
  if (!keep) return false;
  if (l.payload.size() > payload_bytes_max) {
    l.payload.resize(payload_bytes_max);
    l.replayable = false;
  }
  to.put(column::dead_letters, key_of(to.shard(), l.id), encode(l));
  return true;
}

result<std::optional<letter>> get(const view& in, shard_id shard, std::string_view id) {
  if (id.size() != id_bytes) return std::nullopt;
  auto row = in.get(column::dead_letters, key_of(shard, id));
  if (!row) return std::unexpected(row.error());
  if (!*row) return std::nullopt;
  return decode(id, **row);
}

result<void> mark_replayed(const view& in, batch& to, std::string_view id) {
  auto found = get(in, to.shard(), id);
  if (!found) return std::unexpected(found.error());
  if (!*found) return missing(id);
  auto& l = **found;
  if (!l.replayable) return fail(errc::conflict, "messages of this type cannot be replayed");
  if (l.now == state::replayed) return fail(errc::conflict, "this message was replayed already");
  l.now = state::replayed;
  to.put(column::dead_letters, key_of(to.shard(), id), encode(l));
  return {};
}

result<void> erase(const view& in, batch& to, std::string_view id) {
  const auto found = get(in, to.shard(), id);
  if (!found) return std::unexpected(found.error());
  if (!*found) return missing(id);
  const auto& l = **found;
  auto counted = count_of(in, to.shard(), l.actor, l.reason);
  if (!counted) return std::unexpected(counted.error());
  counted->kept -= std::min<std::uint64_t>(counted->kept, 1);
  const auto key = count_key(to.shard(), l.actor, l.reason);
  if (*counted == count{})
    to.erase(column::dead_letters, key);
  else
    to.put(column::dead_letters, key, encode(*counted));
  to.erase(column::dead_letters, key_of(to.shard(), id));
  return {};
}

result<page> list(const view& in, shard_id shard, std::string_view after, std::size_t limit) {
  limit = std::clamp<std::size_t>(limit, 1, 1'000);
  const auto prefix = key_builder{shard}.u8(letter_row).str();
  // The zero byte makes it the first key after the one named.
  const auto lower = after.empty() ? prefix : key_of(shard, after) + '\0';
  page out;
  result<void> decoded;
  const auto walked =
      in.walk(column::dead_letters, lower, after_prefix(prefix), [&](std::string_view key, std::string_view value) {
        if (out.letters.size() == limit) {
          out.next = out.letters.back().id;
          return false;
        }
        auto l = decode(key.substr(prefix.size()), value);
        if (!l) {
          decoded = std::unexpected(l.error());
          return false;
        }
        out.letters.push_back(std::move(*l));
        return true;
      });
  if (!walked) return std::unexpected(walked.error());
  if (!decoded) return std::unexpected(decoded.error());
  return out;
}

} // namespace matricula::storage::dead_letters
