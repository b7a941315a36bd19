#include "storage/identifiers_verifier.hpp"

#include "foundation/bytes.hpp"
#include "storage/capacities.hpp"
#include "storage/grants.hpp"
#include "storage/id_trail_verifier.hpp"
#include "storage/identifiers.hpp"
#include "storage/keys.hpp"
#include "storage/type_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>

namespace matricula::storage {

using namespace identifiers;

/// What the check of the grants needs to know of an issuer.
struct issuer_rows {
  pool_counters counters;
  std::vector<std::uint64_t> owned; ///< counters of its records
  std::vector<std::uint64_t> given; ///< of those that it gave away
};

namespace {

/// One number for an assignment. Slots of imported identifiers keep their highest bit.
std::uint64_t assignment_key(std::uint64_t counter, std::uint32_t assignment) {
  return (counter << 16 | (assignment & 0xffff)) ^ (counter & import_base);
}

/// The imported identifiers of an issuer, 17 bytes each: looking up each of ten million in the index takes minutes, two
/// walks take seconds.
class imported_records {
public:
  void add(std::string_view id, std::uint64_t counter) { found_.push_back({hash64(id), counter}); }
  void begin_comparison() {
    std::ranges::sort(found_);
    led_to_.assign(found_.size(), false);
  }
  /// For each row of the index, once: is there such a record?
  bool is_led_to(std::string_view id, std::uint64_t counter) {
    const auto at = std::ranges::lower_bound(found_, entry{hash64(id), counter});
    if (at == found_.end() || *at != entry{hash64(id), counter}) return false;
    led_to_[static_cast<std::size_t>(at - found_.begin())] = true;
    return true;
  }
  /// The counters of records that no row of the index led to.
  template <class Visit>
  void for_each_left(const Visit& visit) const {
    for (std::size_t i = 0; i < found_.size(); ++i)
      if (!led_to_[i]) visit(found_[i].second);
  }

private:
  using entry = std::pair<std::uint64_t, std::uint64_t>; ///< hash of the identifier, counter
  std::vector<entry> found_;
  std::vector<bool> led_to_;
};

/// Every identifier that was given away has one owner, or is on its way to one.
void check_grants(const view& rows, std::span<const id_partition> issuers, std::span<const issuer_rows> found,
                  const std::function<void(std::string)>& bad) {
  std::unordered_set<std::uint64_t> on_their_way;
  for (std::size_t giver = 0; giver < issuers.size(); ++giver) {
    std::uint64_t in_transit = 0;
    for (std::uint32_t taker = 0; taker < issuers.size(); ++taker) {
      const auto given = find_given(rows, issuers[giver], taker);
      const auto taken = find_taken(rows, issuers[taker], static_cast<std::uint32_t>(giver));
      if (!given || !taken) {
        bad(!given ? given.error().message : taken.error().message);
        continue;
      }
      if (*taken > given->number)
        bad(fmt::format("issuer {} took grant {} of issuer {}, which gave {}", taker, *taken, giver, given->number));
      in_transit += given->ids.size();
      if (*taken < given->number)
        for (const auto& id : given->ids)
          if (!on_their_way.insert(id.counter).second) bad(fmt::format("counter {} is on its way twice", id.counter));
    }
    if (in_transit != found[giver].counters.in_transit)
      bad(fmt::format("in transit: the counter of issuer {} says {}, the rows say {}", giver,
                      found[giver].counters.in_transit, in_transit));
  }
  std::unordered_map<std::uint64_t, std::size_t> owner;
  for (std::size_t i = 0; i < issuers.size(); ++i)
    for (const auto counter : found[i].owned) {
      if (!owner.emplace(counter, i).second) bad(fmt::format("counter {} belongs to two issuers", counter));
      if (on_their_way.contains(counter)) bad(fmt::format("counter {} is on its way and has arrived", counter));
    }
  const auto check_owner = [&](std::uint64_t counter) {
    const auto end = find_owner(rows, issuers, counter);
    if (!end) return bad(end.error().message);
    const auto known = owner.find(counter);
    if (known == owner.end() ? !on_their_way.contains(counter) : known->second != end->issuer)
      bad(fmt::format("counter {} was given away and its way does not end at one owner", counter));
  };
  for (std::size_t i = 0; i < issuers.size(); ++i) {
    for (const auto counter : found[i].given) check_owner(counter);
    for (const auto counter : found[i].owned)
      if (counter % issuers.size() != i) check_owner(counter);
  }
}

} // namespace

void identifiers_verifier::check(const view& rows, verify_report& report) const {
  const auto setups = find_types(rows);
  if (!setups) return report.add(name(), setups.error().message);
  auto types = types_;
  if (const auto given = settle_keys(*setups, types, masters_); !given) report.add(name(), given.error().message);
  // Under another key than its own every identifier of a type would seem wrong.
  std::erase_if(types, [&](const id_type& type) {
    const auto known = std::ranges::find(*setups, type.name, &type_setup::name);
    const bool other_keys = known != setups->end() &&
                            (known->key_fingerprint != type.key_fingerprint || known->past_keys != type.past_keys);
    if (other_keys)
      report.add(name(), fmt::format("type {}: the keys that were given are not those of its identifiers (present "
                                     "fingerprint {}); they are not compared with their counters",
                                     type.name, known->key_fingerprint));
    return other_keys;
  });
  for (const auto& setup : *setups) check_type(rows, report, types, setup);
}

void identifiers_verifier::check_type(const view& rows, verify_report& report, std::span<const id_type> types,
                                      const type_setup& setup) const {
  const auto issuers = id_partitions(setup.name, setup.number, setup.of, setup.issuers);
  std::vector<issuer_rows> found(issuers.size());
  for (std::size_t i = 0; i < issuers.size(); ++i) check_issuer(rows, report, types, setup, issuers[i], found[i]);
  if (issuers.size() > 1)
    check_grants(rows, issuers, found,
                 [&](std::string what) { report.add(name(), fmt::format("type {}: {}", setup.name, what)); });
}

void identifiers_verifier::check_type(const view& rows, verify_report& report, const type_setup& setup) const {
  check_type(rows, report, types_, setup);
}

void identifiers_verifier::check_issuer(const view& rows, verify_report& report, std::span<const id_type> types,
                                        const type_setup& setup, const id_partition& part,
                                        issuer_rows& of_issuer) const {
  const auto& type_name = setup.name;
  const issuing_class walks{part.issuer, setup.issuers};
  const auto who = setup.issuers == 1 ? type_name : fmt::format("{}/{}", type_name, part.issuer);
  const auto bad = [&](std::string what) { report.add(name(), fmt::format("type {}: {}", who, what)); };
  const auto counters = find_pool(rows, part);
  if (!counters) return bad(counters.error().message);
  if (!counters->balanced())
    bad(fmt::format(
        "walked {} + imported {} + borrowed {} is not the sum of what became of it: filtered {} + available "
        "{} + issued {} + assigned {} + cooling {} + retired {} + granted {}",
        counters->walked_to, counters->imported, counters->borrowed, counters->filtered, counters->available(),
        counters->issued, counters->assigned, counters->cooling, counters->retired, counters->granted));
  const auto known = std::ranges::find(types, type_name, &id_type::name);
  const auto* space = known == types.end() ? nullptr : known->space.get();

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
  imported_records imports;
  std::uint64_t records = 0, borrowed = 0;
  std::unordered_set<std::uint64_t> available;
  std::vector<std::uint64_t> ids;
  const auto walked = walk_records(rows, part, 0, [&](std::uint64_t counter, const id_record& r) {
    ++records;
    ++states[r.state];
    ids.push_back(hash64(r.id));
    if (r.state == id_state::available) available.insert(counter);
    const bool imported = is_import_slot(counter);
    if (!walks.holds(counter))
      ++borrowed;
    else if (imported ? import_number(walks, counter) >= counters->imported
                      : walks.index(counter) >= counters->issued_to)
      bad(fmt::format("counter {} has a record but was never issued", counter));
    (r.state == id_state::granted ? of_issuer.given : of_issuer.owned).push_back(counter);
    // What was given away stays as it was, and what was borrowed and never issued has no history yet.
    const auto last = r.history.empty() ? id_state::available : r.history.back().to;
    if (r.state == id_state::granted ? last != id_state::available
                                     : last != r.state || (r.history.empty() && r.assignment != 0))
      bad(fmt::format("counter {}: its history does not end in its state", counter));
    if (imported && !walks.holds(counter)) {
      // Lent by the issuer that imported it, which keeps its place in the index.
    } else if (imported) {
      ++slots;
      foreign += r.foreign ? 1 : 0;
      imports.add(r.id, counter);
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
  compare("borrowed", counters->borrowed, borrowed);
  // After a restore it also counts what was passed over.
  if (counters->reuse_from == 0 || counters->granted < states[id_state::granted])
    compare("granted", counters->granted, states[id_state::granted]);
  if (setup.issuers > 1) of_issuer.counters = *counters;

  std::uint64_t index_rows = 0;
  imports.begin_comparison();
  if (const auto ok =
          walk_imports(rows, part,
                       [&](std::string_view id, std::uint64_t counter) {
                         ++index_rows;
                         if (!imports.is_led_to(id, counter))
                           bad(fmt::format("the index leads to counter {}, which holds something else", counter));
                         return true;
                       });
      !ok)
    bad(ok.error().message);
  imports.for_each_left([&](std::uint64_t counter) {
    bad(fmt::format("counter {} was imported, but the index does not lead to it", counter));
  });
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
  report.count("identifiers of type " + type_name, records - states[id_state::granted]);
  report.count("due rows", due_rows);
}

void add_identifier_decoders(row_decoders& to) {
  for (const auto c : {column::pools, column::uins, column::vids, column::pool_ids, column::released, column::due})
    to.set(c, [c](std::string_view key, std::string_view value) { return describe_id_row(c, key, value); });
  add_journal_decoders(to);
  // The types' setups stand among the rows of the store itself.
  to.set(column::meta, [others = to.of(column::meta)](std::string_view key, std::string_view value) {
    if (is_capacity_key(key)) return describe_capacity_row(key, value);
    return is_type_key(key) ? describe_type_setup(key, value) : others(key, value);
  });
}

} // namespace matricula::storage
