/// The only writer of the alerts: applies the rules with every beat, takes what others observe, writes down what is
/// open and what was said of it, and only then hands notices to the sinks.
#pragma once
#include "actors/alerts/alerts_context.hpp"
#include "actors/tenured_actor.hpp"

#include <caf/result.hpp>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace matricula::actors {

class alerts_actor final : public tenured_actor {
public:
  alerts_actor(caf::actor_config& cfg, runtime::child_context context, std::shared_ptr<const alerts_context> shared);

  caf::behavior make_behavior() override;
  [[nodiscard]] std::string describe() const override;

private:
  using told_to = std::pair<alerts::notice, std::vector<std::string>>;

  caf::behavior loading();
  caf::behavior serving();
  void load() override;
  void on_beat();
  void on_observation(const observe_condition& seen);
  caf::result<void> on_acknowledge(const acknowledge_alert& request);
  /// Writes what has changed; what is to be said follows when that is durable. @param then told then, too
  void settle(storage::completion<storage::verdict> then = nullptr);
  /// False when the store has no room: then the notices are handed out at once.
  [[nodiscard]] bool write_rows(const std::set<std::uint64_t>& ids, std::vector<told_to> notices);
  void hand_out(const std::vector<told_to>& notices) const;
  void show();
  [[nodiscard]] alerts::moment now() const;

  std::shared_ptr<const alerts_context> cx_;
  std::optional<alerts::alert_book> book_;
  alerts::rule_book rules_;
  std::set<std::uint64_t> unwritten_; ///< the store took no writes when they changed
  std::uint64_t written_next_ = 0;    ///< the next number, as it was last written
  std::uint64_t beat_ = 0;
  bool refusing_ = false; ///< the store, so that it is said once
};

} // namespace matricula::actors
