#include "storage/identifiers_verifier.hpp"

#include "foundation/bytes.hpp"
#include "storage/capacities.hpp"
#include "storage/identifiers.hpp"
#include "storage/keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <unordered_set>

namespace matricula::storage {

using namespace identifiers;

namespace {
/// One number for an assignment. Slots of imported identifiers keep their highest bit.
std::uint64_t assignment_key(std::uint64_t counter, std::uint32_t assignment) {
  return (counter << 16 | (assignment & 0xffff)) ^ (counter & import_base);
}
} // namespace

void identifiers_verifier::check(const view& rows, verify_report& report) const {
  const auto setups = find_types(rows);
  if (!setups) return report.add(name(), setups.error().message);
  for (const auto& setup : *setups) check_type(rows, report, setup.name, setup.number, setup.of);
}

void identifiers_verifier::check_type(const view& rows, verify_report& report, const std::string& type_name,
                                      std::uint16_t number, lifecycle of) const {
  const id_partition part{id_shard(type_name), number, of};
  const auto bad = [&](std::string what) { report.add(name(), fmt::format("type {}: {}", type_name, what)); };
  const auto counters = find_pool(rows, part);
  if (!counters) return bad(counters.error().message);
  if (!counters->balanced())
    bad(fmt::format("walked {} + imported {} is not the sum of what became of it: filtered {} + available {} + issued "
                    "{} + assigned "
                    "{} + cooling {} + "
                    "retired {} + granted {}",
                    counters->walked_to, counters->imported, counters->filtered, counters->available(),
                    counters->issued, counters->assigned, counters->cooling, counters->retired, counters->granted));
  const auto known = std::ranges::find(types_, type_name, &id_type::name);
  const auto* space = known == types_.end() ? nullptr : known->space.get();

  // One pass over the due index: which records does it expect to end or to be released?
  std::unordered_set<std::uint64_t> to_expire, to_release;
  std::uint64_t due_rows = 0;
  timestamp from{};
  for (bool more = true; more;) {
    constexpr std::size_t page = 1'000;
    const auto found = find_due(rows, part, from, timestamp::max() - milliseconds{2}, page);
    if (!found) return bad(found.error().message);
    more = found->size() == page && found->back().at != from;
    for (const auto& row : *found) {
      if (more && row.at == found->back().at) continue; // comes again with the next page
      ++due_rows;
      if (row.at < counters->due_floor)
        bad(fmt::format("a due row of {} lies before the floor {}", to_rfc3339(row.at),
                        to_rfc3339(counters->due_floor)));
      for (const auto& e : row.entries)
        (row.kind == due_kind::expire ? to_expire : to_release).insert(assignment_key(e.counter, e.assignment));
    }
    if (more) from = found->back().at;
  }

  std::map<id_state, std::uint64_t> states;
  std::uint64_t slots = 0, foreign = 0;
  std::uint64_t records = 0;
  std::unordered_set<std::uint64_t> available;
  std::vector<std::uint64_t> ids;
  const auto walked = walk_records(rows, part, 0, [&](std::uint64_t counter, const id_record& r) {
    ++records;
    ++states[r.state];
    ids.push_back(hash64(r.id));
    if (r.state == id_state::available) available.insert(counter);
    const bool imported = is_import_slot(counter);
    if (counter >= (imported ? import_base + counters->imported : counters->issued_to))
      bad(fmt::format("counter {} has a record but was never issued", counter));
    if (r.history.empty() || r.history.back().to != r.state)
      bad(fmt::format("counter {}: its history does not end in its state", counter));
    if (imported) {
      ++slots;
      foreign += r.foreign ? 1 : 0;
      const auto place = find_import(rows, part, r.id);
      if (!place || *place != counter)
        bad(fmt::format("counter {} was imported, but the index does not lead to it", counter));
      if (space && r.foreign == space->failed_rules(r.id).empty())
        bad(fmt::format("counter {} was imported, and whether it breaks the rules is not what its record says",
                        counter));
    } else if (space) {
      const auto id = space->id_of(counter);
      if (!id || id->view() != r.id)
        bad(fmt::format("counter {}: its record holds another identifier than the key gives", counter));
    }
    const auto key = assignment_key(counter, r.assignment);
    if (r.state == id_state::assigned && r.expires_at && !to_expire.contains(key))
      bad(fmt::format("counter {} expires, but the due index does not say so", counter));
    if (r.state == id_state::expired && !to_release.contains(key))
      bad(fmt::format("counter {} is cooling off, but the due index never releases it", counter));
    return true;
  });
  if (!walked) bad(walked.error().message);

  std::ranges::sort(ids);
  if (std::ranges::adjacent_find(ids) != ids.end()) bad("one identifier has two records");
  const auto compare = [&](const char* what, std::uint64_t counted, std::uint64_t found) {
    if (counted != found) bad(fmt::format("{}: the counter says {}, the rows say {}", what, counted, found));
  };
  compare("issued", counters->issued, states[id_state::issued] + states[id_state::taken]);
  compare("assigned", counters->assigned, states[id_state::assigned]);
  compare("cooling", counters->cooling, states[id_state::expired]);
  compare("retired", counters->retired, states[id_state::retired]);
  compare("released", counters->released, available.size());

  std::uint64_t index_rows = 0;
  if (const auto ok = walk_imports(rows, part, [&](std::string_view, std::uint64_t) { return ++index_rows, true; });
      !ok)
    bad(ok.error().message);
  compare("imported", counters->imported, slots);
  compare("imported, by the index", counters->imported, index_rows);
  compare("imported against the rules", counters->imported_foreign, foreign);

  std::unordered_set<std::uint64_t> listed;
  for (std::uint64_t slot = 0; slot < counters->released; ++slot) {
    const auto value = rows.get(column::released, part.released_key(slot));
    if (!value || !*value) {
      bad(fmt::format("the released list has no place {}", slot));
      continue;
    }
    byte_reader in{**value};
    const auto counter = in.varint();
    if (!in.done() || !available.contains(counter))
      bad(fmt::format("the released list's place {} names an identifier that is not available", slot));
    if (!listed.insert(counter).second) bad(fmt::format("the released list names counter {} twice", counter));
  }
  report.count("identifiers of type " + type_name, records);
  report.count("due rows", due_rows);
}

void add_identifier_decoders(row_decoders& to) {
  for (const auto c : {column::pools, column::uins, column::vids, column::pool_ids, column::released, column::due})
    to.set(c, [c](std::string_view key, std::string_view value) { return describe_id_row(c, key, value); });
  // The types' setups stand among the rows of the store itself.
  to.set(column::meta, [others = to.of(column::meta)](std::string_view key, std::string_view value) {
    if (is_capacity_key(key)) return describe_capacity_row(key, value);
    return is_type_key(key) ? describe_type_setup(key, value) : others(key, value);
  });
}

} // namespace matricula::storage
