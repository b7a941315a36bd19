#include "actors/tenured_actor.hpp"

#include <caf/sec.hpp>
#include <caf/send.hpp>

namespace matricula::actors {

void tenured_actor::acquire(storage::commit_log& log, storage::shard_id shard, std::string_view partition) {
  log_ = &log;
  log.acquire(
      shard, partition,
      [self = caf::actor_cast<caf::actor>(this), generation = generation()](result<storage::tenure> t) noexcept {
        tenure_granted granted{generation, 0, 0, 0};
        if (t) granted = {generation, t->shard.value, t->partition, t->token};
        // From itself: it passes even a full mailbox, and dies with this incarnation.
        caf::send_as(self, self, granted);
      });
}

void tenured_actor::begin_tenure(const tenure_granted& granted) {
  if (granted.generation != generation()) return; // a predecessor's
  if (granted.token == 0) return give_up("the commit log granted no tenure");
  part_.emplace(*log_, storage::tenure{{granted.shard}, granted.partition, granted.token});
  load();
}

void tenured_actor::give_up(const std::string& why) { quit(caf::make_error(caf::sec::runtime_error, why)); }

bool tenured_actor::stand_down() {
  if (part_->trustworthy() && !standing_down_) return false;
  // The next incarnation loads again, and takes what waits here. By a message, because the one at hand is skipped: CAF
  // never finishes an actor that quits while it skips.
  if (!standing_down_)
    caf::anon_send<caf::message_priority::high>(
        caf::actor_cast<caf::actor>(this),
        caf::exit_msg{address(),
                      caf::make_error(caf::sec::runtime_error, "a write did not become durable; loading again")});
  standing_down_ = true;
  return true;
}

} // namespace matricula::actors
