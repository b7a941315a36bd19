// The second part of an expirer's run: what was issued, was never confirmed and is past its lease goes back.
#include "actors/identifiers/expirer_actor.hpp"
#include "storage/id_trail.hpp"

#include <caf/send.hpp>

#include <algorithm>

namespace matricula::actors {

namespace {
/// By less than this the index's beginning has not moved enough to be worth a write of its own.
constexpr milliseconds floor_step = std::chrono::minutes(1);
} // namespace

void expirer_actor::next_unconfirmed() {
  auto& going = *run_;
  if (!going.retry) going.passed = going.covered;
  going.retry = false;
  const auto view = cx_->log->read(cx_->part.shard);
  if (!view) return finish(std::unexpected(view.error()));
  const bool takes_back = cx_->unconfirmed_lease > milliseconds{0};
  const auto issued_before = going.up_to - cx_->unconfirmed_lease;
  // Where nothing is taken back the walk only looks where the index begins, so that lists need not search for it.
  const auto limit = takes_back ? std::size_t{cx_->options.due_rows_in_flight} : 1;
  auto rows = going.floor_told && !takes_back
                  ? std::vector<storage::unconfirmed::row>{}
                  : storage::unconfirmed::find(**view, cx_->part, going.passed, timestamp::max(), limit);
  if (!rows) return finish(std::unexpected(rows.error()));
  // What is on its way to the index was issued after the run began to look, or is imported; of that the pool knows.
  const auto trail = storage::journal::find_tip(**view, storage::id_trail::chain_of(cx_->part));
  if (!trail) return finish(std::unexpected(trail.error()));
  const auto floor = std::min(rows->empty() ? going.decided_to : rows->front().where.issued_at, going.decided_to);
  if (takes_back)
    std::erase_if(*rows, [&](const auto& row) { return row.where.issued_at >= issued_before; });
  else
    rows->clear();
  const auto send = [&](const std::vector<identifiers::due_entry>& entries) {
    reclaim_ids order;
    order.run = going.number;
    order.issued_before_ms = issued_before.time_since_epoch().count();
    if (!going.floor_told) order.floor_ms = floor.time_since_epoch().count();
    order.floor_seen = trail->seq;
    going.floor_told = true;
    for (const auto& e : entries) {
      order.counters.push_back(e.counter);
      order.assignments.push_back(e.assignment);
    }
    ++going.in_flight;
    caf::anon_send(cx_->pool.address(), std::move(order));
  };
  if (!rows->empty())
    going.covered = rows->back().where;
  else if (going.floor_told)
    return finish(going.done);
  if (rows->empty()) {
    const auto present = storage::unconfirmed::find_floor(**view, cx_->part);
    if (!present) return finish(std::unexpected(present.error()));
    return floor < *present + floor_step ? finish(going.done) : send({});
  }
  for (const auto& row : *rows) send(row.entries);
}

} // namespace matricula::actors
