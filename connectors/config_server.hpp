/// A configuration server as a source of pool limits: asked at start and again at an interval. The last good values are
/// kept in a file, for a start while the server is down.
#pragma once
#include "connectors/http_text.hpp"
#include "connectors/mosip_limits.hpp"
#include "foundation/clock.hpp"

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>

namespace matricula::connectors {

struct config_server_options {
  http_location from;
  std::chrono::milliseconds every{300'000};
  std::chrono::milliseconds at_most{5'000}; ///< one question
  std::filesystem::path kept_in;            ///< the file of the last good values
  const clock* time = nullptr;              ///< must live longer
};

class config_server {
public:
  explicit config_server(config_server_options options);
  /// Stops.
  ~config_server();
  config_server(const config_server&) = delete;
  config_server& operator=(const config_server&) = delete;

  /// Asks once, no longer than `at_most`. When nothing comes, what was kept is used, with a warning that tells its age.
  /// What went wrong is in the log; a node starts without its server.
  void ask_first();
  /// Goes on asking in a thread of its own. @param changed called there with new limits, when they differ
  void go_on(std::function<void(const limits_of_types&)> changed);
  void stop();

  [[nodiscard]] limits_of_types limits() const;

  struct state {
    std::uint64_t failures = 0;        ///< questions without a good answer
    std::uint64_t refused = 0;         ///< values that were refused
    std::chrono::milliseconds age{-1}; ///< of the values in use; negative: there are none
  };
  [[nodiscard]] state now() const;

private:
  struct inside;
  std::unique_ptr<inside> in_;
};

} // namespace matricula::connectors
