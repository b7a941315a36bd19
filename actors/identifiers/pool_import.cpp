// What the pool does about identifiers that were issued elsewhere.
#include "actors/identifiers/pool_actor.hpp"

#include <caf/skip.hpp>
#include <fmt/format.h>

#include <stdexcept>

namespace matricula::actors {

using namespace identifiers;

namespace {

constexpr milliseconds fenced_retry_after{1'000};
constexpr milliseconds unknown_retry_after{5'000};

/// Apart, because g++ 12 sees an overflow where this is inlined.
[[gnu::noinline]] result<import_answer> answer_of(storage::verdict v, std::vector<import_verdict> verdicts) {
  switch (v) {
  case storage::verdict::durable:
    return import_answer{std::move(verdicts)};
  case storage::verdict::fenced:
    return fail(errc::unavailable, "The actor was replaced before the write. Repeat the import: that is safe.",
                fenced_retry_after);
  case storage::verdict::unknown:
    break;
  }
  return fail(errc::outcome_unknown,
              "The write failed midway and may or may not have been done. Repeat the import: that is safe.",
              unknown_retry_after);
}

} // namespace

result<std::optional<std::uint64_t>> pool_actor::imported_at(std::string_view id) {
  auto bytes = part_->get(storage::column::pools, cx_->part.import_key(id));
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes) return std::optional<std::uint64_t>{};
  const auto counter = storage::decode_import(**bytes);
  if (!counter) return std::unexpected(counter.error());
  return std::optional(*counter);
}

result<std::optional<std::uint64_t>> pool_actor::counter_of(std::string_view id) {
  if (const auto counter = cx_->type.space->counter_of(id); counter && *counter < cx_->type.rules.end) {
    const auto generated = static_cast<std::uint64_t>(*counter);
    const auto kept = record(generated);
    if (!kept) return std::unexpected(kept.error());
    if (*kept) return std::optional(generated);
  }
  if (pool_->counters().imported == 0) return std::optional<std::uint64_t>{};
  return imported_at(id);
}

std::vector<candidate> pool_actor::without_imported(const propose& proposal) {
  auto found = proposal.found;
  if (pool_->counters().imported <= proposal.imports_seen) return found;
  std::erase_if(found, [this](const candidate& one) {
    const auto imported = imported_at(one.id.view());
    if (!imported) throw std::runtime_error("the index of imports: " + imported.error().message);
    return imported->has_value();
  });
  return found;
}

caf::result<void> pool_actor::on_import(const import_ids& request) {
  if (stand_down()) return caf::skip();
  if (deadline_passed(request.context)) {
    request.reply.deliver(
        fail(errc::deadline_exceeded, "The deadline passed before the import was begun. Nothing was done."));
    return caf::unit;
  }
  if (const auto outcome = import(request, cx_->time->now()); !outcome)
    request.reply.deliver(std::unexpected(outcome.error()));
  tell_level();
  return caf::unit;
}

result<void> pool_actor::import(const import_ids& request, timestamp now) {
  if (request.rows.size() > import_rows_max)
    return fail(errc::invalid_argument, fmt::format("At most {} identifiers fit into one write.", import_rows_max));
  std::size_t bytes = storage::id_ledger::import_bytes_beside;
  if (pool_->counters().released > 0) bytes += import_released_bytes_max;
  for (const auto& row : request.rows) bytes += storage::id_ledger::import_bytes(row);
  auto room = part_->reserve(bytes);
  if (!room) return std::unexpected(room.error());
  auto out = pool_->import(request.rows, now, *this);
  if (!out) return std::unexpected(out.error());

  auto settled = [reply = request.reply, verdicts = std::move(out->verdicts)](storage::verdict v) mutable noexcept {
    reply.deliver(answer_of(v, std::move(verdicts)));
  };
  if (out->changes.records.empty()) {
    // Verdicts rest on what was written before.
    part_->after_settled(std::move(settled));
    return {};
  }
  // Before it is durable: whoever looks for it too early finds nothing, whoever does not look would issue it.
  cx_->level->set_imports_exist(true);
  storage::batch batch(cx_->part.shard);
  batch.reserve(room->bytes());
  put(batch, out->changes, {request.context.tenant, request.trace.request_id});
  part_->write(std::move(*room), std::move(batch), std::move(settled));
  return {};
}

} // namespace matricula::actors
