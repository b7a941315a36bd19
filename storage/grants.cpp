#include "storage/grants.hpp"

#include "foundation/bytes.hpp"
#include "storage/keys.hpp"

#include <fmt/format.h>

#include <functional>

namespace matricula::storage {

using namespace identifiers;

namespace {

/// After an issuer's own key in column pools.
constexpr std::uint8_t given_rows = 2;
constexpr std::uint8_t taken_rows = 3;

std::string peer_key(const id_partition& part, std::uint8_t rows, std::uint32_t peer) {
  byte_writer key;
  key.raw(part.pool_key()).u8(rows).big16(static_cast<std::uint16_t>(peer));
  return std::move(key).str();
}

using record_reader = std::function<result<std::optional<id_record>>(const id_partition&)>;

result<owned_id> follow(std::span<const id_partition> issuers, std::uint64_t counter, const record_reader& read) {
  auto next = static_cast<std::uint32_t>(counter % issuers.size());
  owned_id last{next, {}};
  // Each issuer's record names the one that it gave the identifier to last, so no issuer comes twice on the way to the
  // owner. One that is on its way has no record where it goes, or one that leads back: the latest giver has seen most.
  for (std::size_t hops = 0; hops < issuers.size(); ++hops) {
    auto record = read(issuers[next]);
    if (!record) return std::unexpected(record.error());
    if (!*record) break; // never issued, or on its way here
    const bool given_away = (*record)->state == id_state::granted;
    const auto at = next;
    next = (*record)->granted_to;
    if (given_away) (*record)->state = id_state::available;
    if (!given_away || !last.record || (*record)->assignment >= last.record->assignment)
      last = {at, std::move(*record)};
    if (!given_away) break;
    if (next >= issuers.size()) return fail(errc::corrupt, "An identifier was given to an issuer that is not there.");
  }
  // What was given before it was ever issued has a record, and is to everybody as if it had none.
  if (last.record && last.record->assignment == 0 && last.record->state == id_state::available) last.record.reset();
  return last;
}

} // namespace

std::string given_key(const id_partition& giver, std::uint32_t taker) { return peer_key(giver, given_rows, taker); }
std::string taken_key(const id_partition& taker, std::uint32_t giver) { return peer_key(taker, taken_rows, giver); }

result<given_grant> find_given(const view& v, const id_partition& giver, std::uint32_t taker) {
  const auto bytes = v.get(column::pools, given_key(giver, taker));
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes) return given_grant{};
  return decode_given_grant(**bytes);
}

result<std::uint64_t> find_taken(const view& v, const id_partition& taker, std::uint32_t giver) {
  const auto bytes = v.get(column::pools, taken_key(taker, giver));
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes) return 0;
  return decode_taken_grant(**bytes);
}

result<owned_id> find_owner(const commit_log& log, std::span<const id_partition> issuers, std::uint64_t counter) {
  return follow(issuers, counter, [&](const id_partition& part) -> result<std::optional<id_record>> {
    const auto rows = log.read(part.shard);
    if (!rows) return std::unexpected(rows.error());
    return find_record(**rows, part, counter);
  });
}

result<owned_id> find_owner(const view& all, std::span<const id_partition> issuers, std::uint64_t counter) {
  return follow(issuers, counter, [&](const id_partition& part) { return find_record(all, part, counter); });
}

result<pools_seen> find_pools(const commit_log& log, std::span<const id_partition> issuers) {
  const auto look = [&]() -> result<std::vector<pool_counters>> {
    std::vector<pool_counters> all;
    for (const auto& part : issuers) {
      const auto rows = log.read(part.shard);
      if (!rows) return std::unexpected(rows.error());
      const auto counters = find_pool(**rows, part);
      if (!counters) return std::unexpected(counters.error());
      all.push_back(*counters);
    }
    return all;
  };
  const auto first = look();
  if (!first) return std::unexpected(first.error());
  auto again = look();
  if (!again) return std::unexpected(again.error());
  const bool same = *first == *again;
  return pools_seen{std::move(*again), same};
}

std::uint32_t issuer_of_key(std::string_view key, std::uint32_t issuers) {
  return issuers == 1 ? 0 : static_cast<std::uint32_t>(hash64(key) % issuers);
}

result<std::string> describe_grant_row(std::string_view key, std::string_view value) {
  byte_reader in{key};
  const auto shard = in.u8();
  const auto number = in.big16();
  const auto rows = in.u8();
  const auto peer = in.big16();
  if (!in.done()) return fail(errc::corrupt, "pool: malformed key");
  const auto head = fmt::format(R"({{"shard":{},"type":{})", shard, number);
  if (rows == given_rows) {
    const auto grant = decode_given_grant(value);
    if (!grant) return std::unexpected(grant.error());
    std::string counters;
    for (const auto& id : grant->ids) counters += fmt::format("{}{}", counters.empty() ? "" : ",", id.counter);
    return fmt::format(R"({},"granted_to_issuer":{},"number":{},"on_their_way":[{}]}})", head, peer, grant->number,
                       counters);
  }
  if (rows == taken_rows) {
    const auto taken = decode_taken_grant(value);
    if (!taken) return std::unexpected(taken.error());
    return fmt::format(R"({},"taken_from_issuer":{},"number":{}}})", head, peer, *taken);
  }
  return fail(errc::corrupt, "pool: malformed key");
}

} // namespace matricula::storage
