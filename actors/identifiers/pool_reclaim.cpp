// How the pool takes back what nobody confirmed, and how its changes come into a batch together with their audit row.
#include "actors/identifiers/pool_actor.hpp"
#include "storage/unconfirmed.hpp"

#include <caf/send.hpp>
#include <caf/skip.hpp>

#include <algorithm>
#include <set>
#include <stdexcept>

namespace matricula::actors {

using namespace identifiers;

namespace {
constexpr std::string_view by_itself = "expirer";
constexpr std::size_t index_bytes_max = std::size_t{64} * 1024;
/// Of an identifier that is taken back, beside its record: its entry of the trail, its place in the released list, the
/// purge of its key.
constexpr std::size_t beside_record = 384;
} // namespace

void pool_actor::put(storage::batch& batch, pool_changes& changes, const storage::asker& who) {
  const auto noted =
      ledger_->put(batch, changes, pool_->counters(), who,
                   [this](storage::column where, std::string_view key) { return part_->get(where, key); });
  // The counters have moved: only loading again makes memory and store agree.
  if (!noted) throw std::runtime_error("the index of unconfirmed identifiers: " + noted.error().message);
}

caf::result<void> pool_actor::on_reclaim(const reclaim_ids& order) {
  if (stand_down()) return caf::skip();
  if (deadline_passed(order.context)) return refuse(order.reply, too_late());
  if (auto outcome = reclaim(order, cx_->time->now()); !outcome) {
    // One damaged record must not keep all others from being taken back.
    const bool unreadable = outcome.error().code == errc::corrupt;
    if (unreadable)
      shared().raise(
          {"unreadable_row", path(),
           "Unconfirmed identifiers are passed over: " + outcome.error().message + " Run matricula verify."});
    if (order.run != 0)
      caf::anon_send(cx_->expirer.address(), due_applied{order.run, false, {}, unreadable, 0, {}});
    else
      order.reply.deliver(std::unexpected(outcome.error()));
  }
  tell_level();
  return caf::unit;
}

result<std::size_t> pool_actor::index_rows_of(std::vector<due_entry>& entries) {
  std::set<std::string> counted;
  std::size_t bytes = 0;
  for (auto i = entries.begin(); i != entries.end(); ++i) {
    const auto found = record(i->counter);
    if (!found) return std::unexpected(found.error());
    const auto where = *found ? storage::unconfirmed::place_of(i->counter, **found) : std::nullopt;
    if (!where) continue;
    auto key = storage::unconfirmed::key_of(cx_->part, *where);
    if (counted.contains(key)) continue;
    const auto row = part_->get(storage::column::unconfirmed, key);
    if (!row) return std::unexpected(row.error());
    constexpr std::size_t lengths = 16;
    const auto more = key.size() + (*row ? (*row)->size() : 0) + lengths;
    if (bytes + more > index_bytes_max) {
      entries.erase(i, entries.end());
      break;
    }
    bytes += more;
    counted.insert(std::move(key));
  }
  return bytes;
}

result<void> pool_actor::reclaim(const reclaim_ids& order, timestamp now) {
  if (order.counters.size() != order.assignments.size())
    return fail(errc::invalid_argument, "Every identifier to reclaim comes with its assignment.");
  std::vector<due_entry> entries;
  for (std::size_t i = 0; i < order.counters.size(); ++i) entries.push_back({order.counters[i], order.assignments[i]});
  const auto index = index_rows_of(entries);
  if (!index) return std::unexpected(index.error());
  auto room = part_->reserve(
      std::min(storage::batch::bytes_max, 4 * 1024 + *index + entries.size() * (id_record::bytes_max + beside_record)));
  if (!room) return std::unexpected(room.error());
  const auto by = order.run != 0 ? std::string(by_itself) : order.context.principal;
  auto out = pool_->reclaim(entries, from_unix_ms(static_cast<std::uint64_t>(order.issued_before_ms)), by, now,
                            cx_->options.purge_after, *this);
  if (!out) return std::unexpected(out.error());
  storage::batch batch(cx_->part.shard);
  put(batch, out->changes, {order.context.tenant, order.trace.request_id});
  ledger_->raise_floor(batch, from_unix_ms(static_cast<std::uint64_t>(order.floor_ms)), order.floor_seen);
  reclaim_answer answer{std::move(out->ids), std::move(out->assignments)};
  part_->write(std::move(*room), std::move(batch),
               [reply = order.reply, run = order.run, to = cx_->expirer.address(),
                answer = std::move(answer)](storage::verdict v) mutable noexcept {
                 const bool durable = v == storage::verdict::durable;
                 if (run != 0) {
                   expiry_answer what;
                   what.reclaimed = answer.ids.size();
                   caf::anon_send(to, due_applied{run, durable, what, false, 0, {}});
                 } else if (durable) {
                   reply.deliver(std::move(answer));
                 } else {
                   reply.deliver(std::unexpected(verdict_error(v, advice_on_identifiers)));
                 }
               });
  return {};
}

} // namespace matricula::actors
