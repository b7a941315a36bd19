#include "actors/identifiers/checker_actor.hpp"

#include <caf/behavior.hpp>
#include <caf/send.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace matricula::actors {

namespace {
constexpr milliseconds fruitless_pause{20};
}

checker_actor::checker_actor(caf::actor_config& cfg, runtime::child_context context,
                             std::shared_ptr<const type_context> shared)
    : supervised_actor(cfg, std::move(context)), cx_(std::move(shared)) {}

caf::behavior checker_actor::make_behavior() {
  send(this, tick{});
  return {
      [this](const level_changed&) { check(); },
      [this](const refill_done& order) {
        if (open_ && open_->number == order.order) end_order();
        check();
      },
      [this](const refill_lost&) {
        open_.reset();
        check();
      },
      [this](const tick& t) {
        check();
        // Its lease was renewed by progress; it can still be lost after that.
        if (open_ && open_->number == t.generation) watch();
      },
  };
}

/// An order that brought nothing, because the pool was restarted or the disk is full, is given again after a pause that
/// grows: the next one may end like it.
void checker_actor::end_order() {
  if (cx_->level->get().held_to > open_->from) {
    fruitless_ = 0;
    open_.reset();
    return;
  }
  const auto pause = std::min(cx_->options.refill_lease, fruitless_pause * (1 << std::min(fruitless_, 10)));
  ++fruitless_;
  open_->lapses_at = cx_->monotonic->monotonic() + pause;
  watch();
}

void checker_actor::check() {
  cx_->level->taken_note();
  const auto level = cx_->level->get();
  const auto wanted = identifiers::next_refill(level, cx_->level->limits());
  if (!wanted) {
    open_.reset();
    cx_->level->set_order_open(false);
    return;
  }
  const auto now = cx_->monotonic->monotonic();
  const auto lease = std::chrono::nanoseconds(cx_->options.refill_lease);
  if (open_ && level.held_to >= open_->from && now < open_->lapses_at) {
    if (level.held_to > open_->seen_to) {
      open_->seen_to = level.held_to;
      open_->lapses_at = now + lease;
    }
    return;
  }
  // Lapsed, or of a pool that has started over since.
  open_ = open_order{generation() << 32 | ++orders_, wanted->from, level.held_to, now + lease};
  cx_->level->set_order_open(true);
  caf::anon_send(cx_->populator.address(), refill{open_->number, wanted->from, wanted->count});
  watch();
}

void checker_actor::watch() {
  const auto left = open_->lapses_at - cx_->monotonic->monotonic();
  delayed_send(this, std::max(left, std::chrono::nanoseconds{0}) + milliseconds{1}, tick{open_->number});
}

std::string checker_actor::describe() const {
  const auto level = cx_->level->get();
  const auto limits = cx_->level->limits();
  return fmt::format(
      R"({{"type":"{}","fresh":{},"released":{},"refill_below":{},"fill_to":{},"orders":{},"order_open":{}}})",
      cx_->name(), level.fresh, level.released, limits.refill_below, limits.fill_to, orders_, open_.has_value());
}

} // namespace matricula::actors
