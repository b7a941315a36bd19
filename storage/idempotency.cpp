#include "storage/idempotency.hpp"

#include "foundation/bytes.hpp"
#include "foundation/digest.hpp"
#include "storage/keys.hpp"
#include "storage/stored_time.hpp"

namespace matricula::storage::idempotency {

namespace {
constexpr std::uint8_t version = 1;
constexpr std::uint8_t flag_ended = 1;
constexpr std::uint8_t flag_expires = 2;
} // namespace

std::string hash_of(const owner& whose) {
  byte_writer parts;
  parts.text(whose.tenant).text(whose.principal).text(whose.operation).text(whose.key);
  return sha256(parts.str()).substr(0, hash_bytes);
}

std::string key_of(shard_id shard, std::string_view hash) {
  require(hash.size() == hash_bytes, "an idempotency hash has 16 bytes");
  return key_builder{shard}.fixed(hash).str();
}

std::string encode(const record& r) {
  require(r.fingerprint.size() == fingerprint_bytes, "a fingerprint has 32 bytes");
  byte_writer out;
  out.u8(version).u8(static_cast<std::uint8_t>((r.ended ? flag_ended : 0) | (r.expires_at ? flag_expires : 0)));
  out.raw(r.fingerprint).varint(r.kind);
  write_time(out, r.created_at);
  if (r.expires_at) write_time(out, *r.expires_at);
  out.text(r.payload);
  return std::move(out).str();
}

result<record> decode(std::string_view bytes) {
  byte_reader in{bytes};
  const auto found_version = in.u8();
  const auto flags = in.u8();
  record r;
  r.fingerprint = in.raw(fingerprint_bytes);
  const auto kind = in.varint();
  r.kind = static_cast<std::uint32_t>(kind);
  r.created_at = read_time(in);
  if (flags & flag_expires) r.expires_at = read_time(in);
  r.ended = flags & flag_ended;
  r.payload = in.text();
  if (found_version != version || flags > (flag_ended | flag_expires) || kind > UINT32_MAX || !in.done())
    return fail(errc::corrupt, "an idempotency row does not decode");
  return r;
}

result<std::optional<record>> find(const view& in, shard_id shard, std::string_view hash) {
  auto row = in.get(column::idempotency, key_of(shard, hash));
  if (!row) return std::unexpected(row.error());
  if (!*row) return std::nullopt;
  return decode(**row);
}

void put(batch& to, std::string_view hash, const record& r) {
  to.put(column::idempotency, key_of(to.shard(), hash), encode(r));
}

void erase(batch& to, std::string_view hash) { to.erase(column::idempotency, key_of(to.shard(), hash)); }

} // namespace matricula::storage::idempotency
