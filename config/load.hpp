/// From a file, the environment and the command line to settings that can be trusted.
#pragma once
#include "config/origin.hpp"
#include "config/schema.hpp"
#include "config/settings.hpp"

#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace matricula::config {

/// The longest environment variable or `--set` that is read.
inline constexpr std::size_t override_bytes_max = 65'536;
/// Identifier types, shipped ones included.
inline constexpr std::size_t types_max = 64;
/// VID policies, shipped ones included.
inline constexpr std::size_t policies_max = 32;
/// Worker types, shipped and own together.
inline constexpr std::size_t worker_types_max = 64;
inline constexpr std::size_t registrant_kinds_max = 64;

/// Generators of other systems.
inline constexpr std::size_t generators_max = 16;
inline constexpr std::size_t webhooks_max = 64;
/// Bridges to other systems' databases.
inline constexpr std::size_t bridges_max = 16;
/// Sinks of alerts, shipped one included.
inline constexpr std::size_t alert_sinks_max = 16;

/// A settings file, read.
struct file_text {
  std::string name; ///< for messages
  std::string text;
};

/// What settings come from, the weakest first: the schema's defaults, then these.
struct sources {
  std::optional<file_text> file;
  std::vector<std::pair<std::string, std::string>> environment; ///< all variables; only MATRICULA_* are looked at
  std::vector<std::string> sets; ///< "section.key=value"; of two for one key the last wins
};

/// Settings that passed every check, and where each value came from.
struct loaded {
  settings values;
  std::map<std::string, origin, std::less<>> origins; ///< by full key; a key that is not here is a default

  [[nodiscard]] origin origin_of(std::string_view key) const;
};

using load_result = std::expected<loaded, std::vector<problem>>;

/// All problems at once (at most problem_list::max, then their number), except that a file which is not TOML is one
/// problem and hides what else is in it.
[[nodiscard]] load_result load(const sources& from, const outside_checks& checks = {});

struct options {
  std::optional<std::string> file; ///< path; nothing = no file
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<std::string> sets;
};
/// Reads the file and loads.
[[nodiscard]] load_result load(const options& from, const outside_checks& checks = {});

/// The file's text, or why it cannot be had: missing, a folder, unreadable, or over file_bytes_max.
[[nodiscard]] std::expected<file_text, problem> read_file(const std::string& path);

/// The variables of a process, from its `environ`.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> environment_of(const char* const* environ_block);

} // namespace matricula::config
