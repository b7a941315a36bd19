/// Watches one pool's level and orders refills: told on every request, at start, and when an order's lease lapses.
#pragma once
#include "actors/identifiers/type_context.hpp"
#include "actors/messages.hpp"
#include "runtime/supervised_actor.hpp"

#include <memory>
#include <optional>
#include <string>

namespace matricula::actors {

class checker_actor final : public runtime::supervised_actor {
public:
  checker_actor(caf::actor_config& cfg, runtime::child_context context, std::shared_ptr<const type_context> shared);

  caf::behavior make_behavior() override;
  [[nodiscard]] std::string describe() const override;

private:
  /// An order that may still bring something: a lost one must never leave the pool dead, so it is leased.
  struct open_order {
    std::uint64_t number;
    std::uint64_t from;
    std::uint64_t seen_to; ///< how far the pool had come when its lease was last renewed
    std::chrono::nanoseconds lapses_at;
  };
  void check();
  void end_order();
  /// Looks at the open order again when its lease lapses.
  void watch();

  std::shared_ptr<const type_context> cx_;
  std::optional<open_order> open_;
  std::uint64_t orders_ = 0;
  int fruitless_ = 0; ///< orders in a row that brought nothing
};

} // namespace matricula::actors
