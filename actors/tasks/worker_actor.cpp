#include "actors/tasks/worker_actor.hpp"

#include "foundation/log.hpp"
#include "runtime/answer.hpp"

#include <caf/behavior.hpp>
#include <caf/send.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <typeinfo>
#include <utility>

namespace matricula::actors {

namespace {

using papers = worker_desk::papers;
using std::chrono::nanoseconds;

constexpr std::chrono::seconds wait_for_tasks{30}; ///< then the queue answers with none, and is asked again
constexpr milliseconds again_soon{100};            ///< after an answer that says nothing about the task
constexpr std::uint32_t renewals_per_lease = 3;

/// Whether asking again may help: the queue said nothing about the task itself.
bool passes(errc code) noexcept {
  switch (code) {
  case errc::overloaded:
  case errc::unavailable:
  case errc::storage_full:
  case errc::outcome_unknown:
  case errc::deadline_exceeded:
  case errc::fenced:
  case errc::io:
    return true;
  default:
    return false;
  }
}

/// Whether the worker wants more: when half of what it may have in hand is done, so that one lease brings many.
bool wants_more(const papers& p, std::uint32_t most) noexcept {
  return !p.closing && !p.asking && p.in_hand.size() <= most / 2;
}

} // namespace

worker_actor::worker_actor(caf::actor_config& cfg, runtime::child_context context,
                           std::shared_ptr<const worker_pool> pool, std::size_t place)
    : supervised_actor(cfg, std::move(context)), pool_(std::move(pool)), number_(place) {}

caf::behavior worker_actor::make_behavior() {
  look();
  return {
      [this](const look_at_desk&) { look(); },
      [this](const tick& t) {
        if (t.generation != timer_) return;
        timer_at_.reset();
        look();
      },
  };
}

void worker_actor::look() {
  desk().answer_bell();
  const auto now = pool_->queue->monotonic->monotonic();
  std::vector<leased_task> to_begin, to_renew;
  std::vector<std::pair<leased_task, task_end>> to_tell, to_tell_late;
  std::uint32_t to_ask = 0;
  desk().with([&](papers& p) {
    for (auto& [token, t] : p.in_hand) {
      if (!t.begun) {
        t.begun = true;
        if (p.closing)
          t.over = task_end::not_yet("The node is stopping.", milliseconds{0});
        else
          to_begin.push_back(t.what);
      }
      if (t.over && !t.telling && now >= t.tell_at) {
        t.telling = true;
        (t.too_late ? to_tell_late : to_tell).emplace_back(t.what, *t.over);
      } else if (!t.over && !t.renewing && now >= t.renew_at) {
        t.renewing = true;
        to_renew.push_back(t.what);
      }
    }
    const auto most = pool_->handler->in_hand_max();
    if (!wants_more(p, most) || now < p.ask_at) return;
    p.asking = true;
    to_ask = most - static_cast<std::uint32_t>(p.in_hand.size());
  });
  for (const auto& what : to_renew) renew(what);
  for (const auto& [what, end] : to_tell) tell(what, end);
  for (const auto& [what, end] : to_tell_late) tell_late(what, end);
  if (to_ask > 0) ask(to_ask);
  for (const auto& what : to_begin) begin(what);
  set_timer();
}

template <class Message>
void worker_actor::send_to_queue(Message message) const {
  message.context.principal = pool_->type.name;
  caf::anon_send(pool_->queue->queue.address(), std::move(message));
}

void worker_actor::ask(std::uint32_t count) {
  lease_tasks m;
  m.worker_type = pool_->type.name;
  m.worker = place().name;
  m.count = count;
  const auto& clock = *pool_->queue->monotonic;
  m.wait_until_ns = (clock.monotonic() + wait_for_tasks).count();
  m.reply = runtime::reply_into<std::vector<leased_task>>(
      [at = place().desk, &clock, lease = pool_->type.lease](result<std::vector<leased_task>> answer) {
        at->put([&](papers& p) {
          const auto now = clock.monotonic();
          p.asking = false;
          if (!answer) {
            p.ask_at = now + again_soon;
            return;
          }
          for (auto& one : *answer) {
            const auto token = one.lease.token;
            worker_desk::try_in_hand t;
            t.what = std::move(one);
            t.renew_at = now + lease / renewals_per_lease;
            p.in_hand.insert_or_assign(token, std::move(t));
          }
        });
      });
  send_to_queue(std::move(m));
}

void worker_actor::begin(const leased_task& what) {
  const auto over = [at = place().desk, token = what.lease.token](task_end end) {
    at->put([&](papers& p) {
      const auto found = p.in_hand.find(token);
      if (found != p.in_hand.end() && !found->second.over) found->second.over = std::move(end);
    });
  };
  try {
    pool_->handler->run(what, over);
  } catch (const std::exception& e) {
    // What it says may quote the task: that is in the task's error, not in the log.
    log::error("tasks.handler_threw", "A task's handler threw; the try has failed.",
               {{"worker_type", pool_->type.name}, {"task", what.task.id}, {"exception", typeid(e).name()}});
    over(task_end::transient(fmt::format("The handler failed: {}", e.what())));
  } catch (...) {
    log::error("tasks.handler_threw", "A task's handler threw; the try has failed.",
               {{"worker_type", pool_->type.name}, {"task", what.task.id}});
    over(task_end::transient("The handler failed in a way that it did not name."));
  }
}

void worker_actor::renew(const leased_task& what) {
  renew_lease m;
  m.id = what.task.id;
  m.token = what.lease.token;
  const auto& clock = *pool_->queue->monotonic;
  m.reply = runtime::reply_into<tasks::lease>(
      [at = place().desk, &clock, token = what.lease.token, lease = pool_->type.lease](result<tasks::lease> answer) {
        at->put([&](papers& p) {
          const auto found = p.in_hand.find(token);
          if (found == p.in_hand.end()) return;
          found->second.renewing = false;
          const bool again = !answer && passes(answer.error().code);
          found->second.renew_at =
              clock.monotonic() + (again ? nanoseconds(again_soon) : nanoseconds(lease) / renewals_per_lease);
        });
      });
  send_to_queue(std::move(m));
}

void worker_actor::tell(const leased_task& what, const task_end& end) {
  end_task m;
  m.id = what.task.id;
  m.token = what.lease.token;
  m.kind = static_cast<std::uint8_t>(end.how.kind);
  m.text = end.how.text;
  if (end.how.try_again) m.try_again_ms = end.how.try_again->count();
  m.then = end.then;
  m.effect = end.effect;
  const auto& clock = *pool_->queue->monotonic;
  m.reply = runtime::reply_into<tasks::task>(
      [at = place().desk, &clock, token = what.lease.token](result<tasks::task> answer) {
        at->put([&](papers& p) {
          const auto found = p.in_hand.find(token);
          if (found == p.in_hand.end()) return;
          auto& t = found->second;
          t.telling = false;
          if (answer || (answer.error().code == errc::lease_lost && t.over->effect.call == 0)) {
            ++p.ended;
            p.in_hand.erase(found);
          } else if (answer.error().code == errc::lease_lost) {
            t.too_late = true;
          } else if (passes(answer.error().code)) {
            t.tell_at = clock.monotonic() + again_soon;
          } else {
            // The handler asked for what cannot be: no further try would ask for anything else.
            auto effect = t.over->effect;
            t.over = task_end::permanent("The handler's result cannot be taken: " + answer.error().message);
            t.over->effect = std::move(effect);
            t.tell_at = clock.monotonic() + again_soon;
          }
        });
      });
  send_to_queue(std::move(m));
}

void worker_actor::tell_late(const leased_task& what, const task_end& end) {
  note_generator_answer m;
  m.call = end.effect.call;
  m.unique_id = end.effect.unique_id;
  const auto& clock = *pool_->queue->monotonic;
  const auto drop = [at = place().desk, token = what.lease.token](bool over, nanoseconds again_at) {
    at->put([&](papers& p) {
      const auto found = p.in_hand.find(token);
      if (found == p.in_hand.end()) return;
      if (over) {
        ++p.ended;
        p.in_hand.erase(found);
        return;
      }
      found->second.telling = false;
      found->second.tell_at = again_at;
    });
  };
  // That nobody knows how it ended is what the queue thinks already.
  if (end.effect.call_in_doubt) return drop(true, {});
  m.reply = runtime::reply_into<bool>([drop, &clock](result<bool> answer) {
    drop(answer || !passes(answer.error().code), clock.monotonic() + again_soon);
  });
  send_to_queue(std::move(m));
}

void worker_actor::set_timer() {
  const auto now = pool_->queue->monotonic->monotonic();
  auto next = now + nanoseconds(pool_->type.lease) / renewals_per_lease;
  desk().with([&](const papers& p) {
    if (wants_more(p, pool_->handler->in_hand_max())) next = std::min(next, p.ask_at);
    for (const auto& [token, t] : p.in_hand) {
      if (t.over && !t.telling) next = std::min(next, t.tell_at);
      if (!t.over && !t.renewing) next = std::min(next, t.renew_at);
    }
  });
  next = std::max(next, now + milliseconds{1});
  if (timer_at_ && *timer_at_ <= next) return;
  timer_at_ = next;
  delayed_send(this, next - now, tick{++timer_});
}

std::string worker_actor::describe() const {
  return desk().with([&](const papers& p) {
    const auto telling = std::ranges::count_if(p.in_hand, [](const auto& t) { return t.second.over.has_value(); });
    return fmt::format(R"({{"worker":"{}","in_hand":{},"over_and_untold":{},"ended":{},"asking":{},"closing":{}}})",
                       place().name, p.in_hand.size(), telling, p.ended, p.asking, p.closing);
  });
}

} // namespace matricula::actors
