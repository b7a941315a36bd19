/// The bridges of a node to OpenG2P's own tables: started, stopped, and what /metrics and the console show of them.
#pragma once
#include "config/settings.hpp"
#include "connectors/postgres/bridge_thread.hpp"
#include "domain/registrants/id_generator.hpp"
#include "foundation/metrics.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::commands {

/// What a worker of the bridge does. Errors: io, forbidden, invalid_argument, when its password file cannot be used.
/// @param timeline of the node's store: what its pools know of requests holds there alone
[[nodiscard]] result<connectors::postgres::bridge_options> bridge_options_of(const std::string& name,
                                                                             const config::bridge_settings& s,
                                                                             std::string_view timeline,
                                                                             const clock& time);

/// One bridge: its workers. @param generator, time must live longer
class running_bridge {
public:
  running_bridge(const connectors::postgres::bridge_options& options, std::uint32_t workers,
                 registrants::id_generator& generator);

  /// Ends all workers, each after the call that it is at. Blocks, unless they have ended.
  void stop();
  void ask_to_stop() noexcept;
  /// Whether all have ended, after waiting for that until then.
  [[nodiscard]] bool wait_until_ended(connectors::deadline until) const;
  /// They wait for the database no longer.
  void cut() noexcept;
  /// Of all workers together.
  [[nodiscard]] connectors::postgres::bridge_report report() const;
  /// What is in doubt, read from the database; blocks.
  [[nodiscard]] result<std::vector<connectors::postgres::doubt>> doubts(std::int64_t after,
                                                                        std::uint32_t at_most) const;

private:
  connectors::postgres::connection_options database_;
  std::vector<std::unique_ptr<connectors::postgres::bridge_thread>> workers_;
};

/// Starts a bridge; it connects, and connects again, by itself.
[[nodiscard]] result<std::unique_ptr<running_bridge>> make_bridge(const std::string& name,
                                                                  const config::bridge_settings& s,
                                                                  std::string_view timeline, const clock& time,
                                                                  registrants::id_generator& generator);

/// All enabled bridges of the settings.
class bridges {
public:
  /// The generator that a bridge's settings name; null: there is none of that name. It must live longer than this. One
  /// that knows requests must be the bridge's own: two bridges ask for different registrants with the same words.
  using find_generator = std::function<registrants::id_generator*(std::string_view bridge, std::string_view generator,
                                                                  std::string_view id_type)>;
  /// Errors: invalid_argument, and then none is running.
  /// @param timeline see bridge_options_of
  [[nodiscard]] static result<bridges> start(const config::settings& s, std::string_view timeline, const clock& time,
                                             const find_generator& find);

  /// As those of running_bridge, of all.
  void stop();
  void ask_to_stop() noexcept;
  [[nodiscard]] bool wait_until_ended(connectors::deadline until) const;
  void cut() noexcept;
  [[nodiscard]] std::vector<connectors::postgres::bridge_report> reports() const;
  /// Null: there is none of that name.
  [[nodiscard]] const running_bridge* find(std::string_view name) const;

private:
  std::vector<std::pair<std::string, std::unique_ptr<running_bridge>>> all_;
};

/// Sets the metrics of every bridge to what they are now.
void publish_bridges(metrics& numbers, const bridges& all);

} // namespace matricula::commands
