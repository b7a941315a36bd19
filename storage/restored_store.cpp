#include "storage/restored_store.hpp"

#include "foundation/bytes.hpp"
#include "storage/durable_file.hpp"
#include "storage/grants.hpp"
#include "storage/id_ledger.hpp"
#include "storage/identifiers.hpp"
#include "storage/registrants.hpp"

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
result<std::uint64_t> retire_in_transit(store& in, const id_partition& part, std::span<const id_partition> all,
                                        pool_counters& counters) {
  std::uint64_t retired = 0;
  auto ledger = id_ledger::resume(*in.latest(), part);
  if (!ledger) return std::unexpected(ledger.error());
  for (std::uint32_t taker = 0; taker < all.size() && counters.in_transit > 0; ++taker) {
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

/// Adds the identifiers of the indexes [from, to) that may be issued: none of those that were imported.
result<void> find_issuable(const store& in, const id_partition& part, const id_type& type, std::uint64_t from,
                           std::uint64_t to, bool imports_exist, std::vector<candidate>& found) {
  const auto walks = type.rules_of(part.issuer).walks;
  (void)type.space->walk({walks.counter(from), walks.counter(to - 1) + 1, walks.of}, found);
  if (!imports_exist) return {};
  std::optional<error> bad;
  const auto rows = in.latest();
  std::erase_if(found, [&](const candidate& one) {
    if (bad) return false;
    const auto imported = find_import(*rows, part, one.id.view());
    if (!imported) bad = imported.error();
    return imported && imported->has_value();
  });
  if (bad) return std::unexpected(*bad);
  return {};
}

/// So many indexes are walked at a time.
constexpr std::uint64_t walked_at_once = 65'536;

/// How many of the indexes [from, to) may be issued.
result<std::uint64_t> count_issuable(const store& in, const id_partition& part, const id_type& type, std::uint64_t from,
                                     std::uint64_t to, bool imports_exist) {
  std::uint64_t valid = 0;
  std::vector<candidate> found;
  for (std::uint64_t next = from; from < to; from = next) {
    next = from + std::min(walked_at_once, to - from);
    found.clear();
    if (auto ok = find_issuable(in, part, type, from, next, imports_exist, found); !ok)
      return std::unexpected(ok.error());
    valid += found.size();
  }
  return valid;
}

/// Where the rows of each issuer of the type are. Errors: also not_found (there is no such issuer).
result<std::vector<id_partition>> find_issuers(const store& in, const id_type& type, std::uint32_t issuer) {
  const auto setups = find_types(*in.latest());
  if (!setups) return std::unexpected(setups.error());
  const auto setup = std::ranges::find(*setups, type.name, &type_setup::name);
  if (setup == setups->end()) return fail(errc::not_found, fmt::format("the store has no type '{}'", type.name));
  if (issuer >= setup->issuers) return fail(errc::not_found, fmt::format("'{}' has no issuer {}", type.name, issuer));
  return id_partitions(setup->name, setup->number, setup->of, setup->issuers);
}

/// What one imported identifier takes in a batch, at most: its rows, and an entry of the audit trail for each step.
std::size_t bytes_of(const id_record& record) {
  constexpr std::size_t of_rows = 160, of_an_entry = 40;
  const auto texts = record.id.size() + record.holder.size();
  std::size_t trail = 0;
  for (const auto& e : record.history) trail += of_an_entry + texts + e.by.size();
  return record.size_estimate() + of_rows + 2 * record.id.size() + trail;
}

/// The next imported identifiers of an issuer from number `from` on, as many as fit into one batch.
result<std::vector<import_copy>> next_imports(const view& lost, std::span<const id_partition> issuers,
                                              const id_type& type, std::uint32_t issuer, std::uint64_t from) {
  constexpr std::size_t group_bytes = 128 * 1024;
  const auto walks = type.rules_of(issuer).walks;
  std::vector<import_copy> page;
  std::size_t bytes = 0;
  std::optional<error> bad;
  const auto visit = [&](std::uint64_t slot, const id_record& kept) {
    if (!walks.holds(slot)) return true; // lent by another issuer, which knows it, too
    if (import_number(walks, slot) != from + page.size()) return bad = error{errc::corrupt, "a gap", {}}, false;
    import_copy copy{kept, std::nullopt};
    if (kept.state == id_state::granted) {
      auto owner = find_owner(lost, issuers, slot);
      if (!owner) return bad = owner.error(), false;
      if (!owner->record) return bad = error{errc::corrupt, "one that nobody has", {}}, false;
      copy.record = std::move(*owner->record);
    }
    if (const auto counter = type.space->counter_of(kept.id); counter && *counter < type.rules.end)
      copy.counter = static_cast<std::uint64_t>(*counter);
    bytes += bytes_of(copy.record);
    page.push_back(std::move(copy));
    return bytes < group_bytes && page.size() < import_rows_max;
  };
  const auto walked = walk_records(lost, issuers[issuer], import_slot(walks, from), visit);
  if (!bad && walked && page.empty()) bad = error{errc::corrupt, "fewer than its counters say", {}};
  if (!bad && !walked) bad = walked.error();
  if (bad)
    return fail(bad->code, fmt::format("the lost node's imported identifiers cannot be read ({}); run matricula verify "
                                       "on it, or settle with --skip",
                                       bad->message));
  return page;
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
  const auto issuers = find_issuers(in, type, issuer);
  if (!issuers) return std::unexpected(issuers.error());
  const auto& part = (*issuers)[issuer];
  const auto rules = type.rules_of(issuer);
  auto counters = find_pool(*in.latest(), part);
  if (!counters) return std::unexpected(counters.error());

  settled_type done;
  const auto retired = retire_released(in, part, *counters);
  if (!retired) return std::unexpected(retired.error());
  const auto stopped = retire_in_transit(in, part, *issuers, *counters);
  if (!stopped) return std::unexpected(stopped.error());
  done.retired = *retired + *stopped;
  auto& c = *counters;
  if (start_at > c.issued_to) {
    const auto to = std::min(start_at, rules.end);
    done.passed = to - c.issued_to;
    // Of the counters that were walked, the rules' refusals are counted already.
    auto passed = result<std::uint64_t>(c.fresh);
    if (to < c.walked_to) passed = count_issuable(in, part, type, c.issued_to, to, c.imported > 0);
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
  c.imported_reuse_from = pool_counters::no_import_is_reused;
  // An issuer that has issued nothing of its own may have borrowed: those are not handed out again either.
  if (c.borrowed > 0) c.reuse_from = std::max<std::uint64_t>(c.reuse_from, 1);
  batch group(part.shard);
  put_rows(group, part, {}, c);
  if (auto written = commit(in, group); !written) return std::unexpected(written.error());
  return done;
}

result<std::uint64_t> index_after(const store& in, const id_type& type, std::uint64_t identifiers,
                                  std::uint32_t issuer) {
  const auto issuers = find_issuers(in, type, issuer);
  if (!issuers) return std::unexpected(issuers.error());
  const auto& part = (*issuers)[issuer];
  const auto counters = find_pool(*in.latest(), part);
  if (!counters) return std::unexpected(counters.error());
  const auto rules = type.rules_of(issuer);
  std::vector<candidate> found;
  auto from = counters->issued_to;
  while (identifiers > 0 && from < rules.end) {
    const auto to = from + std::min(walked_at_once, rules.end - from);
    found.clear();
    if (auto ok = find_issuable(in, part, type, from, to, counters->imported > 0, found); !ok)
      return std::unexpected(ok.error());
    if (found.size() >= identifiers) return rules.walks.index(found[identifiers - 1].counter) + 1;
    identifiers -= found.size();
    from = to;
  }
  return from;
}

result<std::uint64_t> copy_imports(store& in, const id_type& type, const view& lost,
                                   std::span<const id_partition> lost_issuers, std::uint32_t issuer) {
  const auto issuers = find_issuers(in, type, issuer);
  if (!issuers) return std::unexpected(issuers.error());
  require(lost_issuers.size() == issuers->size(), "the lost node's type had as many issuers");
  const auto& part = (*issuers)[issuer];
  const auto here = find_pool(*in.latest(), part);
  if (!here) return std::unexpected(here.error());
  const auto there = find_pool(lost, lost_issuers[issuer]);
  if (!there) return std::unexpected(there.error());
  auto ledger = id_ledger::resume(*in.latest(), part);
  if (!ledger) return std::unexpected(ledger.error());
  pool now(type.rules_of(issuer), *here);
  while (now.counters().imported < there->imported) {
    auto page = next_imports(lost, lost_issuers, type, issuer, now.counters().imported);
    if (!page) return std::unexpected(page.error());
    auto changes = now.take_over(std::move(*page), by, in.last_durable_time());
    const auto rows = in.latest();
    batch group(part.shard);
    const auto noted = ledger->put(group, changes, now.counters(), {},
                                   [&](column where, std::string_view key) { return rows->get(where, key); });
    if (!noted) return std::unexpected(noted.error());
    require(group.fits(), "a group of imported identifiers fits into a batch");
    if (auto written = commit(in, group); !written) return std::unexpected(written.error());
  }
  return now.counters().imported - here->imported;
}

result<task_numbers> settle_tasks(store& in, const task_numbers& at_least) {
  const auto part = tasks_of_node();
  auto numbers = find_numbers(*in.latest(), part);
  if (!numbers) return numbers;
  numbers->next_id = std::max(numbers->next_id, at_least.next_id);
  numbers->next_token = std::max(numbers->next_token, at_least.next_token);
  batch group(part.shard);
  put_numbers(group, part, *numbers);
  // Registrants and calls of generators were counted up no faster than their tasks.
  const auto registrants = registrants_of(part);
  auto of_registrants = find_registrant_numbers(reader_of(*in.latest()), registrants);
  if (!of_registrants) return std::unexpected(of_registrants.error());
  of_registrants->next_id = std::max(of_registrants->next_id, at_least.next_id);
  of_registrants->next_call = std::max(of_registrants->next_call, at_least.next_token);
  put_registrant_numbers(group, registrants, *of_registrants);
  if (auto written = commit(in, group); !written) return std::unexpected(written.error());
  return numbers;
}

} // namespace matricula::storage
