#include "storage/id_trail_verifier.hpp"

#include "storage/audit.hpp"
#include "storage/id_trail.hpp"
#include "storage/keys.hpp"
#include "storage/unconfirmed.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace matricula::storage {

using namespace identifiers;

namespace {

/// Of one issuer of a type: each has a trail of its own.
class issuer_check {
public:
  issuer_check(const view& rows, verify_report& report, const type_setup& setup, const id_partition& part)
      : rows_(rows), report_(report), setup_(setup), part_(part),
        who_(setup.issuers == 1 ? setup.name : fmt::format("{}/{}", setup.name, part.issuer)) {}

  void run() {
    check_trail();
    check_records();
    if (part_.of == lifecycle::uin) check_index();
  }

private:
  void bad(std::string_view what, std::string_view which) {
    report_.add("journals", fmt::format("type {}: {} {}", who_, which, what));
  }

  void check_trail() {
    const auto chain = id_trail::chain_of(part_);
    if (const auto b = journal::find_beginning(rows_, chain)) first_ = b->first;
    const auto wrong = journal::check(rows_, chain, [this](const journal::row& r) {
      ++trail_rows_;
      const auto n = id_trail::decode(r.content, r.at);
      if (!n) return bad(n.error().message, fmt::format("row {} of the trail:", r.seq)), true;
      if (n->entries.empty()) bad("names nobody", fmt::format("row {} of the trail", r.seq));
      for (std::size_t i = 0; i < n->entries.size(); ++i) {
        const bool again = i > 0 && n->entries[i].counter == n->entries[i - 1].counter;
        check_entry(r.seq, n->entries[i], again);
      }
      return true;
    });
    if (wrong) bad(*wrong, "the audit trail does not hold:");
    report_.count("audit trail rows of type " + setup_.name, trail_rows_);
  }

  void check_entry(std::uint64_t seq, const id_trail::entry& e, bool again) {
    const auto which = fmt::format("row {} of the trail, counter {}:", seq, e.counter);
    const auto record = find_record(rows_, part_, e.counter);
    if (!record) return bad(record.error().message, which);
    if (!*record) return bad("there is no such record", which);
    const auto& r = **record;
    if (r.id != e.id) return bad("the record holds another identifier", which);
    if (r.journal_seq < seq) return bad("the record knows nothing of it", which);
    if (e.assignment > r.assignment) return bad("the record never came to that assignment", which);
    if (r.journal_seq == seq && !again) ++newest_;
    const auto event = std::ranges::find_if(r.history, [&](const history_event& h) {
      return h.at == e.at && h.from == e.from && h.to == e.to && h.by == e.by;
    });
    if (event == r.history.end() && r.history_dropped == 0) bad("the record's history does not have it", which);
    if (r.journal_seq == seq && event == r.history.end()) bad("it is not the record's latest step", which);
  }

  void check_records() {
    std::uint64_t named = 0;
    const auto walked = walk_records(rows_, part_, 0, [&](std::uint64_t counter, const id_record& r) {
      if (r.journal_seq >= first_) ++named;
      if (part_.of != lifecycle::uin) return true;
      const auto where = unconfirmed::place_of(counter, r);
      if (!where) return true;
      ++unconfirmed_;
      const auto bytes = rows_.get(column::unconfirmed, unconfirmed::key_of(part_, *where));
      const auto entries = bytes && *bytes ? unconfirmed::decode(**bytes) : fail(errc::not_found, "");
      if (!entries || std::ranges::find(*entries, due_entry{counter, r.assignment}) == entries->end())
        bad("is ISSUED, but the index of unconfirmed ones does not have it", fmt::format("counter {}", counter));
      return true;
    });
    if (!walked) bad(walked.error().message, "the records:");
    if (named != newest_)
      bad(fmt::format("{} records name a latest row of the audit trail, {} of these rows name them", named, newest_),
          "the records:");
  }

  void check_index() {
    const auto floor = unconfirmed::find_floor(rows_, part_);
    if (!floor) return bad(floor.error().message, "the index of unconfirmed ones:");
    std::uint64_t found = 0;
    std::optional<unconfirmed::place> after = unconfirmed::place{}; // from the very beginning, the floor left out
    for (;;) {
      constexpr std::size_t page = 1'000;
      const auto rows = unconfirmed::find(rows_, part_, after, timestamp::max(), page);
      if (!rows) return bad(rows.error().message, "the index of unconfirmed ones:");
      for (const auto& r : *rows) {
        found += r.entries.size();
        if (r.where.issued_at < *floor)
          bad("lies before the floor",
              fmt::format("the row of {} in the index of unconfirmed ones", to_rfc3339(r.where.issued_at)));
      }
      if (rows->size() < page) break;
      after = rows->back().where;
    }
    if (found != unconfirmed_)
      bad(fmt::format("names {} identifiers, {} are ISSUED", found, unconfirmed_), "the index of unconfirmed ones");
  }

  const view& rows_;
  verify_report& report_;
  const type_setup& setup_;
  id_partition part_;
  std::string who_;
  std::uint64_t first_ = 1;
  std::uint64_t trail_rows_ = 0;
  std::uint64_t newest_ = 0; ///< entries that are their record's latest
  std::uint64_t unconfirmed_ = 0;
};

} // namespace

void id_trail_verifier::check(const view& rows, verify_report& report) const {
  std::uint64_t acts = 0;
  const auto wrong = journal::check(rows, audit::acts, [&](const journal::row& r) {
    ++acts;
    if (const auto e = audit::decode(r.content); !e)
      report.add(name(), fmt::format("row {} of the audit log: {}", r.seq, e.error().message));
    return true;
  });
  if (wrong) report.add(name(), "the audit log does not hold: " + *wrong);
  report.count("audit log rows", acts);
  const auto setups = find_types(rows);
  if (!setups) return report.add(name(), setups.error().message);
  for (const auto& setup : *setups)
    for (const auto& part : id_partitions(setup.name, setup.number, setup.of, setup.issuers))
      issuer_check(rows, report, setup, part).run();
}

void add_journal_decoders(row_decoders& to) {
  to.set(column::journals, [](std::string_view key, std::string_view value) {
    return journal::describe(key, value, [](const journal::chain& of, const journal::row& r) {
      return of == audit::acts ? audit::describe(r) : id_trail::describe(r);
    });
  });
  to.set(column::unconfirmed,
         [](std::string_view key, std::string_view value) { return unconfirmed::describe(key, value); });
}

} // namespace matricula::storage
