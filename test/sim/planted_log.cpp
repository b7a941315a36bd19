#include "test/sim/planted_log.hpp"

#include <stdexcept>
#include <string>

namespace matricula::sim {

using namespace storage;

void planted_log::acquire(shard_id shard, std::string_view partition, completion<result<tenure>> granted) {
  if (bug_ != planted_bug::no_tenure) return real_.acquire(shard, partition, std::move(granted));
  const auto name = std::pair{shard, std::string(partition)};
  if (const auto known = first_.find(name); known != first_.end()) return granted(known->second);
  real_.acquire(shard, partition, [this, name, done = std::move(granted)](result<tenure> t) mutable noexcept {
    if (t) first_.emplace(name, *t);
    done(std::move(t));
  });
}

void planted_log::append(permit room, batch what, completion<verdict, position> settled) noexcept {
  switch (bug_) {
  case planted_bug::idempotency_apart:
    return append_apart(std::move(room), what, std::move(settled));
  case planted_bug::reply_before_write:
    settled(verdict::durable, position{});
    return real_.append(std::move(room), std::move(what), [](verdict, position) noexcept {});
  case planted_bug::missing_index_key:
    return real_.append(std::move(room), without_some_due_rows(what), std::move(settled));
  default:
    return real_.append(std::move(room), std::move(what), std::move(settled));
  }
}

result<std::shared_ptr<const view>> planted_log::read(shard_id shard, position at_least) const {
  if (poisoned_) {
    poisoned_ = false;
    ++reads_poisoned_;
    throw std::runtime_error("injected: the read threw");
  }
  return real_.read(shard, at_least);
}

void planted_log::append_apart(permit room, const batch& what, completion<verdict, position> settled) noexcept {
  batch rest(what.shard());
  batch apart(what.shard());
  const bool well_formed = batch::decode(
      what.encoded(),
      [&](column c, std::string_view k, std::string_view v) { (c == column::idempotency ? apart : rest).put(c, k, v); },
      [&](column c, std::string_view k) { (c == column::idempotency ? apart : rest).erase(c, k); });
  require(well_formed, "a batch decodes");
  const auto held = room.held();
  real_.append(std::move(room), std::move(rest), std::move(settled));
  if (apart.empty()) return;
  if (auto more = real_.reserve(held, apart.bytes()))
    real_.append(std::move(*more), std::move(apart), [](verdict, position) noexcept {});
}

batch planted_log::without_some_due_rows(const batch& what) {
  constexpr std::uint64_t forgotten_every = 7;
  batch out(what.shard());
  const bool well_formed = batch::decode(
      what.encoded(),
      [&](column c, std::string_view k, std::string_view v) {
        if (c != column::due || ++due_rows_ % forgotten_every != 0) out.put(c, k, v);
      },
      [&](column c, std::string_view k) { out.erase(c, k); });
  require(well_formed, "a batch decodes");
  return out;
}

} // namespace matricula::sim
