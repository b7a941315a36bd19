/// From a configuration server's limits to settings.
#pragma once
#include "config/load.hpp"
#include "connectors/config_server.hpp"
#include "foundation/metrics.hpp"

#include <functional>
#include <memory>

namespace matricula::commands {

/// The settings together with the limits of a configuration server, if there is one.
class server_limits {
public:
  /// @param plain the settings alone. The clock must live longer.
  server_limits(const config::loaded& plain, const clock& time);

  /// Waits for the server, within its timeout, and puts its limits into `running`.
  void ask_first(config::loaded& running);
  /// Goes on asking, in a thread. @param changed called there with all settings when limits have changed
  void go_on(std::function<void(const connectors::limits_of_types&)> changed);
  void stop();

  /// The settings were read again: keeps them, and puts the limits into them.
  void take_settings(config::loaded& fresh);
  /// `running` with other limits. What the server says no more is as the settings have it; what needs a restart is told
  /// in the log.
  [[nodiscard]] config::loaded with(const config::loaded& running, const connectors::limits_of_types& limits) const;
  void publish(metrics& numbers) const;

private:
  config::loaded plain_;
  std::unique_ptr<connectors::config_server> server_;
};

/// What to ask, and where to keep the answer. @pre config_server.url is set and the settings came through
/// `config::load`
[[nodiscard]] connectors::config_server_options config_server_options_of(const config::settings& s, const clock& time);

/// Puts the limits in the place of the settings of those types that there are.
void put_limits(config::loaded& into, const connectors::limits_of_types& limits);

} // namespace matricula::commands
