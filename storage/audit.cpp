#include "storage/audit.hpp"

#include "foundation/bytes.hpp"
#include "storage/keys.hpp"
#include "storage/stored_time.hpp"

#include <algorithm>

namespace matricula::storage::audit {

namespace {
constexpr std::uint8_t version = 1;
}

std::string key_of(shard_id shard, std::string_view id) { return key_builder{shard}.fixed(id).str(); }

std::optional<std::string> id_in(std::string_view key) {
  if (key.size() != 1 + id_bytes) return std::nullopt;
  return std::string(key.substr(1));
}

std::string encode(const entry& e) {
  byte_writer out;
  out.u8(version);
  write_time(out, e.at);
  out.text(e.who).text(e.action).text(e.target).text(e.reason).text(e.request_id);
  return std::move(out).str();
}

result<entry> decode(std::string_view id, std::string_view bytes) {
  byte_reader in{bytes};
  entry e;
  e.id = id;
  const auto found_version = in.u8();
  e.at = read_time(in);
  e.who = in.text();
  e.action = in.text();
  e.target = in.text();
  e.reason = in.text();
  e.request_id = in.text();
  if (found_version != version || !in.done()) return fail(errc::corrupt, "an audit row does not decode");
  return e;
}

void put(batch& to, const entry& e) {
  require(e.id.size() == id_bytes, "an audit entry's id is a ULID");
  to.put(column::audit, key_of(to.shard(), e.id), encode(e));
}

result<page> list(const view& in, shard_id shard, std::string_view before, std::size_t limit) {
  limit = std::clamp<std::size_t>(limit, 1, 1'000);
  const std::string prefix(1, static_cast<char>(shard.value));
  const auto upper = before.empty() ? after_prefix(prefix) : key_of(shard, before);
  page out;
  result<void> decoded;
  const auto walked = in.walk_back(column::audit, prefix, upper, [&](std::string_view key, std::string_view value) {
    if (out.entries.size() == limit) {
      out.next = out.entries.back().id;
      return false;
    }
    auto e = decode(key.substr(1), value);
    if (!e) {
      decoded = std::unexpected(e.error());
      return false;
    }
    out.entries.push_back(std::move(*e));
    return true;
  });
  if (!walked) return std::unexpected(walked.error());
  if (!decoded) return std::unexpected(decoded.error());
  return out;
}

} // namespace matricula::storage::audit
