#include "storage/restored_store.hpp"

#include "foundation/bytes.hpp"
#include "storage/durable_file.hpp"
#include "storage/grants.hpp"
#include "storage/id_ledger.hpp"
#include "storage/identifiers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <span>
#include <system_error>
#include <vector>

namespace matricula::storage {

namespace {

namespace fs = std::filesystem;
using namespace identifiers;

constexpr std::string_view file_name = "RESTORED.matricula";
constexpr std::string_view first_line = "matricula-restored 1\n";
constexpr std::size_t bytes_max = 4'096;
/// Of the longest histories, so many fit into one batch beside the counters.
constexpr std::size_t records_in_a_group = batch::bytes_max / (id_record::bytes_max + id_ledger::bytes_max(1)) - 1;
constexpr std::string_view by = "restore";

result<void> commit(store& in, const batch& what) {
  const std::array<const batch*, 1> group{&what};
  // The time of the last group: settling is no reason to believe the clock.
  if (auto written = in.commit(group, in.last_durable_time()); !written) return std::unexpected(written.error());
  return {};
}

/// Retires released identifiers from the end of the list. Each group leaves the counters right.
result<std::uint64_t> retire_released(store& in, const id_partition& part, pool_counters& counters) {
  std::uint64_t retired = 0;
  auto ledger = id_ledger::resume(*in.latest(), part);
  if (!ledger) return std::unexpected(ledger.error());
  while (counters.released > 0) {
    const auto rows = in.latest();
    pool_changes changes;
    for (std::size_t n = 0; n < records_in_a_group && counters.released > 0; ++n) {
      const auto slot = rows->get(column::released, part.released_key(counters.released - 1));
      if (!slot) return std::unexpected(slot.error());
      if (!*slot) return fail(errc::corrupt, "the released list has a gap; run matricula verify");
      byte_reader value{**slot};
      const auto counter = value.varint();
      auto record = value.done() ? find_record(*rows, part, counter) : fail(errc::corrupt, "a malformed released row");
      if (!record) return std::unexpected(record.error());
      if (!*record) return fail(errc::corrupt, "the released list names nobody; run matricula verify");
      (*record)->advance(in.last_durable_time(), id_state::retired, by);
      changes.records.emplace_back(counter, std::move(**record));
      --counters.released;
      ++counters.retired;
      ++retired;
    }
    batch group(part.shard);
    const auto noted = ledger->put(group, changes, counters, {},
                                   [&](column where, std::string_view key) { return rows->get(where, key); });
    if (!noted) return std::unexpected(noted.error());
    require(group.fits(), "a group of retired identifiers fits into a batch");
    if (auto written = commit(in, group); !written) return std::unexpected(written.error());
  }
  return retired;
}

/// What was on its way to another issuer may have been issued by it since: it stays here, retired.
result<std::uint64_t> retire_in_transit(store& in, const id_partition& part, std::uint32_t issuers,
                                        std::span<const id_partition> all, pool_counters& counters) {
  std::uint64_t retired = 0;
  auto ledger = id_ledger::resume(*in.latest(), part);
  if (!ledger) return std::unexpected(ledger.error());
  for (std::uint32_t taker = 0; taker < issuers && counters.in_transit > 0; ++taker) {
    auto given = find_given(*in.latest(), part, taker);
    if (!given) return std::unexpected(given.error());
    if (given->ids.empty()) continue;
    const auto taken = find_taken(*in.latest(), all[taker], part.issuer);
    if (!taken) return std::unexpected(taken.error());
    pool_changes changes;
    counters.in_transit -= given->ids.size();
    if (*taken < given->number)
      for (auto& id : given->ids) {
        id.record.advance(in.last_durable_time(), id_state::retired, by);
        changes.records.emplace_back(id.counter, std::move(id.record));
        --counters.granted;
        ++counters.retired;
        ++retired;
      }
    given->ids.clear();
    batch group(part.shard);
    const auto rows = in.latest();
    const auto noted = ledger->put(group, changes, counters, {},
                                   [&](column where, std::string_view key) { return rows->get(where, key); });
    if (!noted) return std::unexpected(noted.error());
    group.put(column::pools, given_key(part, taker), encode(*given));
    require(group.fits(), "the identifiers of a grant fit into a batch");
    if (auto written = commit(in, group); !written) return std::unexpected(written.error());
  }
  return retired;
}

/// Of the indexes [from, to). What was imported is none of them.
result<std::uint64_t> valid_ones(const store& in, const id_partition& part, const id_type& type, std::uint64_t from,
                                 std::uint64_t to, bool imports_exist) {
  const auto walks = type.rules_of(part.issuer).walks;
  constexpr std::uint64_t chunk = 65'536;
  std::uint64_t valid = 0;
  std::vector<candidate> found;
  for (; from < to; from += std::min(chunk, to - from)) {
    found.clear();
    const auto last = from + std::min(chunk, to - from) - 1;
    (void)type.space->walk({walks.counter(from), walks.counter(last) + 1, walks.of}, found);
    valid += found.size();
    if (!imports_exist) continue;
    for (const auto& one : found) {
      const auto imported = find_import(*in.latest(), part, one.id.view());
      if (!imported) return std::unexpected(imported.error());
      if (*imported) --valid;
    }
  }
  return valid;
}

} // namespace

result<void> mark_restored(const std::string& directory, const group_record& as_of) {
  auto file = durable_file::create(fs::path(directory) / file_name);
  if (!file) return std::unexpected(file.error());
  if (auto written = file->write(fmt::format("{}as-of {}\n", first_line, to_rfc3339(as_of.at))); !written)
    return written;
  return file->publish();
}

result<std::optional<timestamp>> restored_as_of(const std::string& directory) {
  const auto text = read_small_file(fs::path(directory) / file_name, bytes_max);
  if (!text && text.error().code == errc::not_found) return std::optional<timestamp>{};
  if (!text) return std::unexpected(text.error());
  std::string_view rest = *text;
  constexpr std::string_view label = "as-of ";
  if (rest.starts_with(first_line)) {
    rest.remove_prefix(first_line.size());
    if (rest.starts_with(label) && rest.ends_with('\n'))
      if (const auto at = parse_rfc3339(rest.substr(label.size(), rest.size() - label.size() - 1))) return *at;
  }
  return fail(errc::corrupt, fmt::format("{}/{} is not what a restore writes", directory, file_name));
}

result<void> unmark_restored(const std::string& directory) {
  std::error_code code;
  fs::remove(fs::path(directory) / file_name, code);
  if (code) return fail(errc::io, fmt::format("cannot remove {}/{}: {}", directory, file_name, code.message()));
  return sync_directory(directory);
}

result<settled_type> settle_restored(store& in, const id_type& type, std::uint64_t start_at, std::uint32_t issuer) {
  const auto setups = find_types(*in.latest());
  if (!setups) return std::unexpected(setups.error());
  const auto setup = std::ranges::find(*setups, type.name, &type_setup::name);
  if (setup == setups->end()) return fail(errc::not_found, fmt::format("the store has no type '{}'", type.name));
  const auto issuers = id_partitions(setup->name, setup->number, setup->of, setup->issuers);
  if (issuer >= issuers.size()) return fail(errc::not_found, fmt::format("'{}' has no issuer {}", type.name, issuer));
  const auto& part = issuers[issuer];
  const auto rules = type.rules_of(issuer);
  auto counters = find_pool(*in.latest(), part);
  if (!counters) return std::unexpected(counters.error());

  settled_type done;
  const auto retired = retire_released(in, part, *counters);
  if (!retired) return std::unexpected(retired.error());
  const auto stopped = retire_in_transit(in, part, setup->issuers, issuers, *counters);
  if (!stopped) return std::unexpected(stopped.error());
  done.retired = *retired + *stopped;
  auto& c = *counters;
  if (start_at > c.issued_to) {
    const auto to = std::min(start_at, rules.end);
    done.passed = to - c.issued_to;
    // Of the counters that were walked, the rules' refusals are counted already.
    auto passed = result<std::uint64_t>(c.fresh);
    if (to < c.walked_to) passed = valid_ones(in, part, type, c.issued_to, to, c.imported > 0);
    if (!passed) return std::unexpected(passed.error());
    const auto valid = *passed;
    if (valid > c.fresh) return fail(errc::corrupt, "the pool's counters do not agree; run matricula verify");
    c.fresh -= valid;
    c.granted += valid;
    if (to > c.walked_to) {
      c.granted += to - c.walked_to;
      c.walked_to = to;
    }
    c.issued_to = to;
  }
  done.starts_at = c.issued_to;
  c.reuse_from = std::max(c.reuse_from, c.issued_to);
  c.imported_reuse_from = c.imported;
  // An issuer that has issued nothing of its own may have borrowed: those are not handed out again either.
  if (c.borrowed > 0) c.reuse_from = std::max<std::uint64_t>(c.reuse_from, 1);
  batch group(part.shard);
  put_rows(group, part, {}, c);
  if (auto written = commit(in, group); !written) return std::unexpected(written.error());
  return done;
}

} // namespace matricula::storage
