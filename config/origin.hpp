/// Where a value came from, and what was wrong with it.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace matricula::config {

/// Later ones win over earlier ones.
enum class source : std::uint8_t { built_in, file, environment, command_line, config_server };

struct origin {
  source from = source::built_in;
  std::string name;         ///< the file, the variable, or the `--set` text up to its '='
  std::uint32_t line = 0;   ///< 1 for the first; 0 = not known
  std::uint32_t column = 0; ///< in characters, 1 for the first
  bool operator==(const origin&) const = default;
};

/// "default", "matricula.toml:12", "environment MATRICULA_LOG__LEVEL", "--set log.level" or
/// "configuration server".
[[nodiscard]] std::string to_string(const origin& o);

struct problem {
  origin at;
  std::string key;     ///< empty when it is not about one key
  std::string message; ///< what was found and what is allowed
  bool operator==(const problem&) const = default;
};

/// "matricula.toml:12:11: server.threads: found the integer 0; allowed: an integer from 1 to 1024 (threads)".
[[nodiscard]] std::string to_string(const problem& p);

/// Collects problems up to a bound, so that a hostile file costs no more than a bad one.
class problem_list {
public:
  static constexpr std::size_t max = 100;

  void add(origin at, std::string key, std::string message);
  /// Whether another one would be kept; skip costly wording otherwise.
  [[nodiscard]] bool has_room() const noexcept { return kept_.size() < max; }
  [[nodiscard]] bool empty() const noexcept { return kept_.empty(); }
  /// What was kept, and a last one that says how many more there are.
  [[nodiscard]] std::vector<problem> take() &&;

private:
  std::vector<problem> kept_;
  std::size_t dropped_ = 0;
};

} // namespace matricula::config
