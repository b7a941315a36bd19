#include "actors/identifiers/populator_actor.hpp"

#include <caf/behavior.hpp>
#include <caf/send.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace matricula::actors {

namespace {
/// Counters (by issuer: indexes) of one walk: about a thousand identifiers, at most a few milliseconds of work.
std::uint64_t chunk_for(double valid_share) {
  const double counters = 1'024 / std::max(valid_share, 1e-6);
  return static_cast<std::uint64_t>(std::clamp(counters, 1'024.0, 131'072.0));
}
} // namespace

populator_actor::populator_actor(caf::actor_config& cfg, runtime::child_context context,
                                 std::shared_ptr<const type_context> shared)
    : supervised_actor(cfg, std::move(context)), cx_(std::move(shared)),
      chunk_(chunk_for(cx_->type.rules.valid_share)) {}

caf::behavior populator_actor::make_behavior() {
  if (generation() > 1 && cx_->options.restarts_are_told) caf::anon_send(cx_->checker.address(), refill_lost{});
  return {
      [this](const refill& order) { begin(order); },
      [this](walked& range) { take(std::move(range)); },
  };
}

void populator_actor::begin(const refill& order) {
  order_ = order;
  next_walk_ = next_propose_ = order.from;
  found_ = 0;
  walking_ = 0;
  early_.clear();
  hand_out_walks();
}

void populator_actor::hand_out_walks() {
  const auto end = cx_->rules().end;
  while (order_ && walking_ < cx_->walkers.size() && next_walk_ < end && found_ < order_->count) {
    const auto to = next_walk_ + std::min(chunk_, end - next_walk_);
    caf::anon_send(cx_->walkers[next_walker_++ % cx_->walkers.size()].address(), walk{order_->order, next_walk_, to});
    next_walk_ = to;
    ++walking_;
  }
}

void populator_actor::take(walked range) {
  if (!order_ || range.order != order_->order) return;
  if (walking_ > 0) --walking_;
  early_.emplace(range.from, std::move(range));
  for (auto i = early_.begin(); i != early_.end() && i->first == next_propose_; i = early_.erase(i)) {
    auto& next = i->second;
    next_propose_ = next.to;
    found_ += next.found.size();
    found_total_ += next.found.size();
    caf::anon_send(cx_->pool.address(), propose{next.from, next.to, std::move(next.found)});
  }
  hand_out_walks();
  if (walking_ > 0) return;
  caf::anon_send(cx_->pool.address(), refill_done{order_->order});
  order_.reset();
}

std::string populator_actor::describe() const {
  return fmt::format(R"({{"type":"{}","working":{},"walks_out":{},"next_counter":{},"found_total":{}}})", cx_->name(),
                     order_.has_value(), walking_, next_walk_, found_total_);
}

walker_actor::walker_actor(caf::actor_config& cfg, runtime::child_context context,
                           std::shared_ptr<const type_context> shared)
    : supervised_actor(cfg, std::move(context)), cx_(std::move(shared)) {}

caf::behavior walker_actor::make_behavior() {
  return {[this](const walk& order) {
    walked range{order.order, order.from, order.to, {}};
    const auto walks = cx_->rules().walks;
    (void)cx_->type.space->walk({walks.counter(order.from), walks.counter(order.to - 1) + 1, walks.of}, range.found);
    caf::anon_send(cx_->populator.address(), std::move(range));
  }};
}

} // namespace matricula::actors
