#include "actors/identifiers/expirer_actor.hpp"

#include "foundation/log.hpp"

#include <caf/behavior.hpp>
#include <caf/send.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace matricula::actors {

namespace {
constexpr milliseconds retry_pause{200};
constexpr std::size_t waiting_max = 256;
constexpr std::size_t unreadable_rows_max = 1'000;
} // namespace

expirer_actor::expirer_actor(caf::actor_config& cfg, runtime::child_context context,
                             std::shared_ptr<const type_context> shared)
    : supervised_actor(cfg, std::move(context)), cx_(std::move(shared)) {}

caf::behavior expirer_actor::make_behavior() {
  return {
      [this](const run_expirer& order) { begin(order); },
      [this](const due_applied& row) {
        if (!run_ || row.run != run_->number) return;
        ++run_->progress;
        --run_->in_flight;
        run_->retry = run_->retry || (!row.durable && !row.unreadable);
        if (row.unreadable && !run_->reclaiming) run_->unreadable.emplace(row.at_ms, row.value);
        run_->done.expired += row.done.expired;
        run_->done.released += row.done.released;
        run_->done.retired += row.done.retired;
        run_->done.reclaimed += row.done.reclaimed;
        if (run_->in_flight > 0) return;
        if (run_->retry)
          delayed_send(this, retry_pause, tick{run_->number});
        else
          next_rows();
      },
      [this](const tick& t) {
        if (!run_ || t.generation != run_->number || run_->in_flight > 0) return;
        next_rows();
      },
      [this](const lease_check& check) {
        if (!run_ || check.run != run_->number) return;
        if (run_->in_flight > 0 && run_->progress == check.progress) {
          // An acknowledgement was lost: walk again under a new number. Doing a row twice is doing it once.
          run_->number = generation() << 32 | ++runs_;
          run_->in_flight = 0;
          run_->retry = true;
          next_rows();
        }
        if (run_) delayed_send(this, cx_->options.expirer_lease, lease_check{run_->number, run_->progress});
      },
  };
}

void expirer_actor::begin(const run_expirer& order) {
  // A jump is noticed when the time is asked for, and on an idle node nobody has asked since.
  const auto now = cx_->time->now();
  if (cx_->time->suspect()) {
    log::error("expirer.held", "The clock jumped forward; nothing is expired until an operator confirms the time.",
               {{"actor", path()}}, &order.trace);
    order.reply.deliver(fail(
        errc::unavailable, "The clock jumped forward, so nothing is expired. Check the time, then confirm it with POST "
                           "/v1/clock/trust."));
    return;
  }
  if (run_) {
    // Its idea of now is older than this order: whoever asks now gets a run of its own afterwards.
    if (waiting_next_.size() >= waiting_max)
      return order.reply.deliver(
          fail(errc::overloaded, "Many runs are asked for already; one of them serves.", milliseconds{5'000}));
    waiting_next_.push_back(order);
    return;
  }
  waiting_.push_back(order.reply);
  run_ = run{generation() << 32 | ++runs_, now, std::nullopt, {}, 0, false, {}, 0};
  delayed_send(this, cx_->options.expirer_lease, lease_check{run_->number, 0});
  next_rows();
}

void expirer_actor::next_rows() {
  if (run_->reclaiming) return next_unconfirmed();
  run_->retry = false;
  // Before the run's first view: what is on its way now may be due earlier than the first row that any view will show.
  if (!run_->from) run_->decided_to = cx_->level->decided_durably_to();
  const auto view = cx_->log->read(cx_->part.shard);
  if (!view) return finish(std::unexpected(view.error()));
  if (!run_->from) {
    const auto counters = storage::find_pool(**view, cx_->part);
    if (!counters) return finish(std::unexpected(counters.error()));
    run_->from = counters->due_floor;
  }
  if (run_->unreadable.size() > unreadable_rows_max)
    return finish(fail(errc::corrupt, "Too many due rows cannot be read. Run matricula verify."));
  std::uint64_t undecodable = 0;
  auto rows = storage::find_due(**view, cx_->part, *run_->from, run_->up_to,
                                cx_->options.due_rows_in_flight + run_->unreadable.size(), &undecodable);
  if (undecodable > 0 && !run_->told_undecodable) {
    run_->told_undecodable = true;
    shared().raise({"unreadable_row", path(), "Due rows that do not decode are passed over. Run matricula verify."});
  }
  if (!rows) return finish(std::unexpected(rows.error()));
  // Everything before the first row found has been seen to, but for what is still on its way to the index.
  if (!rows->empty()) run_->from = rows->front().at;
  std::erase_if(*rows, [this](const identifiers::due_row& row) {
    return run_->unreadable.contains({row.at.time_since_epoch().count(), identifiers::encode_due_value(row)});
  });
  if (rows->empty()) {
    if (cx_->type.rules.of != identifiers::lifecycle::uin) return finish(run_->done);
    run_->reclaiming = true;
    return next_unconfirmed();
  }
  run_->in_flight = rows->size();
  const auto floor = std::min(*run_->from, run_->decided_to);
  for (const auto& row : *rows)
    caf::anon_send(cx_->pool.address(),
                   apply_due{run_->number, run_->up_to.time_since_epoch().count(), row.at.time_since_epoch().count(),
                             static_cast<std::uint8_t>(row.kind), identifiers::encode_due_value(row),
                             floor.time_since_epoch().count()});
}

void expirer_actor::finish(result<expiry_answer> answer) {
  if (answer) {
    last_ = *answer;
    last_run_ = run_->up_to;
    log::info("expirer.ran", "What was due is done.",
              {{"actor", path()},
               {"expired", last_.expired},
               {"released", last_.released},
               {"retired", last_.retired},
               {"reclaimed", last_.reclaimed},
               {"unreadable", run_->unreadable.size()}});
  } else {
    log::error("expirer.failed", answer.error().message, {{"actor", path()}});
  }
  run_.reset();
  for (auto& reply : std::exchange(waiting_, {})) reply.deliver(answer);
  for (const auto& order : std::exchange(waiting_next_, {})) begin(order);
}

void expirer_actor::on_exit() {
  waiting_.clear();
  waiting_next_.clear();
}

std::string expirer_actor::describe() const {
  return fmt::format(
      R"({{"type":"{}","running":{},"last_run":{},"expired":{},"released":{},"retired":{},"reclaimed":{},"held":{}}})",
      cx_->type.name, run_.has_value(), last_run_ ? '"' + to_rfc3339(*last_run_) + '"' : "null", last_.expired,
      last_.released, last_.retired, last_.reclaimed, cx_->time->suspect());
}

} // namespace matricula::actors
