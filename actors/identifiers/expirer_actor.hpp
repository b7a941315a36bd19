/// Walks the due index of its type, on a schedule and on demand, and has the pool do what is due.
#pragma once
#include "actors/identifiers/type_context.hpp"
#include "actors/messages.hpp"
#include "runtime/supervised_actor.hpp"
#include "storage/unconfirmed.hpp"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace matricula::actors {

class expirer_actor final : public runtime::supervised_actor {
public:
  expirer_actor(caf::actor_config& cfg, runtime::child_context context, std::shared_ptr<const type_context> shared);

  caf::behavior make_behavior() override;
  [[nodiscard]] std::string describe() const override;
  /// Whoever waits is told at once: a timer that is still set would keep this object, and its replies, for seconds.
  void on_exit() override;

private:
  struct run {
    std::uint64_t number;
    timestamp up_to;
    std::optional<timestamp> from; ///< where the walk goes on
    timestamp decided_to{};        ///< rows that came into the index since the walk began are not due earlier
    std::size_t in_flight = 0;
    bool retry = false; ///< some row was refused: walk the same rows again, a little later
    expiry_answer done;
    std::uint64_t progress = 0; ///< acknowledged rows, for the lease
    bool told_undecodable = false;
    std::set<std::pair<std::int64_t, std::string>> unreadable = {}; ///< due rows to go round: time and value
    bool reclaiming = false;                                        ///< everything due is done
    /// The walk through the unconfirmed ones: what it has passed, and what the present orders cover.
    std::optional<storage::unconfirmed::place> passed = {}, covered = {};
    bool floor_told = false;
  };
  void begin(const run_expirer& order);
  void next_rows();
  /// After what is due: the next of those that nobody confirmed. In reclaim_walk.cpp.
  void next_unconfirmed();
  void finish(result<expiry_answer> answer);

  std::shared_ptr<const type_context> cx_;
  std::optional<run> run_;
  std::vector<runtime::reply_to<expiry_answer>> waiting_; ///< for the present run
  std::vector<run_expirer> waiting_next_;
  std::uint64_t runs_ = 0;
  std::optional<timestamp> last_run_;
  expiry_answer last_;
};

} // namespace matricula::actors
