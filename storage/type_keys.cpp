#include "storage/type_keys.hpp"

#include "storage/restored_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

namespace matricula::storage {

using namespace identifiers;

namespace {

std::optional<permutation_key> find_key(std::span<const permutation_key> masters, std::string_view type_name,
                                        std::string_view fingerprint) {
  for (const auto& master : masters)
    if (auto key = master.derive(type_name); key.fingerprint() == fingerprint) return key;
  return std::nullopt;
}

result<std::vector<past_key>> past_keys_of(const type_setup& setup, std::span<const permutation_key> masters) {
  std::vector<past_key> past;
  for (const auto& one : setup.past_keys) {
    auto key = find_key(masters, setup.name, one.key_fingerprint);
    if (!key)
      return fail(errc::invalid_argument,
                  fmt::format("identifier type '{}': its identifiers of counters below {} were made with a key of "
                              "fingerprint {}, which is not among the keys that were given. Name it in "
                              "identifiers.previous_keys: without it they are not found and would be issued again.",
                              setup.name, one.end, one.key_fingerprint));
    past.push_back({*key, one.end});
  }
  return past;
}

} // namespace

result<void> settle_keys(std::span<const type_setup> stored, std::span<id_type> types,
                         std::span<const permutation_key> masters) {
  for (auto& type : types) {
    const auto known = std::ranges::find(stored, type.name, &type_setup::name);
    if (known == stored.end()) continue;
    const auto present = find_key(masters, type.name, known->key_fingerprint);
    if (!present || (known->past_keys.empty() && known->key_fingerprint == type.key_fingerprint)) continue;
    const auto past = past_keys_of(*known, masters);
    if (!past) return std::unexpected(past.error());
    if (auto given = give_keys(type, *past, *present); !given) return given;
  }
  return {};
}

result<replaced_key> replace_key(store& in, id_type& type, std::span<const permutation_key> masters,
                                 const permutation_key& new_master) {
  const auto rows = in.latest();
  const auto setups = find_types(*rows);
  if (!setups) return std::unexpected(setups.error());
  const auto found = std::ranges::find(*setups, type.name, &type_setup::name);
  if (found == setups->end()) return fail(errc::not_found, fmt::format("the store has no type '{}'", type.name));
  auto setup = *found;
  const auto new_key = new_master.derive(type.name);
  const auto fingerprint = new_key.fingerprint();
  const auto is_same = [&](const key_period& past) { return past.key_fingerprint == fingerprint; };
  if (setup.key_fingerprint == fingerprint || std::ranges::any_of(setup.past_keys, is_same))
    return fail(errc::conflict,
                fmt::format("identifier type '{}' has or had this key (fingerprint {}) already. Make a new one with "
                            "`matricula key create FILE`.",
                            type.name, fingerprint));
  // Under another key an identifier would belong to another issuer, which does not know what became of it.
  if (setup.issuers > 1)
    return fail(
        errc::conflict,
        fmt::format("identifier type '{}' has {} issuing shards: the key of such a type cannot be replaced. Keep "
                    "its key, and start a type under another name for what comes.",
                    type.name, setup.issuers));
  const id_partition part{id_shard(type.name), setup.number, setup.of};
  const auto counters = find_pool(*rows, part);
  if (!counters) return std::unexpected(counters.error());
  if (!counters->balanced())
    return fail(errc::corrupt,
                fmt::format("the pool's counters of type '{}' do not agree; run matricula verify", type.name));

  replaced_key done{setup.key_fingerprint, fingerprint, counters->issued_to, false};
  done.old_needed = counters->issued_to > type.space->present_key_from();
  if (done.old_needed) setup.past_keys.push_back({setup.key_fingerprint, counters->issued_to});
  setup.key_fingerprint = fingerprint;
  const auto past = past_keys_of(setup, masters);
  if (!past) return std::unexpected(past.error());
  auto with_new_key = type;
  if (auto given = give_keys(with_new_key, *past, new_key); !given) return std::unexpected(given.error());

  batch setups_changed(shard_id{0});
  put(setups_changed, setup);
  batch pool_changed(part.shard);
  put_rows(pool_changed, part, {}, cut_at_issued(*counters));
  const std::array<const batch*, 2> group{&setups_changed, &pool_changed};
  if (auto written = in.commit(group, in.last_durable_time()); !written) return std::unexpected(written.error());
  with_new_key.number = setup.number;
  type = std::move(with_new_key);
  return done;
}

result<void> follow_keys(store& in, id_type& type, std::span<const permutation_key> masters, const type_setup& ahead) {
  const auto replace = [&](const std::string& fingerprint) -> result<void> {
    for (const auto& master : masters)
      if (master.derive(type.name).fingerprint() == fingerprint) {
        auto done = replace_key(in, type, masters, master);
        return done ? result<void>() : std::unexpected(done.error());
      }
    return fail(errc::invalid_argument,
                fmt::format("identifier type '{}': its key was replaced after the backup by one of fingerprint {}, "
                            "which is not among the keys that were given. Name it in identifiers.key_file or "
                            "identifiers.previous_keys.",
                            type.name, fingerprint));
  };
  const auto other = [&] {
    return fail(errc::conflict,
                fmt::format("identifier type '{}': its keys in the backup are not those that the lost node went on "
                            "from. Is it the same node?",
                            type.name));
  };
  while (type.past_keys != ahead.past_keys || type.key_fingerprint != ahead.key_fingerprint) {
    const auto known = type.past_keys.size();
    if (known > ahead.past_keys.size() ||
        !std::equal(type.past_keys.begin(), type.past_keys.end(), ahead.past_keys.begin()))
      return other();
    const bool more = known < ahead.past_keys.size();
    const auto& next = more ? ahead.past_keys[known].key_fingerprint : ahead.key_fingerprint;
    if (next == type.key_fingerprint) {
      if (auto passed = settle_restored(in, type, ahead.past_keys[known].end); !passed)
        return std::unexpected(passed.error());
      const auto& after =
          known + 1 < ahead.past_keys.size() ? ahead.past_keys[known + 1].key_fingerprint : ahead.key_fingerprint;
      if (auto done = replace(after); !done) return done;
      continue;
    }
    // Replaced before anything was issued with it.
    const auto counters = find_pool(*in.latest(), {id_shard(type.name), type.number, type.rules.of});
    if (!counters) return std::unexpected(counters.error());
    if (counters->issued_to > type.space->present_key_from()) return other();
    if (auto done = replace(next); !done) return done;
  }
  return {};
}

} // namespace matricula::storage
