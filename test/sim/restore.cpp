#include "test/sim/restore.hpp"

#include "storage/identifiers.hpp"
#include "storage/restored_store.hpp"
#include "test/sim/sim_store.hpp"

#include <algorithm>
#include <vector>

namespace matricula::sim {

using namespace identifiers;

namespace {

/// Skipping by number is a guess: it may be too much, or exact, never too little.
constexpr std::uint64_t skipped_too_many_max = 40;

/// What an operator can find out about a type: of its lost disk, and how much has happened since the backup.
struct lost_type {
  std::vector<storage::id_partition> issuers; ///< none: it had not started
  std::vector<std::uint64_t> issued_to;       ///< by issuer
  std::uint64_t imported = 0;
};

result<lost_type> look_at(const storage::view& rows, const id_type& type) {
  const auto setups = storage::find_types(rows);
  if (!setups) return std::unexpected(setups.error());
  lost_type found;
  for (const auto& setup : *setups)
    if (setup.name == type.name)
      found.issuers = storage::id_partitions(setup.name, setup.number, setup.of, setup.issuers);
  for (const auto& part : found.issuers) {
    const auto counters = storage::find_pool(rows, part);
    if (!counters) return std::unexpected(counters.error());
    found.issued_to.push_back(counters->issued_to);
    found.imported += counters->imported;
  }
  return found;
}

/// How many identifiers of a type with one issuer were issued for the first time since the backup, and how many were
/// imported that lie among them: not one more, so that a settling that counts wrongly shows.
result<std::uint64_t> happened_since(const storage::view& lost, const id_type& type, const lost_type& at_its_end,
                                     const lost_type& before) {
  const auto& part = at_its_end.issuers.front();
  const auto from = before.issued_to.front(), to = at_its_end.issued_to.front();
  std::uint64_t number = 0;
  const auto issued = storage::walk_records(lost, part, from, [&](std::uint64_t counter, const id_record&) {
    if (!is_import_slot(counter)) ++number;
    return true;
  });
  if (!issued) return std::unexpected(issued.error());
  const auto imported = storage::walk_imports(lost, part, [&](std::string_view id, std::uint64_t slot) {
    const auto counter = type.space->counter_of(id);
    if (slot >= import_base + before.imported && counter && *counter >= from && *counter < to) ++number;
    return true;
  });
  if (!imported) return std::unexpected(imported.error());
  return number;
}

/// Returns how many released identifiers were retired.
result<std::uint64_t> settle_type(storage::store& restored, const storage::view& lost, const id_type& type,
                                  settled_by how, random_source& random) {
  const auto at_its_end = look_at(lost, type);
  if (!at_its_end) return std::unexpected(at_its_end.error());
  const auto before = look_at(*restored.latest(), type);
  if (!before) return std::unexpected(before.error());
  if (before->issuers.empty()) return 0; // it had not started: nothing was issued
  std::uint64_t retired = 0;
  for (std::uint32_t issuer = 0; issuer < type.issuers; ++issuer) {
    result<std::uint64_t> start = at_its_end->issued_to[issuer];
    if (how == settled_by::old_data) {
      const auto copied = storage::copy_imports(restored, type, lost, at_its_end->issuers, issuer);
      if (!copied) return copied;
    } else if (type.issuers == 1) {
      const auto skip = happened_since(lost, type, *at_its_end, *before);
      if (!skip) return skip;
      start = storage::index_after(restored, type, *skip + random.below(2) * random.below(skipped_too_many_max));
    } else {
      // With what they may have lent to each other the skip would be all that such small types have.
      start = std::min(*start + random.below(skipped_too_many_max), type.rules_of(issuer).end);
    }
    if (!start) return start;
    const auto settled = storage::settle_restored(restored, type, *start, issuer);
    if (!settled) return std::unexpected(settled.error());
    retired += settled->retired;
  }
  return retired;
}

/// Of all issuers of a type.
result<std::set<std::string>> imported_into(const storage::view& rows, const id_type& type) {
  const auto found = look_at(rows, type);
  if (!found) return std::unexpected(found.error());
  std::set<std::string> ids;
  for (const auto& part : found->issuers) {
    const auto walked = storage::walk_imports(rows, part, [&](std::string_view id, std::uint64_t) {
      ids.emplace(id);
      return true;
    });
    if (!walked) return std::unexpected(walked.error());
  }
  return ids;
}

} // namespace

result<settlement> settle_after_restore(std::shared_ptr<test::sim_disk> restored, std::shared_ptr<test::sim_disk> old,
                                        settled_by how, const sim_clock& time, random_source& random) {
  test::sim_env env_of_lost(std::move(old)), env(std::move(restored));
  const auto lost = storage::store::open(sim_store_options(env_of_lost, time, random));
  if (!lost) return std::unexpected(lost.error());
  const auto store = storage::store::open(sim_store_options(env, time, random));
  if (!store) return std::unexpected(store.error());
  settlement done;
  for (const auto& t : sim_types()) {
    auto imported = imported_into(*(*lost)->latest(), t.type);
    if (!imported) return std::unexpected(imported.error());
    done.imported.push_back(std::move(*imported));
    const auto settled = settle_type(**store, *(*lost)->latest(), t.type, how, random);
    if (!settled) return std::unexpected(settled.error());
    done.retired += *settled;
  }
  // Without the lost disk by the time of day; whoever settles has set the clock right.
  const auto numbers = how == settled_by::old_data
                           ? storage::find_numbers(*(*lost)->latest(), storage::tasks_of_node())
                           : result<storage::task_numbers>(storage::numbers_beyond(time.never_set()));
  if (!numbers) return std::unexpected(numbers.error());
  if (const auto settled = storage::settle_tasks(**store, *numbers); !settled) return std::unexpected(settled.error());
  return done;
}

} // namespace matricula::sim
