/// What the command line can ask for. Each returns the process's exit code: 0 done, 1 refused or failed, 2 misused.
#pragma once
#include "config/load.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace matricula::commands {

/// Where settings come from, for every command that reads them.
struct settings_options {
  std::optional<std::string> file;
  std::vector<std::string> sets;

  /// File, environment and --set together, with every check.
  [[nodiscard]] config::load_result load() const;
};

struct serve_options {
  settings_options settings;
  bool bench_route = false;
  std::string version; ///< of the program
};
/// Runs until SIGTERM or SIGINT; a second one ends at once. SIGHUP reloads.
[[nodiscard]] int serve(const serve_options& options);

[[nodiscard]] int config_check(const settings_options& settings);
[[nodiscard]] int config_show(const settings_options& settings);

struct token_options {
  settings_options settings;
  std::string quota; ///< such as "issued_per_min=100"; empty = as everybody
  std::string name;
  std::string tenant = "default";
  std::vector<std::string> scopes;
  std::optional<std::uint32_t> expires_in_days;
};
/// Prints the token, once.
[[nodiscard]] int token_create(const token_options& options);
[[nodiscard]] int token_revoke(const settings_options& settings, const std::string& name);

/// Makes a key file and prints the fingerprint.
[[nodiscard]] int key_create(const std::string& file);

/// Which keys there are and what each is for; with a data folder, whether it has all that it needs.
[[nodiscard]] int keys_show(const settings_options& settings);

struct key_rotation {
  settings_options settings;
  std::vector<std::string> types;      ///< names; empty with `all`
  bool all = false;                    ///< every type of the data folder
  std::optional<std::string> new_file; ///< exactly one of these three
  std::optional<std::string> new_command;
  std::optional<std::string> new_variable;
};
/// Replaces the key of types for everything that they have not issued. The node is stopped.
[[nodiscard]] int keys_rotate(const key_rotation& options);

struct ids_options {
  settings_options settings;
  std::string type;
  std::uint32_t count = 1;      ///< generate
  std::vector<std::string> ids; ///< validate; empty = one a line from standard input
};
/// Offline: valid identifiers of a type's format under a throw-away key, for tests and documents. Not issued, not
/// recorded.
[[nodiscard]] int ids_generate(const ids_options& options);
/// One line an identifier: it, "valid" or the failed rules. Exit code 1 when any is not valid.
[[nodiscard]] int ids_validate(const ids_options& options);

struct backup_options {
  settings_options settings;
  std::string to;
  std::string url;   ///< of the running node; empty = the node is stopped
  std::string token; ///< for the running node
};
/// An online copy of a running node, or a copy of a stopped one.
[[nodiscard]] int backup(const backup_options& options);
/// Checks the backup and makes the data folder of it, which must not exist or be empty. A node starts from it once it
/// is settled what was issued after the backup.
[[nodiscard]] int restore(const settings_options& settings, const std::string& from);

struct settle_options {
  settings_options settings;
  std::string old_data;           ///< the data folder that was lost in part: its counters say what was issued
  std::vector<std::string> skips; ///< or: "N" for every type, "TYPE=N" for one; issued and imported since, at most
  std::vector<std::string> cuts;  ///< with skips: "TYPE=COUNTER" where its key was replaced since, or "TYPE=none"
};
/// After a restore: makes sure that nothing that was issued after the backup is issued again.
[[nodiscard]] int settle_restore(const settle_options& options);
/// Checks a stopped node's data folder. Exit code 1 when anything is wrong.
[[nodiscard]] int verify(const settings_options& settings, bool as_json);

struct import_options {
  std::string type;
  std::string file;
  std::string url = "http://127.0.0.1:8080"; ///< of the running node
  std::string token;                         ///< with scope ids:import; empty: token_file
  std::string token_file;                    ///< its first line is the token
  std::string ca_file;                       ///< for https, besides the system's
  std::string format;                        ///< ndjson, csv or plain; empty: what the first line looks like
  bool accept_foreign = false;
  std::uint32_t in_flight = 4;
  std::uint32_t give_up_after_seconds = 300; ///< without an answer
};
/// Loads identifiers issued elsewhere from a file of any size into a running node. What is done is remembered beside
/// the file, and an import that was interrupted goes on from there. Exit code 1 when any line was not taken.
[[nodiscard]] int import_file(const import_options& options);

struct inspect_options {
  settings_options settings;
  std::string column; ///< empty: lists the columns
  std::optional<std::uint32_t> shard;
  std::uint64_t rows_max = 100;
};
[[nodiscard]] int inspect_store(const inspect_options& options);

} // namespace matricula::commands
