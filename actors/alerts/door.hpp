/// The one door through which the rest of the program talks to the alerts. No CAF shows here.
#pragma once
#include "actors/alerts/alerts_context.hpp"
#include "actors/caller.hpp"
#include "runtime/reply.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::actors {

class alert_door {
public:
  /// The context's clocks must live longer.
  alert_door(std::shared_ptr<const alerts_context> alerts, std::shared_ptr<runtime::reply_gate> gate);

  /// Something is wrong, or no longer: see `observe_condition`. For those who watch something themselves; never waits.
  /// The text holds no personal data, identifier of a person or secret.
  void raise(std::string_view rule, std::string_view subject, std::string_view text,
             alerts::severity how = alerts::severity::warning, milliseconds lasts = {}) const;
  void clear(std::string_view rule, std::string_view subject) const;
  /// A number for the rules, such as how many are in doubt: it holds until the next one.
  void report(const std::string& name, const std::string& subject, double value) const;

  /// Open and lately over, by number. Errors: unavailable until they were loaded.
  [[nodiscard]] result<alert_board::list> list() const;
  /// Blocks the calling thread until the answer or the deadline. Errors: not_found, conflict (it is over), unavailable,
  /// outcome_unknown.
  [[nodiscard]] result<alerts::alert> acknowledge(std::uint64_t id, const caller& who) const;
  [[nodiscard]] const std::vector<std::shared_ptr<alert_sink>>& sinks() const noexcept { return alerts_->sinks; }

private:
  std::shared_ptr<const alerts_context> alerts_;
  std::shared_ptr<runtime::reply_gate> gate_;
};

} // namespace matricula::actors
