#include "test/sim/store_check.hpp"

#include "foundation/bytes.hpp"
#include "storage/grants.hpp"
#include "storage/holders.hpp"
#include "storage/idempotency.hpp"
#include "storage/identifiers_verifier.hpp"
#include "storage/registrants.hpp"
#include "storage/tasks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>
#include <vector>

namespace matricula::sim {

using namespace identifiers;
using storage::column;

namespace {

struct recount {
  std::uint64_t available = 0, issued = 0, assigned = 0, cooling = 0, retired = 0, granted = 0, issues = 0;
  std::uint64_t own = 0, borrowed = 0; ///< by the class of their counters
};

class row_check {
public:
  row_check(const storage::view& v, const storage::id_partition& part, const sim_type& type, const stored_rows& rows,
            findings& found)
      : view_(v), part_(part), type_(type), rows_(rows), found_(found) {}

  void run(const std::vector<held_interval>& held) {
    const auto counters = storage::find_pool(view_, part_);
    if (!counters) return wrong("its counters do not decode");
    counters_ = *counters;
    for (const auto& [id, record] : rows_.imported) {
      count(record);
      if (const auto counter = type_.type.space->counter_of(id))
        imported_.push_back(static_cast<std::uint64_t>(*counter));
    }
    std::ranges::sort(imported_);
    read_due();
    for (const auto& [id, record] : rows_.records) check_record(record, held);
    check_counters();
    check_released();
    check_keys();
  }

private:
  void wrong(std::string what) { found_.add(type_.type.name + ": " + std::move(what)); }

  void read_due() {
    const auto far = timestamp{std::chrono::days{365 * 400}};
    const auto due = storage::find_due(view_, part_, timestamp{}, far, SIZE_MAX);
    if (!due) return wrong("a due row does not decode: " + due.error().message);
    for (const auto& row : *due) {
      if (row.at < counters_.due_floor) wrong("a due row lies before the floor from which the expirer looks");
      if (row.kind == due_kind::purge) purges_.insert(row.idempotency_ref);
      for (const auto& e : row.entries) due_.emplace(row.kind, e.counter, e.assignment, row.at);
    }
  }

  [[nodiscard]] bool is_due(due_kind kind, std::uint64_t counter, std::uint32_t assignment, timestamp from) const {
    const auto row = due_.lower_bound({kind, counter, assignment, from});
    return row != due_.end() && std::get<0>(*row) == kind && std::get<1>(*row) == counter &&
           std::get<2>(*row) == assignment;
  }

  void check_record(const id_record& record, const std::vector<held_interval>& held) {
    const auto who = fmt::format("{} (assignment {}, {})", record.id, record.assignment, to_string(record.state));
    const auto& rules = type_.type.rules;
    const auto counter = type_.type.space->counter_of(record.id);
    if (!counter) return wrong(who + " breaks its profile");
    const auto place = static_cast<std::uint64_t>(*counter);
    const issuing_class walks{part_.issuer, type_.issuers()};
    ++(walks.holds(place) ? counted_.own : counted_.borrowed);
    if (walks.holds(place) && walks.index(place) >= counters_.issued_to) wrong(who + " lies beyond what was issued");
    counted_.issues += record.assignment;
    count(record);
    if (record.state == id_state::assigned && rules.of == lifecycle::vid && record.expires_at &&
        !is_due(due_kind::expire, place, record.assignment, *record.expires_at))
      wrong(who + " has an expiry and no row in the due index");
    if (record.state == id_state::expired &&
        (!record.ended_at || !is_due(due_kind::release, place, record.assignment, *record.ended_at + rules.cool_off)))
      wrong(who + " cools off and has no row in the due index");
    check_history(record, who, held);
    const bool live =
        record.state == id_state::issued || record.state == id_state::assigned || record.state == id_state::taken;
    if (live && !record.idempotency_ref.empty()) {
      const auto key = read_key(view_, part_, record.idempotency_ref, found_);
      bool names_it = false;
      for (std::size_t i = 0; key && i < key->second.ids.size(); ++i)
        names_it = names_it || (key->second.ids[i] == record.id && key->second.assignments[i] == record.assignment);
      if (!names_it) wrong(who + " was issued under a key whose row does not name it");
    }
    // A borrowed one may come with the key of its former issuer.
    if (!record.idempotency_ref.empty() &&
        storage::issuer_of_key(record.idempotency_ref, type_.issuers()) == part_.issuer)
      references_.insert(record.idempotency_ref);
  }

  void count(const id_record& record) {
    switch (record.state) {
    case id_state::available:
      ++counted_.available;
      break;
    case id_state::issued:
    case id_state::taken:
      ++counted_.issued;
      break;
    case id_state::assigned:
      ++counted_.assigned;
      break;
    case id_state::expired:
      ++counted_.cooling;
      break;
    case id_state::retired:
      ++counted_.retired;
      break;
    case id_state::granted:
      ++counted_.granted;
      break;
    }
  }

  /// Identifiers of the issuer with an index below `end` that may be issued here: not the imported ones.
  [[nodiscard]] std::uint64_t issuable_below(std::uint64_t end) const {
    return type_.valid_below(end, part_.issuer) -
           static_cast<std::uint64_t>(std::ranges::lower_bound(imported_, end) - imported_.begin());
  }

  void check_history(const id_record& record, const std::string& who, const std::vector<held_interval>& held) {
    std::optional<timestamp> before;
    for (const auto& e : record.history) {
      if (before && e.at < *before)
        found_.add(symptom::time_went_back, type_.type.name + ": the history of " + who + " runs backwards");
      before = e.at;
      const bool by_expirer = e.by == "expirer";
      if (by_expirer)
        for (const auto& [from, to] : held)
          if (e.at >= from && e.at < to)
            found_.add(symptom::expired_while_suspect,
                       type_.type.name + ": " + who + " was changed by the expirer while the clock was suspect");
    }
    if (record.state == id_state::expired && !record.history.empty() && record.history.back().by == "expirer" &&
        record.expires_at && record.history.back().at < *record.expires_at)
      found_.add(symptom::expired_early, type_.type.name + ": " + who + " was expired before its expiry");
  }

  void check_counters() {
    const auto& c = counters_;
    const auto compare = [&](std::string_view what, std::uint64_t counter, std::uint64_t rows) {
      if (counter != rows) wrong(fmt::format("the counter says {} {}, the rows say {}", counter, what, rows));
    };
    compare("available again", c.released, counted_.available);
    compare("issued", c.issued, counted_.issued);
    compare("assigned", c.assigned, counted_.assigned);
    compare("cooling", c.cooling, counted_.cooling);
    compare("retired", c.retired, counted_.retired);
    compare("borrowed", c.borrowed, counted_.borrowed);
    compare("imported", c.imported, rows_.imported.size());
    compare("imported against the rules", c.imported_foreign, rows_.imported.size() - imported_.size());
    // An identifier takes the number of its assignments along: of several issuers only the sum is known.
    if (type_.issuers() == 1) compare("assignments ever", c.issues_total, counted_.issues);
    // After a restore some were passed over: they count as granted, and with them what the rules never looked at.
    const auto below = issuable_below(c.issued_to);
    const auto passed = c.granted - std::min(c.granted, counted_.granted);
    const auto passed_valid = passed == 0 ? 0 : below - std::min(below, counted_.own);
    compare("granted or passed over", c.granted, counted_.granted + passed);
    compare("ever issued", below, counted_.own + passed_valid);
    compare("fresh", c.fresh, issuable_below(c.walked_to) - below);
    compare("filtered or passed over", c.filtered + passed, c.walked_to - issuable_below(c.walked_to) + passed_valid);
  }

  void check_released() {
    std::set<std::uint64_t> seen;
    for (std::uint64_t slot = 0; slot < counters_.released; ++slot) {
      const auto bytes = view_.get(column::released, part_.released_key(slot));
      if (!bytes || !*bytes) return wrong(fmt::format("place {} of the released list is missing", slot));
      byte_reader in{**bytes};
      const auto counter = in.varint();
      if (!seen.insert(counter).second) wrong("the released list names an identifier twice");
      const auto record = storage::find_record(view_, part_, counter);
      if (!record || !*record || (*record)->state != id_state::available)
        wrong("the released list names an identifier that is not available");
    }
  }

  /// A key of which nothing lives any more must be on its way out.
  void check_keys() {
    for (const auto& reference : references_) {
      const auto key = read_key(view_, part_, reference, found_);
      if (!key || purges_.contains(reference)) continue;
      bool live = false;
      for (std::size_t i = 0; i < key->second.ids.size() && !live; ++i) {
        const auto r = rows_.records.find(key->second.ids[i]);
        live = r != rows_.records.end() && r->second.assignment == key->second.assignments[i] &&
               r->second.state != id_state::available && r->second.state != id_state::expired &&
               r->second.state != id_state::retired && r->second.state != id_state::granted;
      }
      if (!live) wrong(fmt::format("key {} has ended and is never purged", reference));
    }
  }

  const storage::view& view_;
  const storage::id_partition& part_;
  const sim_type& type_;
  const stored_rows& rows_;
  findings& found_;
  pool_counters counters_;
  recount counted_;
  std::vector<std::uint64_t> imported_; ///< the counters that they would have here, ascending
  std::set<std::tuple<due_kind, std::uint64_t, std::uint32_t, timestamp>> due_;
  std::set<std::string> purges_;
  std::set<std::string> references_;
};

} // namespace

stored_rows read_rows(const storage::view& v, const storage::id_partition& part, findings& found) {
  stored_rows rows;
  const auto walked = storage::walk_records(v, part, 0, [&](std::uint64_t counter, const id_record& record) {
    auto& of = is_import_slot(counter) ? rows.imported : rows.records;
    if (!of.emplace(record.id, record).second) found.add(record.id + " has two records");
    return true;
  });
  if (!walked) found.add("the records cannot be read: " + walked.error().message);
  return rows;
}

stored_rows read_owned(const storage::view& v, std::span<const storage::id_partition> issuers, findings& found) {
  stored_rows owned, given;
  for (const auto& part : issuers) {
    auto rows = read_rows(v, part, found);
    owned.imported.merge(rows.imported);
    for (auto& [id, record] : rows.records) {
      if (record.assignment == 0) continue; // borrowed, and never issued
      if (record.state != id_state::granted) {
        if (!owned.records.emplace(id, record).second)
          found.add(symptom::granted_twice, id + " belongs to two issuers");
        continue;
      }
      auto& latest = given.records[id];
      if (record.assignment < latest.assignment) continue;
      latest = record;
      latest.state = id_state::available;
    }
  }
  owned.records.merge(given.records); // those that are on their way
  return owned;
}

void check_equation(const storage::view& v, const storage::id_partition& part, const sim_type& type, findings& found) {
  const auto c = storage::find_pool(v, part);
  if (!c) return found.add(type.type.name + ": its counters do not decode");
  if (!c->balanced()) found.add(type.type.name + ": the walked equation does not hold");
  if (c->issued_to > c->walked_to) found.add(type.type.name + ": more was issued than walked");
}

void check_rows(const storage::view& v, const storage::id_partition& part, const sim_type& type,
                const stored_rows& rows, const std::vector<held_interval>& held, findings& found) {
  check_equation(v, part, type, found);
  row_check(v, part, type, rows, found).run(held);
}

stored_rows check_type(const storage::view& v, std::span<const storage::id_partition> issuers, const sim_type& type,
                       const std::vector<held_interval>& held, findings& found) {
  std::uint64_t counted = 0, issues = 0;
  for (const auto& part : issuers) {
    check_rows(v, part, type, read_rows(v, part, found), held, found);
    if (const auto c = storage::find_pool(v, part)) counted += c->issues_total;
  }
  auto owned = read_owned(v, issuers, found);
  for (const auto& [id, record] : owned.records) issues += record.assignment;
  if (counted != issues)
    found.add(fmt::format("{}: {} assignments ever, and the records say {}", type.type.name, counted, issues));
  return owned;
}

void check_as_operators_do(const storage::view& v, findings& found) {
  std::vector<id_type> types;
  for (const auto& t : sim_types()) types.push_back(t.type);
  storage::verify_report report;
  storage::identifiers_verifier(std::move(types)).check(v, report);
  storage::holders_verifier().check(v, report);
  storage::tasks_verifier().check(v, report);
  storage::registrants_verifier().check(v, report);
  for (const auto& problem : report.problems()) {
    const bool index = problem.message.find("due index") != std::string::npos;
    const bool twice = problem.message.find("belongs to two issuers") != std::string::npos;
    found.add(index   ? symptom::verifier_missed_index
              : twice ? symptom::granted_twice
                      : symptom::other,
              "verify: " + problem.message);
  }
}

void check_used_up(const pool_counters& all_issuers, const sim_type& type, findings& found) {
  if (all_issuers.reuse_from > 0) return; // after a restore some were passed over, and some are retired
  const auto in_use = all_issuers.issued + all_issuers.assigned;
  if (all_issuers.available() != 0 || in_use != type.valid.size())
    found.add(fmt::format("{} is used up with {} of {} in use", type.type.name, in_use, type.valid.size()));
}

std::optional<std::pair<std::string, issued_ids>> read_key(const storage::view& v,
                                                           std::span<const storage::id_partition> issuers,
                                                           const std::string& reference, findings& found) {
  return read_key(v, issuers[storage::issuer_of_key(reference, static_cast<std::uint32_t>(issuers.size()))], reference,
                  found);
}

std::optional<std::pair<std::string, issued_ids>> read_key(const storage::view& v, const storage::id_partition& part,
                                                           const std::string& reference, findings& found) {
  const auto row = storage::idempotency::find(v, part.shard, reference);
  if (!row) {
    found.add("an idempotency row does not decode");
    return std::nullopt;
  }
  if (!*row) return std::nullopt;
  // A VID that a policy made is the first one of its key's answer.
  const auto made = decode_holder((*row)->payload);
  if ((*row)->kind == 2 && made && !made->vids.empty()) {
    const auto& vid = made->vids.front();
    return std::pair{(*row)->fingerprint, issued_ids{{vid.id}, {vid.assignment}, vid.generated_at, vid.expires_at}};
  }
  auto ids = decode_issued_ids((*row)->payload);
  if (!ids) {
    found.add("the answer of an idempotency row does not decode");
    return std::nullopt;
  }
  return std::pair{(*row)->fingerprint, std::move(*ids)};
}

} // namespace matricula::sim
