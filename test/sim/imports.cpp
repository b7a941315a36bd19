#include "test/sim/imports.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace matricula::sim {

using namespace identifiers;

namespace {
/// The spaces are small, and the clients that want identifiers must find some.
constexpr std::size_t share_imported_max = 8; ///< one in so many
constexpr std::uint64_t ids_in_a_request_max = 4;

id_state state_in_use(lifecycle of) noexcept { return of == lifecycle::pool ? id_state::taken : id_state::assigned; }

const std::string& any_of(const std::set<std::string>& all, random_source& random) {
  return *std::next(all.begin(), static_cast<std::ptrdiff_t>(random.below(all.size())));
}
} // namespace

std::string imports::some_id(const node& to, const model& known, std::size_t type) {
  const auto& of = sim_types()[type];
  const auto& state = types_[type];
  const auto what = random_.below(10);
  if (what < 2 && !state.sent.empty()) return any_of(state.sent, random_);
  if (what < 4 && !known.targets(type).empty())
    return known.targets(type)[random_.below(known.targets(type).size())].id;
  if (state.sent.size() * share_imported_max > of.valid.size() || what == 4) return fmt::format("OLD-{}", ++foreign_);
  auto from = of.valid.begin(), till = of.valid.end();
  if (what < 8) {
    // From where the pool stands: such lie in it, or on their way to it.
    const auto level = to.level(type);
    const auto ahead = std::ranges::lower_bound(of.valid, level.held_to);
    const auto back = std::min<std::ptrdiff_t>(ahead - from, 60);
    till = ahead + std::min<std::ptrdiff_t>(till - ahead, 60);
    from = ahead - back;
  }
  if (from == till) return fmt::format("OLD-{}", ++foreign_);
  const auto counter = *(from + static_cast<std::ptrdiff_t>(random_.below(static_cast<std::uint64_t>(till - from))));
  return std::string(of.type.space->id_of(counter)->view());
}

void imports::ask(node& to, model& known) {
  request asked;
  // Those that clients issue of, and that have one issuer.
  do asked.type = random_.below(plain_types());
  while (sim_types()[asked.type].issuers() > 1);
  const auto& of = sim_types()[asked.type];
  std::vector<import_row> rows;
  for (auto n = 1 + random_.below(ids_in_a_request_max); n > 0; --n) {
    import_row row;
    row.id = some_id(to, known, asked.type);
    row.state = state_in_use(of.type.rules.of);
    if (const auto counter = of.type.space->counter_of(row.id)) row.counter = static_cast<std::uint64_t>(*counter);
    row.foreign = !row.counter;
    if (types_[asked.type].sent.insert(row.id).second && row.counter) known.may_be_imported(asked.type);
    asked.ids.push_back(row.id);
    asked.issued_before.push_back(std::ranges::find(known.targets(asked.type), row.id, &model::target::id) !=
                                  known.targets(asked.type).end());
    rows.push_back(std::move(row));
  }
  asked.cell = to.send_import(asked.type, std::move(rows));
  waiting_.push_back(std::move(asked));
}

std::uint64_t imports::collect(bool storage_failed) {
  std::uint64_t sign = 0;
  std::erase_if(waiting_, [&](const request& asked) {
    if (!asked.cell->ready()) return false;
    const auto& answer = asked.cell->value();
    if (answer) {
      learn(asked, answer->verdicts);
      for (const auto verdict : answer->verdicts) sign = sign * 5 + static_cast<std::uint64_t>(verdict) + 1;
      return true;
    }
    const auto code = answer.error().code;
    sign = sign * 5 + static_cast<std::uint64_t>(code);
    const bool harmless = code == errc::overloaded || code == errc::unavailable || code == errc::outcome_unknown;
    if (!harmless && !storage_failed) found_.add("an import is refused: " + answer.error().message);
    return true;
  });
  return sign;
}

void imports::learn(const request& asked, const std::vector<import_verdict>& verdicts) {
  if (verdicts.size() != asked.ids.size()) return found_.add("an import is not answered line by line");
  auto& known = types_[asked.type].acknowledged;
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    const auto& id = asked.ids[i];
    switch (verdicts[i]) {
    case import_verdict::accepted:
      ++loaded_;
      if (asked.issued_before[i]) ++of_returned_;
      if (!known.insert(id).second) found_.add(symptom::import_lost, id + " was imported before, and again");
      break;
    case import_verdict::duplicate:
      ++repeated_;
      known.insert(id);
      break;
    case import_verdict::changed:
      found_.add(id + " was imported with another state than ever was said");
      break;
    case import_verdict::conflict:
      ++in_conflict_;
      if (known.contains(id)) found_.add(symptom::import_issued, id + " was imported, and was issued here");
      break;
    case import_verdict::in_pool:
    case import_verdict::elsewhere:
      found_.add(id + " lies in a small pool of one issuer and was not taken out of it");
      break;
    }
  }
}

void imports::restored(const imports& at_backup, const std::vector<std::set<std::string>>& taken_over) {
  for (std::size_t t = 0; t < types_.size(); ++t)
    std::erase_if(types_[t].acknowledged, [&](const std::string& id) {
      return !taken_over.at(t).contains(id) && !at_backup.types_[t].acknowledged.contains(id);
    });
}

void imports::check(std::size_t type, const stored_rows& rows) const {
  const auto& state = types_[type];
  // What was issued here before, and had come back into the pool, keeps its record. Whoever knows it may end it again.
  const auto taken_out = [&](const std::string& id) {
    const auto r = rows.records.find(id);
    return r != rows.records.end() &&
           (r->second.history_dropped > 0 || std::ranges::any_of(r->second.history, [](const history_event& e) {
              return e.from == id_state::available && e.by == import_name;
            }));
  };
  for (const auto& id : state.acknowledged)
    if (!rows.imported.contains(id) && !taken_out(id))
      found_.add(symptom::import_lost, id + " was imported and is not there");
  for (const auto& [id, record] : rows.imported) {
    if (!state.sent.contains(id)) found_.add(id + " was never imported and is there as if it were");
    if (rows.records.contains(id)) found_.add(symptom::import_issued, id + " was imported and issued");
    if (record.state != state_in_use(sim_types()[type].type.rules.of) || record.assignment != 1)
      found_.add(id + " was imported and is no longer in use");
  }
}

} // namespace matricula::sim
