/// The base of every actor that is the only writer of a partition of the store: a cache over it, which loads when it
/// has got its tenure and makes way for its successor as soon as memory may be ahead of the store.
#pragma once
#include "actors/messages.hpp"
#include "runtime/supervised_actor.hpp"
#include "storage/partition.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace matricula::actors {

class tenured_actor : public runtime::supervised_actor {
public:
  using supervised_actor::supervised_actor;

protected:
  /// For `make_behavior`. What follows is one `tenure_granted`, when every write of the predecessor has settled; only
  /// then does the store tell the truth. @param log lives longer
  void acquire(storage::commit_log& log, storage::shard_id shard, std::string_view partition);
  /// What to do with `tenure_granted` while loading: takes it and loads, or gives up when there is none.
  void begin_tenure(const tenure_granted& granted);
  /// Takes in what is durable and serves, or gives up. @pre `part_` is there
  virtual void load() = 0;
  void give_up(const std::string& why);
  /// Whether to leave the message at hand for a later incarnation, because this one must not write any more.
  [[nodiscard]] bool stand_down();

  std::optional<storage::partition> part_; ///< from `load` on

private:
  storage::commit_log* log_ = nullptr;
  bool standing_down_ = false;
};

} // namespace matricula::actors
