/// Carries out one refill order at a time: has walkers look through ranges of counters and proposes what they find to
/// the pool, in order.
#pragma once
#include "actors/identifiers/type_context.hpp"
#include "actors/messages.hpp"
#include "runtime/supervised_actor.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>

namespace matricula::actors {

class populator_actor final : public runtime::supervised_actor {
public:
  populator_actor(caf::actor_config& cfg, runtime::child_context context, std::shared_ptr<const type_context> shared);

  caf::behavior make_behavior() override;
  [[nodiscard]] std::string describe() const override;

private:
  void begin(const refill& order);
  void take(walked range);
  void hand_out_walks();

  std::shared_ptr<const type_context> cx_;
  std::uint64_t chunk_; ///< counters a walk
  std::optional<refill> order_;
  std::uint64_t next_walk_ = 0;
  std::uint64_t next_propose_ = 0;
  std::uint64_t found_ = 0;
  std::uint64_t found_total_ = 0;
  std::size_t walking_ = 0;
  std::size_t next_walker_ = 0;
  std::map<std::uint64_t, walked> early_; ///< by first counter: came before an earlier range
};

/// Looks through ranges of counters for valid identifiers.
class walker_actor final : public runtime::supervised_actor {
public:
  walker_actor(caf::actor_config& cfg, runtime::child_context context, std::shared_ptr<const type_context> shared);
  caf::behavior make_behavior() override;

private:
  std::shared_ptr<const type_context> cx_;
};

} // namespace matricula::actors
