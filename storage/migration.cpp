#include "storage/migration.hpp"

#include "storage/identifiers.hpp"
#include "storage/unconfirmed.hpp"

namespace matricula::storage {

namespace {

constexpr std::size_t rows_in_a_batch = 1'000;

/// Identifiers that were issued before there was an index of unconfirmed ones come into it, each in a row of its own.
/// Done again, it writes the same rows.
result<void> index_unconfirmed(const view& before, const std::function<result<void>(const batch&)>& write) {
  const auto setups = find_types(before);
  if (!setups) return std::unexpected(setups.error());
  for (const auto& setup : *setups) {
    if (setup.of != identifiers::lifecycle::uin) continue;
    const id_partition part{id_shard(setup.name), setup.number, setup.of};
    batch rows(part.shard);
    result<void> written;
    const auto walked = walk_records(before, part, 0, [&](std::uint64_t counter, const identifiers::id_record& record) {
      const auto where = unconfirmed::place_of(counter, record);
      if (!where) return true;
      rows.put(column::unconfirmed, unconfirmed::key_of(part, *where),
               unconfirmed::encode({{counter, record.assignment}}));
      if (rows.operations() < rows_in_a_batch) return true;
      written = write(rows);
      rows = batch(part.shard);
      return written.has_value();
    });
    if (!written) return written;
    if (!walked) return walked;
    if (rows.empty()) continue;
    if (auto last = write(rows); !last) return last;
  }
  return {};
}

} // namespace

std::vector<migration> shipped_migrations() { return {{2, "index of unconfirmed identifiers", index_unconfirmed}}; }

} // namespace matricula::storage
